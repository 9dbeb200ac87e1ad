// Keyboard shortcuts: move between rows and run their actions. Readers can turn them off.
import { reportOpened } from "./opened.js";

const rows = () => [...document.querySelectorAll("#list [data-row]")];
const places = { h: "/", r: "/river/", d: "/digest/", t: "/trends/", s: "/sources/" };
const help = document.querySelector("#keys-help");
let waitsForPlace = false;

const current = () => document.querySelector("[data-row].is-current");
const here = () => current() ?? document.querySelector("article[data-row]");

function go(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(current());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
  current()?.classList.remove("is-current");
  next.classList.add("is-current");
  next.querySelector("[data-open]")?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

const press = (selector) => here()?.querySelector(selector)?.click();

function openOriginal(link) {
  if (!link) return;
  window.open(link.href, "_blank", "noopener");
  reportOpened(link);
}

const actions = {
  j: () => go(1),
  k: () => go(-1),
  o: () => press("[data-open]"),
  v: () => openOriginal(here()?.querySelector("[data-original]")),
  m: () => press("[data-key=m]"),
  s: () => press("[data-key=s]"),
  x: () => press("[data-key=x]"),
  A: () => document.querySelector("[data-key-mark]")?.click(),
  r: () => {
    const pill = document.querySelector("#new-pill");
    if (pill && !pill.hidden) pill.click();
    else location.reload();
  },
  "/": () => [...document.querySelectorAll("[data-key-search]")].find((one) => one.offsetParent)?.focus(),
  "?": () => help?.showModal(),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (help?.open) return;
  if (waitsForPlace) {
    waitsForPlace = false;
    if (places[event.key]) location.assign(places[event.key]);
    return;
  }
  if (event.key === "g") {
    waitsForPlace = true;
    setTimeout(() => { waitsForPlace = false; }, 1500);
    return;
  }
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

if (document.documentElement.hasAttribute("data-keys")) {
  document.addEventListener("keydown", pressed);
  const button = document.querySelector("[data-key-help]");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => help?.showModal());
  }
}

// Shows a mark on its row at once, and keeps the focus on the row.
document.addEventListener("htmx:afterSwap", ({ target }) => {
  const row = target.closest?.("[data-row]") ?? document.querySelector("[data-row]:focus-within");
  const read = row?.querySelector("[data-key=m]");
  if (row?.matches("li") && read) row.classList.toggle("is-read", read.value === "0");
});

// Keyboard shortcuts: move between rows and run their actions. Readers can turn them off.
import { complain, reportOpened, undoLast } from "./acts.js";
import { leaveArticle, neighbour } from "./back.js";
import { ask } from "./browser.js";

const PLACES = { h: "/", r: "/river/", d: "/digest/", t: "/trends/", s: "/sources/" };
const help = document.querySelector("#keys-help");
let waitsForPlace = false;

const ROW = "[data-row]:not(article)";
const rows = () => [...document.querySelectorAll(`main ${ROW}`)].filter((row) => row.offsetParent);
const highlighted = () => document.querySelector(`${ROW}.is-current`);
const current = () => document.querySelector(`${ROW}:focus-within`) ?? highlighted();
const article = () => document.querySelector("article[data-row]");

// What keys act on. Another tab may have hidden the row.
function here() {
  const row = article() ?? current();
  return row?.hidden ? null : row;
}

function highlight(row) {
  highlighted()?.classList.remove("is-current");
  row.classList.add("is-current");
}

// The highlighted row is the one that keys act on, also after Tab, a click or an undo moved the focus.
function focused({ target }) {
  const row = target.closest?.(`main ${ROW}`);
  if (row) highlight(row);
}

function select(row) {
  highlight(row);
  row.querySelector("[data-open]")?.focus({ preventScroll: true });
  // The stories of a digest may be higher than the window.
  row.scrollIntoView({ block: row.matches("li") ? "nearest" : "start" });
}

function go(step) {
  if (article()) {
    const next = neighbour(step) ?? document.querySelector(step > 0 ? ".pager [rel=next]" : ".pager [rel=prev]")?.pathname;
    if (next) location.replace(next); // "Back" returns to the list
    return;
  }
  const all = rows();
  if (!all.length) return;
  // The current row may be hidden: then the step goes to the row beside its place.
  const from = current();
  const side = step > 0 ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING;
  const beside = from ? all.filter((row) => from.compareDocumentPosition(row) & side) : all;
  if (step > 0) select(beside[0] ?? all.at(-1));
  else select(beside.at(-1) ?? all[0]);
}

const press = (key) => here()?.querySelector(`[data-key=${key}]`)?.click();

function openOriginal() {
  const link = here()?.querySelector("[data-original]");
  if (!link) return;
  window.open(link.href, "_blank", "noopener");
  reportOpened(link);
}

function leave() {
  const menu = document.querySelector("details.menu[open], details.row-more[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (article()) {
    leaveArticle();
  } else {
    highlighted()?.classList.remove("is-current");
    document.activeElement?.blur();
  }
}

// A reload without a connection would lose the page that the reader has.
async function reload() {
  try {
    await ask("/manifest.webmanifest", { cache: "no-store" });
    location.reload();
  } catch (error) {
    complain(error, "Not loaded", reload);
  }
}

// Shows the keys that do something on this page.
function showHelp() {
  for (const line of help.querySelectorAll("[data-for]")) line.hidden = !document.querySelector(line.dataset.for);
  help.showModal();
}

const actions = {
  j: () => go(1),
  k: () => go(-1),
  o: () => (article() ? openOriginal() : here()?.querySelector("[data-open]")?.click()),
  v: openOriginal,
  m: () => press("m"),
  s: () => press("s"),
  x: () => press("x"),
  z: undoLast,
  A: () => document.querySelector("[data-key=A]")?.click(),
  r: () => {
    const pill = document.querySelector("#new-pill");
    if (pill && !pill.hidden) pill.click();
    else reload();
  },
  "/": () => [...document.querySelectorAll("[data-key-search]")].find((field) => field.offsetParent)?.focus(),
  "?": showHelp,
  Escape: leave,
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open], [popover]:popover-open")) return;
  // A key that is held moves along a list, and does nothing else again.
  if (event.repeat && (event.key in actions || event.key === "g") && (article() || !"jk".includes(event.key))) {
    event.preventDefault();
    return;
  }
  if (waitsForPlace) {
    waitsForPlace = false;
    if (PLACES[event.key]) location.assign(PLACES[event.key]);
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
  document.addEventListener("focusin", focused);
  const button = document.querySelector("[data-key-help]");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", showHelp);
  }
}

// "Back" comes to the page as it was left: its rows, place and current row, with states as they are
// now. Lists also tell story and item pages which rows come before and after.
import { applySince, rowAfter } from "./acts.js";
import { load, save } from "./browser.js";
import { refresh, rowsIn } from "./rows.js";

const list = document.querySelector("#list");
const address = location.pathname + location.search;
// The entry of the history. Without it, "Back" returns to what was last left at this address.
const entry = window.navigation?.currentEntry?.key;
// A browser may be shared: what one reader left is not shown to the next.
const reader = document.body.dataset.reader;
const KEY = `list:${reader}:${address}:${entry}`;
const LISTS = `lists:${reader}`;
const NEIGHBOURS = `neighbours:${reader}`;
const MOST_LISTS = 20;
const MOST_ROWS = 400;
let loadedAt = performance.timeOrigin;

const rows = () => [...document.querySelectorAll("main [data-row]:not(article)")].filter((row) => !row.hidden);

// Stores what is left of this list. Those that were left first make room for it.
function keep(value) {
  const keys = (load("sessionStorage", LISTS) ?? []).filter((key) => key !== KEY);
  while (keys.length >= MOST_LISTS || !save("sessionStorage", KEY, value)) {
    if (!keys.length) return;
    save("sessionStorage", keys.shift());
  }
  save("sessionStorage", LISTS, [...keys, KEY]);
}

function linkRow(text, from, attributes = {}) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  for (const [name, value] of Object.entries({ class: "more", ...attributes })) item.setAttribute(name, value);
  link.className = "button";
  link.href = from;
  link.textContent = text;
  item.append(link);
  return item.outerHTML;
}

function olderRow(last) {
  const from = new URL(location.href);
  from.searchParams.set("before", last.dataset.row.split("-")[1]);
  const address = from.pathname + from.search;
  return linkRow("Older items", address, { "hx-get": address, "hx-trigger": "intersect, retry", "hx-swap": "outerHTML" });
}

// A long list is stored without the rows that are far from the window.
function nearRows() {
  const all = rowsIn(list);
  if (all.length <= MOST_ROWS) return { html: list.innerHTML };
  const at = all.findIndex((row) => row.getBoundingClientRect().bottom > 0);
  const first = Math.max(0, Math.min(at - MOST_ROWS / 2, all.length - MOST_ROWS));
  const near = all.slice(first, first + MOST_ROWS);
  const head = first ? linkRow("Newest items", address, { "data-newest": "" }) : "";
  const end = near.at(-1) === all.at(-1) ? list.lastElementChild.outerHTML : olderRow(near.at(-1));
  const html = head + near.map((row) => row.outerHTML).join("") + end;
  return { html, at: all[at].dataset.row, top: all[at].getBoundingClientRect().top };
}

function leave() {
  if (document.querySelector("article[data-row]") || !rows().length) return;
  save("sessionStorage", NEIGHBOURS, { from: address, entry, links: rows().map((row) => row.querySelector("[data-open]")?.pathname) });
  if (!list) return;
  const current = (document.querySelector("[data-row]:focus-within") ?? document.querySelector("[data-row].is-current"))?.dataset.row;
  keep({ ...nearRows(), seq: list.dataset.seq, y: scrollY, current, since: loadedAt });
}

const rowOf = (id) => id && list.querySelector(`[data-row="${CSS.escape(id)}"]`);

function choose(id) {
  const left = rowOf(id);
  // A row that was hidden on its own page gives its place to the next one.
  const row = left?.hidden ? rowAfter(left) : left;
  if (!row) return;
  row.classList.add("is-current");
  row.querySelector("[data-open]")?.focus({ preventScroll: true });
}

function restore(left) {
  list.innerHTML = left.html;
  list.dataset.seq = left.seq;
  window.htmx?.process(list);
  for (const row of list.querySelectorAll(".is-current")) row.classList.remove("is-current");
  for (const open of list.querySelectorAll("details[open]")) open.open = false;
  applySince(left.since);
  loadedAt = left.since;
  choose(left.current);
  const row = rowOf(left.at);
  const top = row && !row.hidden ? scrollY + row.getBoundingClientRect().top - left.top : left.y;
  scrollTo({ top, behavior: "instant" });
}

// The browser may show an old page, and the states may have changed on another device.
async function update() {
  await refresh();
  const hidden = document.querySelector("#list [data-row].is-current[hidden]");
  if (!hidden) return;
  hidden.classList.remove("is-current");
  choose(hidden.dataset.row);
}

const [visit] = performance.getEntriesByType("navigation");
if (visit?.type === "back_forward") {
  const left = list && load("sessionStorage", KEY);
  if (left) {
    history.scrollRestoration = "manual";
    restore(left);
  }
  update();
}
addEventListener("pagehide", leave);
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  applySince(loadedAt);
  update();
});

const neighbours = () => load("sessionStorage", NEIGHBOURS) ?? { links: [] };

// The address of the row `step` after the one that this page shows, in the list it was opened from.
export function neighbour(step) {
  const { links } = neighbours();
  const at = links.indexOf(location.pathname);
  return at < 0 ? undefined : links[at + step];
}

// Goes to the list that this page was opened from, as it was left.
export function leaveArticle() {
  const { from, entry: left } = neighbours();
  const isOpen = left && window.navigation.entries().some(({ key }) => key === left);
  if (isOpen) window.navigation.traverseTo(left);
  else if (from && !window.navigation && document.referrer.startsWith(location.origin)) history.back();
  else location.assign(from ?? "/");
}

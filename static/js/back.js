// "Back" comes to the page as it was left: its rows, place and current row, with states as they are
// now. Lists also tell story and item pages which rows come before and after.
import { applySince, rowAfter } from "./acts.js";

const list = document.querySelector("#list");
const address = location.pathname + location.search;
// A browser may be shared: what one reader left is not shown to the next.
const reader = document.body.dataset.reader;
const KEY = `list:${reader}:${address}`;
const NEIGHBOURS = `neighbours:${reader}`;
let loadedAt = performance.timeOrigin;

const rows = () => [...document.querySelectorAll("#list [data-row]")].filter((row) => !row.hidden);

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    sessionStorage.removeItem(key); // too large: "Back" then loads the first page
  }
}

function leave() {
  if (!list) return;
  const current = (document.querySelector("[data-row]:focus-within") ?? document.querySelector("[data-row].is-current"))?.dataset.row;
  write(KEY, { html: list.innerHTML, seq: list.dataset.seq, y: scrollY, current, at: loadedAt });
  write(NEIGHBOURS, { from: address, links: rows().map((row) => row.querySelector("[data-open]")?.pathname) });
}

function choose(id) {
  const left = id && list.querySelector(`[data-row="${CSS.escape(id)}"]`);
  // A row that was hidden on its own page gives its place to the next one.
  const row = left?.hidden ? rowAfter(left) : left;
  if (!row) return;
  row.classList.add("is-current");
  row.querySelector("[data-open]")?.focus({ preventScroll: true });
}

function restore() {
  const left = read(KEY);
  if (!list || !left) return;
  list.innerHTML = left.html;
  list.dataset.seq = left.seq;
  window.htmx?.process(list);
  for (const row of list.querySelectorAll(".is-current")) row.classList.remove("is-current");
  for (const open of list.querySelectorAll("details[open]")) open.open = false;
  applySince(left.at);
  loadedAt = left.at;
  choose(left.current);
  scrollTo({ top: left.y, behavior: "instant" });
}

const [navigation] = performance.getEntriesByType("navigation");
if (navigation?.type === "back_forward") {
  history.scrollRestoration = "manual";
  restore();
}
addEventListener("pagehide", leave);
addEventListener("pageshow", ({ persisted }) => { if (persisted) applySince(loadedAt); });

// The address of the row `step` after the one that this page shows, in the list it was opened from.
export function neighbour(step) {
  const { links } = read(NEIGHBOURS) ?? { links: [] };
  const at = links.indexOf(location.pathname);
  return at < 0 ? undefined : links[at + step];
}

// The list that this page was opened from.
export const origin = () => read(NEIGHBOURS)?.from;

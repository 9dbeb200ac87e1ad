// The states of rows: changes them, and asks the server for the present ones.
import { ask } from "./browser.js";

const CLASSES = ["read", "saved"];
const LETTERS = { r: "read", s: "saved", h: "hidden", f: "follow" };
const MOST_ROWS = 150;
const changedAt = new Map();

export const rowsIn = (place) => [...place.querySelectorAll("[data-row]")];
const article = document.querySelector("article[data-row]");
const shortName = (id) => id[0] + id.split("-")[1];
const rowsOf = (id) => [article, document.getElementById(shortName(id))].filter((row) => row?.dataset.row === id);

const numberIn = (place) => Number(place.textContent.replace(/\D/g, ""));
const counts = (name) => document.querySelectorAll(`[data-count="${name}"]`);

// Changes the count of a source, of its folder and of all; or that of stories.
function count(name, change) {
  const inFolder = counts(name)[0]?.closest(".rail-block")?.querySelector("[data-count^=folder-]");
  const folder = inFolder ? [inFolder] : [];
  const places = name === "stories" ? counts(name) : new Set([...counts(name), ...counts("all"), ...folder]);
  for (const place of places) {
    place.textContent = Math.max(numberIn(place) + change, 0) || "";
  }
}

// Clears the counts of the source or folder that the query selects, or all.
export function clearCounts(query) {
  for (const place of counts("stories")) place.textContent = "";
  const [source, folder] = ["source", "folder"].map((name) => new URLSearchParams(query).get(name));
  let places = document.querySelectorAll("[data-count]");
  if (source) places = counts(source);
  else if (folder) places = counts(`folder-${folder}`)[0]?.closest(".rail-block").querySelectorAll("[data-count]") ?? [];
  for (const place of places) count(place.dataset.count, -numberIn(place));
}

// Rows of stories that are not followed come without the sign, so that pages are small.
function showFollowed(row, on) {
  let sign = row.querySelector(".sign-followed");
  if (on && !sign) {
    sign = document.createElement("span");
    sign.className = "sign-followed";
    sign.textContent = "followed";
    row.querySelector(".sign-saved")?.before(sign);
  }
  if (sign) sign.hidden = !on;
}

// Lists of hidden rows and searches show them, with a button that says so.
function isHidden(row) {
  const button = row.querySelector("button[name=hidden][data-labels]");
  return button ? button.value === "0" : row.hidden;
}

// Whether the act makes an unread row read, or the other way round. Hidden rows count as read.
function changesUnread(row, name, on) {
  const isRead = row.classList.contains("is-read");
  if (name === "read") return isRead !== on && !isHidden(row);
  return (name === "hidden" || name === "less") && !isRead && isHidden(row) !== on;
}

// Whether a mark makes the row leave its list. That of hidden rows is left by what is shown again,
// and a search lists hidden rows too.
export function isGone(row, name, on) {
  if (!row.matches("li") || (name !== "hidden" && name !== "less")) return false;
  if (row.closest("[data-hidden]")) return !on;
  return on && !row.querySelector("button[name=hidden][data-labels]");
}

// Changes a row, or the page of an item or a story, to a new state.
export function apply({ id, name, on }, counting = true) {
  changedAt.set(id, performance.now());
  for (const row of rowsOf(id)) {
    const isRow = row.matches("li");
    if (counting && isRow && changesUnread(row, name, on)) {
      count(id.startsWith("item-") ? row.dataset.source : "stories", on ? -1 : 1);
    }
    if (CLASSES.includes(name)) row.classList.toggle(`is-${name}`, on);
    if (name === "follow") showFollowed(row, on);
    if (isRow && (name === "hidden" || name === "less")) row.hidden = isGone(row, name, on);
    for (const button of buttonsOf(row, name)) press(button, on);
  }
}

// "Less like this" hides too.
function buttonsOf(row, name) {
  return row.querySelectorAll(`button[form="act"][name="${name === "less" ? "hidden" : name}"][data-labels]`);
}

function press(button, on) {
  const [off, active] = button.dataset.labels.split("|");
  button.value = on ? "0" : "1";
  button.textContent = on ? active : off;
  if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", on);
}

// While a mark of a row is sent, no answer of the server changes the row.
export function hold(id, isSent) {
  changedAt.set(id, isSent ? Infinity : performance.now());
}

async function fetchStates(ids, withCounts) {
  const since = performance.now();
  let query = `rows=${ids.map(shortName).join(",")}`;
  if (withCounts) query += "&counts=1";
  // The number of stories is that of the filter.
  if (withCounts && counts("stories").length) query += `&stories=1&${location.search.slice(1)}`;
  const answer = await ask(`/states/?${query}`);
  const { rows, counts: unread } = await answer.json();
  for (const [id, letters] of Object.entries(rows)) {
    if (changedAt.get(id) > since) continue; // changed after the question
    for (const [letter, name] of Object.entries(LETTERS)) apply({ id, name, on: letters.includes(letter) }, false);
    changedAt.set(id, since);
  }
  if (withCounts) for (const place of document.querySelectorAll("[data-count]")) place.textContent = unread[place.dataset.count] || "";
}

// Shows the present states of the rows of this page, and of its counts of unread items.
export async function refresh() {
  const ids = [...new Set(rowsIn(document).map((row) => row.dataset.row).filter(Boolean))];
  const hasCounts = Boolean(counts("all").length);
  try {
    for (let at = 0; at < ids.length || (hasCounts && !at); at += MOST_ROWS) {
      await fetchStates(ids.slice(at, at + MOST_ROWS), hasCounts && !at);
    }
  } catch {
    // Without an answer, the page shows the states when it is loaded again.
  }
}

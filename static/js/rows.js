// The states of rows: changes them, and copies them from a newer page of the server.
const FLAGS = ["read", "saved"];
const MOST_PAGES = 10;
const changedAt = new Map();

export const rowsIn = (place) => [...place.querySelectorAll("[data-row]")];
const rowsOf = (id) => document.querySelectorAll(`[data-row="${CSS.escape(id)}"]`);

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

// Whether the act makes an unread row read, or the other way round. Hidden rows count as read.
function changesUnread(row, name, on) {
  const isRead = row.classList.contains("is-read");
  if (name === "read") return isRead !== on && !row.hidden;
  return (name === "hidden" || name === "less") && !isRead && row.hidden !== on;
}

// Changes a row, or the page of an item or a story, to a new state.
export function apply({ id, name, on }, counting = true) {
  changedAt.set(id, performance.now());
  for (const row of rowsOf(id)) {
    const isGone = name === "hidden" || name === "less";
    if (counting && row.matches("li") && changesUnread(row, name, on)) {
      count(id.startsWith("item-") ? row.dataset.source : "stories", on ? -1 : 1);
    }
    if (FLAGS.includes(name)) row.classList.toggle(`is-${name}`, on);
    if (isGone && row.matches("li")) row.hidden = on;
    if (name === "less" || (isGone && row.matches("li"))) continue;
    if (name === "follow") showFollowed(row, on);
    for (const button of row.querySelectorAll(`button[form="act"][name="${name}"][data-labels]`)) {
      const [off, active] = button.dataset.labels.split("|");
      button.value = on ? "0" : "1";
      button.textContent = on ? active : off;
      if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", on);
    }
  }
}

// Copies the states of the rows that `page` has too, and its counts of unread items. Rows that the
// reader changed after `since`, when the page was asked for, are newer than the page.
export function copyStates(page, since) {
  const fresh = new Map(rowsIn(page).map((row) => [row.dataset.row, row]));
  for (const { dataset: { row: id } } of rowsIn(document.querySelector("#list"))) {
    if (!fresh.has(id) || changedAt.get(id) > since) continue;
    const row = fresh.get(id);
    for (const name of FLAGS) setFlag(id, name, row.matches(`.is-${name}`));
  }
  for (const { dataset, textContent } of page.querySelectorAll("[data-count]")) {
    for (const place of counts(dataset.count)) place.textContent = textContent;
  }
  return fresh;
}

function setFlag(id, name, on) {
  const before = changedAt.get(id);
  apply({ id, name, on }, false);
  changedAt.set(id, before);
}

async function fetchPage(address, headers) {
  const answer = await fetch(address, { headers: { Accept: "text/html", ...headers } });
  if (!answer.ok || answer.redirected) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Fetches this list, with the pages that were appended to it, and copies the states of its rows.
export async function refresh() {
  const list = document.querySelector("#list");
  if (!list) return; // fetching the page of an item would mark it as read
  const missing = new Set(rowsIn(list).map((row) => row.dataset.row));
  const since = performance.now();
  try {
    let page = await fetchPage(location.href);
    for (let pages = 1; ; pages += 1) {
      for (const id of copyStates(page, since).keys()) missing.delete(id);
      const next = page.querySelector(".more[hx-get]")?.getAttribute("hx-get");
      if (!missing.size || !next || pages === MOST_PAGES) break;
      page = await fetchPage(next, { "HX-Request": "true" });
    }
    // A whole list of unread rows that misses a row says that it is read.
    const isUnread = new URLSearchParams(location.search).get("unread") === "1";
    if (isUnread && !page.querySelector(".more")) {
      for (const id of missing) if (!(changedAt.get(id) > since)) setFlag(id, "read", true);
    }
  } catch {
    // Without an answer, the page shows the states when it is loaded again.
  }
}

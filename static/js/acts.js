// Shows a mark at once, sends it, and takes it back if it cannot be sent. Other tabs and the page
// that "Back" returns to show it too, because each mark is noted in the browser.
import { apply, clearCounts, refresh } from "./rows.js";

const form = document.querySelector("#act");
const toast = document.querySelector("#toast");
const KEY = `acts:${document.body.dataset.reader}`;
const MOST = 300;
const MOST_UNDOS = 10;
const SHOWN_FOR = 8000;
const TIMEOUT = 15000;
const undos = [];
let hideToast = 0;
let lastMarkAll = {};

export function say(text, label, undo) {
  const line = document.createElement("p");
  line.append(text);
  if (undo) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.dataset.key = "z";
    button.addEventListener("click", () => { toast.replaceChildren(); undo(); });
    line.append(button);
  }
  toast.replaceChildren(line);
  clearTimeout(hideToast);
  hideToast = setTimeout(() => toast.replaceChildren(), SHOWN_FOR);
}

// The last act can be undone at once, and those before it by further undos.
function addUndo(undo) {
  undos.push(undo);
  if (undos.length > MOST_UNDOS) undos.shift();
}

function removeUndo(undo) {
  if (undos.includes(undo)) undos.splice(undos.indexOf(undo), 1);
}

export function undoLast() {
  undos.pop()?.();
}

const noted = () => JSON.parse(localStorage.getItem(KEY) ?? "[]");

export function note(act) {
  const acts = [...noted(), { ...act, at: Date.now() }].slice(-MOST);
  try {
    localStorage.setItem(KEY, JSON.stringify(acts));
  } catch {
    // Without storage, other tabs show the mark when they are loaded again.
  }
}

// Applies marks. Those of a whole list are fetched, because the browser does not know its rows.
function applyAll(acts) {
  for (const act of acts) if (act.list === undefined) apply(act);
  if (acts.some((act) => act.list !== undefined)) refresh();
}

// Applies the marks that were made after `since`, in milliseconds since 1970.
export function applySince(since) {
  applyAll(noted().filter((act) => act.at > since));
}

// An item or a story counts as read once its page is open.
const article = document.querySelector("article[data-unread]");
if (article) note({ id: article.dataset.row, name: "read", on: true });

addEventListener("storage", ({ key, newValue }) => {
  if (key === KEY && newValue) applyAll(JSON.parse(newValue).slice(-1));
});

async function send(address, name, value) {
  const body = new URLSearchParams(new FormData(form));
  if (name) body.set(name, value);
  const answer = await fetch(address, {
    method: "POST",
    body,
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (!answer.ok || answer.redirected) throw new Error(answer.status);
  return answer.json();
}

// Whether no answer came: the connection is lost, or the server takes too long.
export const isLost = (error) => error instanceof TypeError || error.name === "TimeoutError";

function failed(error, again) {
  const text = isLost(error)
    ? "Not saved: there is no connection to the server."
    : "Not saved: the server refused it. Reload the page and try again.";
  say(text, "Try again", again);
}

// The next row of the list that is not hidden, or the last one.
export function rowAfter(row) {
  const all = [...document.querySelectorAll("#list [data-row]")];
  const later = all.slice(all.indexOf(row) + 1).find((one) => !one.hidden);
  return later ?? all.findLast((one) => !one.hidden);
}

function focusNext(row) {
  const next = rowAfter(row);
  row.classList.remove("is-current");
  next?.classList.add("is-current");
  next?.querySelector("[data-open]")?.focus({ preventScroll: true });
}

async function mark(row, address, name, on) {
  const act = { id: row.dataset.row, name, on };
  const isLess = name === "less";
  const isGone = on && (isLess || name === "hidden");
  if (isGone && row.matches("li")) focusNext(row);
  apply(act);
  const sent = send(address, name, on ? "1" : "0");
  // An undo must not arrive before the act.
  const undo = () => sent.then(() => mark(row, address, name, false)).then(() => row.querySelector("[data-open]")?.focus(), () => {});
  if (isGone) addUndo(undo);
  try {
    await sent;
    note(act);
    const text = isLess ? "You'll see fewer stories like this." : "Hidden.";
    if (undos.includes(undo)) say(text, "Undo", undoLast);
  } catch (error) {
    removeUndo(undo);
    apply({ ...act, on: !on });
    failed(error, () => mark(row, address, name, on));
  }
}

// Shows that the rows of the list are read, or unread again. The server knows the counts.
function showAll(ids, on, list) {
  for (const id of ids) apply({ id, name: "read", on }, false);
  if (on) clearCounts(list);
  note({ list, on });
  refresh();
}

async function markAll(button) {
  const rows = [...document.querySelectorAll("#list [data-row]:not(.is-read)")];
  const list = new URL(button.formAction).search;
  let ids = rows.map((row) => row.dataset.row);
  try {
    // The list may have rows that came after the button.
    const seq = document.querySelector("#list")?.dataset.seq ?? button.value;
    const { marked, undo } = await send(button.formAction, button.name, seq);
    showAll(ids, true, list);
    if (!marked) {
      say("Everything here is read already.");
      return;
    }
    if (lastMarkAll.undo === undo) { // the request was repeated
      ids = [...lastMarkAll.ids, ...ids];
      removeUndo(lastMarkAll.run);
    }
    lastMarkAll = { undo, ids, run: () => markBack(undo, ids, list) };
    addUndo(lastMarkAll.run);
    say(`Marked ${marked.toLocaleString("en")} item${marked === 1 ? "" : "s"} as read.`, "Undo", undoLast);
  } catch (error) {
    failed(error, () => markAll(button));
  }
}

async function markBack(undo, ids, list) {
  try {
    await send(undo);
    showAll(ids, false, list);
    say("Marked as unread again.");
  } catch (error) {
    failed(error, () => markBack(undo, ids, list));
  }
}

form?.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || button.hasAttribute("data-plain")) return;
  const row = button.closest("[data-row]");
  if (button.dataset.key === "A") {
    event.preventDefault();
    markAll(button);
  } else if (row) {
    event.preventDefault();
    mark(row, button.formAction, button.name, button.value === "1");
  }
});

// Reports that a link to another site was opened, by click or by key. Reports may be lost.
export function reportOpened(link) {
  if (link.dataset.opened) navigator.sendBeacon(link.dataset.opened, new FormData(form));
}

function clicked({ target, button }) {
  const link = target.closest?.("a[data-opened]");
  if (link && button <= 1) reportOpened(link);
}

document.addEventListener("click", clicked);
document.addEventListener("auxclick", clicked);

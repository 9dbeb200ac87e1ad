// Shows a mark at once, sends it, and takes it back if it cannot be sent. Other tabs and the page
// that "Back" returns to show it too, because each mark is noted in the browser.
import { ask, explain, load, save } from "./browser.js";
import { apply, clearCounts, hold, isGone, refresh } from "./rows.js";

const form = document.querySelector("#act");
const toast = document.querySelector("#toast");
const KEY = `acts:${document.body.dataset.reader}`;
const UNDOS = `undos:${document.body.dataset.reader}`;
const MOST = 300;
const MOST_UNDOS = 50;
const SHOWN_FOR = 8000;
const sending = new Map();
let hideToast = 0;

// A text that is being read, or whose button has the focus, stays.
function fade() {
  if (toast.matches(":hover, :focus-within")) hideToast = setTimeout(fade, SHOWN_FOR / 4);
  else toast.replaceChildren();
}

export function say(text, label, act) {
  const line = document.createElement("p");
  line.append(text);
  if (act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => { toast.replaceChildren(); act(); });
    line.append(button);
  }
  toast.replaceChildren(line);
  clearTimeout(hideToast);
  hideToast = setTimeout(fade, SHOWN_FOR);
}

// Says why a request failed. `result` is what that means, such as "Not saved".
export function complain(error, result, again) {
  const [reason, label, act] = explain(error, again);
  say(`${result}: ${reason}`, label, act);
}

// The acts of this tab that can be undone, the last one first. They outlive the page.
let undos = [];
const known = () => load("sessionStorage", UNDOS) ?? undos;

function store(entries) {
  undos = entries.slice(-MOST_UNDOS);
  save("sessionStorage", UNDOS, undos);
}

const isSame = (entry) => (other) => other.key === entry.key;
const replace = (entry) => store(known().map((other) => (isSame(entry)(other) ? entry : other)));
const forget = (entry) => store(known().filter((other) => !isSame(entry)(other)));
const remember = (entry) => store([...known().filter((other) => !isSame(entry)(other)), entry]);

export function undoLast() {
  const last = known().at(-1);
  if (last) undo(last);
  else say("There is nothing to undo.");
}

async function undo(entry) {
  forget(entry);
  try {
    const changed = await sending.get(entry.key); // an undo must not arrive before the act
    if (changed) entry.changed = changed;
  } catch {
    return; // the act was taken back
  }
  try {
    await (entry.list === undefined ? unmark(entry) : unmarkAll(entry));
  } catch (error) {
    if (error.status === 410) {
      say("This was undone already.");
      refresh();
      return;
    }
    remember(entry);
    complain(error, "Not undone", () => undo(entry));
  }
}

export function note(act) {
  save("localStorage", KEY, [...(load("localStorage", KEY) ?? []), { ...act, at: Date.now() }].slice(-MOST));
}

// Applies the marks that were made after `since`, in milliseconds since 1970. Those of a whole list
// are left to `refresh`, because the browser does not know its rows.
export function applySince(since) {
  for (const act of load("localStorage", KEY) ?? []) if (act.at > since && act.list === undefined) apply(act);
}

// An item or a story counts as read once its page is open.
const article = document.querySelector("article[data-unread]");
if (article) note({ id: article.dataset.row, name: "read", on: true });

addEventListener("storage", ({ key, newValue }) => {
  const act = key === KEY && newValue ? JSON.parse(newValue).at(-1) : null;
  if (act?.list !== undefined) refresh();
  else if (act) apply(act);
});

// `only` has the items of a story to which an act is limited, by mark.
async function send(address, name, value, only = {}) {
  const body = new URLSearchParams(new FormData(form));
  if (name) body.set(name, value);
  for (const [mark, items] of Object.entries(only)) body.set(`only_${mark}`, items.join(","));
  // An act arrives also if the reader leaves the page at once.
  return (await ask(address, { method: "POST", body, keepalive: true })).json();
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

// Returns the items of a story whose marks changed, by mark.
async function change({ id, address, name }, on, only) {
  apply({ id, name, on });
  hold(id, true);
  try {
    const { changed } = await send(address, name, on ? "1" : "0", only);
    note({ id, name, on });
    return changed;
  } catch (error) {
    apply({ id, name, on: !on });
    throw error;
  } finally {
    hold(id, false);
  }
}

const DONE = {
  read: ["Marked as unread", "Marked as read"],
  saved: ["No longer saved", "Saved"],
  hidden: ["Shown again", "Hidden"],
  less: ["Shown again", "You'll see fewer stories like this"],
  follow: ["No longer followed", "Followed"],
};

async function mark(row, address, name, on) {
  const title = row.querySelector("[data-open], h1")?.textContent.slice(0, 80);
  const entry = { key: performance.timeOrigin + performance.now(), id: row.dataset.row, address, name, on, title };
  const leaves = isGone(row, name, on);
  if (leaves) focusNext(row);
  remember(entry);
  const sent = change(entry, on);
  sending.set(entry.key, sent);
  try {
    entry.changed = await sent;
    replace(entry);
    const isHidden = on && (name === "hidden" || name === "less");
    if ((leaves || isHidden) && known().some(isSame(entry))) say(`${DONE[name][Number(on)]}.`, "Undo", () => undo(entry));
  } catch (error) {
    forget(entry);
    complain(error, "Not saved", () => mark(row, address, name, on));
  } finally {
    sending.delete(entry.key);
  }
}

// What a story's act did not change stays: an article that was saved alone, or the lead.
async function unmark(entry) {
  await change(entry, !entry.on, entry.changed);
  say(`${DONE[entry.name][Number(!entry.on)]}: ${entry.title}`);
  document.querySelector(`li[data-row="${CSS.escape(entry.id)}"]:not([hidden]) [data-open]`)?.focus();
}

async function markAll(button) {
  const list = new URL(button.formAction).search;
  try {
    // The list may have rows that came after the button.
    const seq = document.querySelector("#list")?.dataset.seq ?? button.value;
    const { marked, undo: address } = await send(button.formAction, button.name, seq);
    for (const row of document.querySelectorAll("#list [data-row]:not(.is-read)")) apply({ id: row.dataset.row, name: "read", on: true }, false);
    clearCounts(list);
    note({ list, on: true });
    refresh();
    if (!marked) {
      say("Everything here is read already.");
      return;
    }
    const entry = { key: address, list }; // a request that was repeated has the same address
    remember(entry);
    say(`Marked ${marked.toLocaleString("en")} item${marked === 1 ? "" : "s"} as read.`, "Undo", () => undo(entry));
  } catch (error) {
    complain(error, "Not saved", () => markAll(button));
  }
}

async function unmarkAll({ key, list }) {
  await send(key);
  note({ list, on: false });
  refresh();
  say("Marked as unread again.");
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

// Updates the "4 new stories" button when items arrive, and loads them on a click.
import { complain, say } from "./acts.js";
import { ask, isLost } from "./browser.js";
import { refresh, rowsIn } from "./rows.js";

const pill = document.querySelector("#new-pill");
const list = () => document.querySelector("#list");
const query = new URLSearchParams(location.search);
// New rows come to the first page only, and are never saved.
const takesNew = !["from", "before", "saved", "hidden"].some((name) => query.get(name));
// The server counts what is new in all sources, and not whether a filter selects it.
const isFiltered = ["source", "folder", "topic"].some((name) => query.get(name));
let seen = null;
// With what is random, a page is connected within nine seconds after the server is back.
const LONGEST_WAIT = 6000;
let wait = 1000;
let socket = null;
let position = "";
let sessionEnded = false;
// What a socket that connects again asks for, so that the page misses nothing: the counts if the
// state of the last message is no more that of the server, and the alerts since the first greeting.
let state = null;
let greetedAt = null;
const alerts = new Set();

// If `more` is true, the counts are lower bounds: the server stops counting at a thousand.
function show({ items, stories, more }) {
  if (!takesNew) return;
  const isItems = pill.dataset.counts === "items";
  const count = isItems ? items : stories;
  const [one, many] = isItems ? ["item", "items"] : ["story", "stories"];
  const noun = count === 1 && !more ? one : many;
  const shown = `${count.toLocaleString("en")}${more ? "+" : ""} new ${noun}`;
  if (isFiltered) pill.textContent = `Check for new ${many}`;
  else pill.textContent = count ? shown : "See what is new";
  pill.hidden = !count && !more;
}

function tell(missed = {}) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ seq: seen, ...missed }));
}

function greet({ seq, state: current, at }) {
  // Send the seq that the page was rendered with, so that the server counts newer items.
  seen ??= Number(list()?.dataset.seq ?? seq);
  if (greetedAt === null) tell();
  else tell({ since: greetedAt, ...(current !== state && { counts: true }) });
  greetedAt ??= at ?? null;
  state = current;
}

// Shows the alert of a followed term once, above the list, without moving the list.
function alertOf({ id, label, term, explanation }) {
  if (alerts.has(id)) return;
  alerts.add(id);
  const note = document.createElement("p");
  const link = document.createElement("a");
  note.className = "message";
  note.setAttribute("role", "status");
  link.href = `/trends/${encodeURIComponent(term)}/`;
  link.textContent = label;
  note.append(link, `: ${explanation}`);
  list().before(note);
}

// Inserts rows above those that are shown, and returns their number. The row that the reader is at
// does not move.
function insert(fresh) {
  const shown = new Map(rowsIn(list()).map((row) => [row.dataset.row, row]));
  const added = [];
  for (const row of rowsIn(fresh)) {
    const old = shown.get(row.dataset.row);
    if (!old) added.push(row);
    else if (!old.matches(".is-current, .row-lead, :focus-within")) replaceMeta(old, row);
  }
  for (const row of added) row.classList.remove("row-lead");
  const anchor = document.querySelector("[data-row].is-current, [data-row]:focus-within") ??
    (scrollY > 80 ? rowsIn(list()).find((row) => row.getBoundingClientRect().top > 60) : null);
  const before = anchor?.getBoundingClientRect().top;
  if (list().matches("ol")) list().prepend(...added);
  else if (added.length) newest().append(...added);
  for (const row of added) window.htmx?.process(row);
  if (anchor) scrollBy({ top: anchor.getBoundingClientRect().top - before, behavior: "instant" });
  return added.length;
}

// A story that got another article shows its new coverage.
function replaceMeta(old, row) {
  const [shown, fresh] = [old, row].map((one) => one.querySelector(".row-meta"));
  if (shown && fresh && !shown.querySelector("details[open]")) shown.replaceWith(fresh);
}

// The rows of the section above all others, which has the stories that came since the page was opened.
function newest() {
  const rows = document.querySelector("#list > .is-newest > .rows");
  if (rows) return rows;
  const section = document.createElement("section");
  section.className = "is-newest";
  section.setAttribute("aria-label", "New");
  section.innerHTML = "<h2 class='section-head'><span>New</span></h2><ol class='rows'></ol>";
  list().prepend(section);
  return section.querySelector(".rows");
}

async function loadNew() {
  // A long list that "Back" shows begins later: new rows above it would hide those between.
  const gap = list().querySelector("[data-newest] a");
  if (gap) {
    location.assign(gap.href);
    return;
  }
  pill.disabled = true;
  try {
    const headers = { Accept: "text/html" };
    if (position) headers["X-Position"] = position;
    const answer = await ask(location.href, { headers });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("#list");
    const isFirst = !rowsIn(list()).length && fresh && rowsIn(fresh).length;
    if (!fresh || isFirst) throw new Error(answer.status);
    const added = insert(document.adoptNode(fresh));
    if (!added) say(isFiltered ? `No new ${pill.dataset.counts} match this filter.` : "The list is up to date.");
    list().dataset.seq = fresh.dataset.seq;
    seen = Number(fresh.dataset.seq);
    pill.hidden = true;
    tell();
    refresh();
  } catch (error) {
    // A reload without a connection would lose the page that the reader has.
    if (isLost(error) || error.status) complain(error, "Not loaded", loadNew);
    else location.reload();
  } finally {
    pill.disabled = false;
  }
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}/ws/`);
  socket.addEventListener("message", ({ data }) => {
    wait = 1000;
    const event = JSON.parse(data);
    if (event.kind === "new") {
      // The LSN of the primary: a lagging replica must not answer the next request.
      position = event.position ?? "";
      show(event);
    }
    if (event.kind === "trend") alertOf(event);
    if (event.kind === "counts") {
      state = event.state;
      for (const place of document.querySelectorAll("[data-count=all]")) place.textContent = event.unread || "";
    }
    if (event.kind !== "hello") return;
    // Another reader may have signed in.
    if (sessionEnded) refresh();
    sessionEnded = false;
    greet(event);
  });
  socket.addEventListener("close", ({ code }) => {
    // Reconnect once after the session ended: a password change gives this browser a new session.
    if (sessionEnded) return;
    sessionEnded = code === 4401;
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  });
}

if (pill) {
  pill.addEventListener("click", loadNew);
  connect();
  // A page with an open socket cannot be kept by the browser for "Back".
  addEventListener("pagehide", () => { sessionEnded = true; socket.close(); });
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    sessionEnded = false;
    connect();
  });
}

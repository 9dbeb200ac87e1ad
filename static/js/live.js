// Updates the "4 new" button when items arrive, and loads them on a click.
const pill = document.querySelector("#new-pill");
const list = () => document.querySelector("#list");
let seen = null;
let wait = 1000;
let socket = null;
let position = "";
let sessionEnded = false;

// If `more` is true, the counts are lower bounds: the server stops counting at a thousand.
function show({ items, stories, more }) {
  const count = pill.dataset.counts === "items" ? items : stories || items;
  const shown = `${count.toLocaleString("en")}${more ? "+" : ""} new`;
  pill.textContent = count ? shown : "See what is new";
  pill.hidden = !count && !more;
}

function tell() {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ seq: seen }));
}

// Shows the alert of a followed term once, above the list, without moving the list.
function alertOf({ label, term, explanation }) {
  const note = document.createElement("p");
  const link = document.createElement("a");
  note.className = "message";
  note.setAttribute("role", "status");
  link.href = `/trends/${encodeURIComponent(term)}/`;
  link.textContent = label;
  note.append(link, `: ${explanation}`);
  list().before(note);
}

async function takeIn() {
  pill.disabled = true;
  try {
    const headers = { Accept: "text/html" };
    if (position) headers["X-Position"] = position;
    const answer = await fetch(location.href, { headers });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("#list");
    if (!answer.ok || !fresh) throw new Error(answer.status);
    list().replaceWith(document.adoptNode(fresh));
    window.htmx?.process(fresh);
    seen = Number(fresh.dataset.seq);
    pill.hidden = true;
    tell();
    fresh.querySelector("[data-open]")?.focus({ preventScroll: true });
    window.scrollTo({ top: 0 });
  } catch {
    location.reload();
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
    if (event.kind !== "hello") return;
    sessionEnded = false;
    // Send the seq that the page was rendered with, so that the server counts newer items.
    seen ??= Number(list()?.dataset.seq ?? event.seq);
    tell();
  });
  socket.addEventListener("close", ({ code }) => {
    // Reconnect once after the session ended: a password change gives this browser a new session.
    if (sessionEnded) return;
    sessionEnded = code === 4401;
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, 60000);
  });
}

if (pill) {
  pill.addEventListener("click", takeIn);
  connect();
}

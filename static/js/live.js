// Keeps the "4 new" pill in step with what arrives, and takes it in on a click.
const pill = document.querySelector("#new-pill");
const list = () => document.querySelector("#list");
let seen = null;
let wait = 1000;
let socket = null;
let position = "";
let sessionEnded = false;

// With `more` the counts are the least that there is: the server stops counting at a thousand.
function show({ items, stories, more }) {
  const count = pill.dataset.counts === "items" ? items : stories || items;
  const shown = `${count.toLocaleString("en")}${more ? "+" : ""} new`;
  pill.textContent = count ? shown : "See what is new";
  pill.hidden = !count && !more;
}

function tell() {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ seq: seen }));
}

// A term that the reader follows bursts: said once, above the list, which stays where it is.
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
      // How far the database had come: a replica that is behind must not answer.
      position = event.position ?? "";
      show(event);
    }
    if (event.kind === "trend") alertOf(event);
    if (event.kind !== "hello") return;
    sessionEnded = false;
    // The page says what it was rendered with; what came since then is new to it.
    seen ??= Number(list()?.dataset.seq ?? event.seq);
    tell();
  });
  socket.addEventListener("close", ({ code }) => {
    // One more try after the session ended: a new password gives this browser a new session.
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

// Shows the progress of writing an edition, and loads the new edition when it is written.
const status = document.querySelector("[data-writing]");
const PAUSE = 3000;
let done = false;

// A lagging replica may answer with an older page, so the page waits before it asks again.
function reload() {
  done = true;
  setTimeout(() => location.replace(location.pathname), Math.max(0, PAUSE - performance.now()));
}

function show(event) {
  if (event.kind === "written") {
    if (!done) reload();
    return;
  }
  status.textContent = event.text;
  status.classList.toggle("is-failed", event.kind === "failed");
}

async function ask() {
  if (done) return;
  try {
    const answer = await fetch(status.dataset.writing, { headers: { Accept: "application/json" } });
    if (answer.redirected) return; // to the sign-in page
    if (answer.ok) show(await answer.json());
  } catch {
    // The server may be unavailable for a moment.
  }
  setTimeout(ask, PAUSE);
}

if (status) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${status.dataset.socket}`);
  socket.addEventListener("message", ({ data }) => show(JSON.parse(data)));
  socket.addEventListener("close", () => setTimeout(ask, PAUSE));
}

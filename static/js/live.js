// Keeps the "4 new" pill in step with what arrives; comes again after a break.
const pill = document.querySelector("#new-pill");
let seen = null;
let wait = 1000;

function show({ items, stories }) {
  const count = pill.dataset.counts === "items" ? items : stories || items;
  pill.textContent = `${count} new`;
  pill.hidden = count === 0;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/ws/`);
  socket.addEventListener("message", ({ data }) => {
    wait = 1000;
    const event = JSON.parse(data);
    if (event.kind === "new") show(event);
    if (event.kind !== "hello") return;
    // The page knows what it was rendered with; else what it met first counts.
    seen ??= Number(pill.dataset.seq || event.seq);
    if (seen < event.seq) socket.send(JSON.stringify({ seq: seen }));
  });
  socket.addEventListener("close", ({ code }) => {
    if (code === 4401) return;
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, 60000);
  });
}

if (pill) connect();

// On touch screens, a swipe to the right saves a row, and one to the left marks it as read.
// Both can be taken back with the same swipe. The menu of the row has the same actions.
const FAR = 72;
let start = null;

function move(event) {
  if (!start) return;
  const x = event.clientX - start.x;
  const y = event.clientY - start.y;
  if (!start.isSwipe && (Math.abs(y) > 12 || Math.abs(x) < 12)) {
    if (Math.abs(y) > 12) start = null;
    return;
  }
  start.isSwipe = true;
  start.distance = x;
  start.row.style.translate = `${Math.max(Math.min(x, 110), -110)}px 0`;
}

function end() {
  if (!start) return;
  const { row, distance = 0 } = start;
  row.style.translate = "";
  start = null;
  if (Math.abs(distance) < FAR) return;
  row.querySelector(`.acts > [data-key=${distance > 0 ? "s" : "m"}]`)?.click();
  // The browser may take the end of the swipe for a click on the title.
  const stop = (event) => { if (event.target.closest("a")) event.preventDefault(); };
  row.addEventListener("click", stop, { capture: true });
  setTimeout(() => row.removeEventListener("click", stop, { capture: true }), 50);
}

document.addEventListener("pointerdown", (event) => {
  // The sheet of the menu lies in the row, and a row that moves would take it along.
  const row = event.target.closest?.(".acts") ? null : event.target.closest?.("#list li[data-row]");
  if (row && event.pointerType === "touch") start = { row, x: event.clientX, y: event.clientY };
});
document.addEventListener("pointermove", move);
document.addEventListener("pointerup", end);
document.addEventListener("pointercancel", () => {
  if (start) start.row.style.translate = "";
  start = null;
});

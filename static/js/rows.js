// The states of rows: changes them, and copies them from a newer page of the server.
const FLAGS = ["read", "saved"];

export const rowsIn = (place) => [...place.querySelectorAll("[data-row]")];
const rowsOf = (id) => document.querySelectorAll(`[data-row="${CSS.escape(id)}"]`);

function count(source, change) {
  for (const place of document.querySelectorAll(`[data-count="all"], [data-count="${source}"]`)) {
    const now = Number(place.textContent.replace(/\D/g, "")) + change;
    place.textContent = now > 0 ? now : "";
  }
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

// Changes a row, or the page of an item or a story, to a new state.
export function apply({ id, name, on }) {
  for (const row of rowsOf(id)) {
    if (name === "read" && id.startsWith("item-") && row.matches("li")) {
      if (row.classList.contains("is-read") !== on) count(row.dataset.source, on ? -1 : 1);
    }
    if (FLAGS.includes(name)) row.classList.toggle(`is-${name}`, on);
    const isGone = name === "hidden" || name === "less";
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

// Copies the states of the rows that `page` has too, and its counts of unread items.
export function copyStates(page) {
  const fresh = new Map(rowsIn(page.querySelector("#list")).map((row) => [row.dataset.row, row]));
  for (const { dataset: { row: id } } of rowsIn(document.querySelector("#list"))) {
    for (const name of fresh.has(id) ? FLAGS : []) apply({ id, name, on: fresh.get(id).matches(`.is-${name}`) });
  }
  for (const { dataset, textContent } of page.querySelectorAll("[data-count]")) {
    const place = document.querySelector(`[data-count="${dataset.count}"]`);
    if (place) place.textContent = textContent;
  }
}

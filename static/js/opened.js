// Reports that a link to another site was opened, by click or by key. Reports may be lost.
const token = () => document.querySelector("#act [name=csrfmiddlewaretoken]")?.value;

export function reportOpened(link) {
  if (!link.dataset.opened) return;
  const body = new FormData();
  body.set("csrfmiddlewaretoken", token() ?? "");
  navigator.sendBeacon(link.dataset.opened, body);
}

function clicked({ target, button }) {
  const link = target.closest?.("a[data-opened]");
  if (link && button <= 1) reportOpened(link);
}

document.addEventListener("click", clicked);
document.addEventListener("auxclick", clicked);

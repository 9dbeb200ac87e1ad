// Reports that a link to another site was followed, by click or by key. Best effort: a report
// that is lost does no harm.
const token = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"];

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

// Says that a link out of the product was followed. Best effort: what does not arrive is no loss.
const token = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"];

function said({ target, button }) {
  const link = target.closest?.("a[data-opened]");
  if (!link || button > 1) return;
  const body = new FormData();
  body.set("csrfmiddlewaretoken", token() ?? "");
  navigator.sendBeacon(link.dataset.opened, body);
}

document.addEventListener("click", said);
document.addEventListener("auxclick", said);

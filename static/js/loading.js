// What htmx could not load, such as older rows, is loaded again when the connection is back, or by a
// button. What is asked for every few seconds needs neither.
import { complain } from "./acts.js";

let failed = null;

function retry() {
  if (failed?.isConnected) window.htmx.trigger(failed, "retry");
  failed = null;
}

function lost({ detail: { elt, xhr } }) {
  if (!elt.getAttribute("hx-trigger")?.includes("retry")) return;
  failed = elt;
  complain({ status: xhr.status, wait: xhr.getResponseHeader("Retry-After") }, "Not loaded", retry);
}

for (const name of ["sendError", "timeout", "responseError"]) document.addEventListener(`htmx:${name}`, lost);
addEventListener("online", retry);

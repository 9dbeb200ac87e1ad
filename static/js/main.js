// The scripts of every page. What they import is listed too, so that it loads at the same time.
import "./browser.js";
import "./rows.js";
import { complain } from "./acts.js";
import "./back.js";
import "./keys.js";
import "./live.js";

// Only pages of a story or an item have something to share, and only touch screens have swipes.
if (document.querySelector("a[data-share]")) import("./share.js");
if (matchMedia("(any-pointer: coarse)").matches) import("./swipe.js");

// What htmx could not load, such as older rows, is loaded again when the connection is back, or by a
// button. What is asked for every few seconds needs neither.
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

// A picture that fails leaves no broken box, even if it failed before this script was loaded.
const PICTURES = "img.row-image, .prose img";
document.addEventListener("error", ({ target }) => {
  if (target.matches?.(PICTURES)) target.remove();
}, true);
for (const picture of document.querySelectorAll(PICTURES)) {
  if (picture.complete && !picture.naturalWidth) picture.remove();
}

// Wide tables and code scroll by keyboard too.
for (const block of document.querySelectorAll(".prose :is(pre, table)")) {
  if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
}

// One menu is open at a time, and closes when something else is used.
document.addEventListener("click", ({ target }) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target) || target.closest(".sheet .act, .sheet a")) menu.open = false;
  }
});

// The service worker shows a page of ours when the site can't be reached.
navigator.serviceWorker?.register("/worker.js").catch(() => { /* the next page tries again */ });

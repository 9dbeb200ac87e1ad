// The scripts of every page. What they import is listed too, so that it loads at the same time.
import "./store.js";
import "./net.js";
import "./rows.js";
import "./acts.js";
import "./back.js";
import "./keys.js";
import "./loading.js";
import "./live.js";
import "./swipe.js";

// Only pages of a story or an item have something to share.
if (document.querySelector("a[data-share]")) import("./share.js");

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

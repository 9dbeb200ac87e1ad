// "Share" copies the address of its link. Without JavaScript it is a plain link.
import { say } from "./acts.js";

// Browsers offer the clipboard to pages over HTTPS only. Elsewhere a selection is copied.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (!isCopied) throw new Error("not copied");
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-share]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    await copy(link.href);
    say("Address copied.");
  } catch {
    say(`The browser did not copy the address: ${link.href}`);
  }
  link.focus();
});

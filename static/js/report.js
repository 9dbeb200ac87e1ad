// Sends a report without leaving the page until the server has it, so that a lost connection loses
// nothing of what was chosen and written.
const form = document.querySelector("form[data-report]");
const TIMEOUT = 15000;

async function send(event) {
  event.preventDefault();
  const button = form.querySelector("button");
  const place = form.querySelector("[role=alert]");
  place.textContent = "";
  button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (answer.redirected) throw new Error("signed out");
    const { url, problem } = await answer.json();
    if (url) location.assign(url);
    else place.textContent = problem;
  } catch (error) {
    place.textContent = error instanceof TypeError || error.name === "TimeoutError"
      ? "Not sent: there is no connection to the server. Send it again when there is."
      : "Not sent: the server refused it. Sign in again in another tab, then send it again.";
  } finally {
    button.disabled = false;
    if (place.textContent) place.scrollIntoView({ block: "nearest" });
  }
}

form?.addEventListener("submit", send);

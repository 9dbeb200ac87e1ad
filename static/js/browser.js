// Requests of scripts with the reasons for which they fail, and storage, which the browser may deny.
const TIMEOUT = 15000;

export class Refused extends Error {
  constructor({ status, redirected, headers }) {
    super(status);
    this.status = redirected ? 401 : status; // to the sign-in page
    this.wait = headers.get("Retry-After");
  }
}

// Sends a request as the reader of this page. If another one has signed in, the page is loaded again.
export async function ask(address, options = {}) {
  const headers = { Accept: "application/json", "X-Reader": document.body.dataset.reader, ...options.headers };
  const answer = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT), ...options, headers });
  if (answer.headers.has("HX-Refresh")) location.reload();
  if (!answer.ok || answer.redirected) throw new Refused(answer);
  return answer;
}

// Whether no answer came: the connection is lost, or the server takes too long.
export const isLost = (error) => error instanceof TypeError || error.name === "TimeoutError" || error.status === 0;

const signIn = () => location.assign(`/signin/?next=${encodeURIComponent(location.pathname + location.search)}`);

// Returns why a request failed, and the label and function of a button that helps.
export function explain(error, again) {
  const { status, wait } = error;
  const when = wait > 0 ? `in ${wait} second${wait === "1" ? "" : "s"}` : "in a moment";
  if (isLost(error)) return ["there is no connection to the server.", "Try again", again];
  if (status === 401) return ["you are signed out.", "Sign in", signIn];
  if (status === 429) return [`there were too many requests. Try again ${when}.`, "Try again", again];
  if (status === 500) return ["something broke on the server. Try again in a moment.", "Try again", again];
  if (status > 500) return [`the server is busy. Try again ${when}.`, "Try again", again];
  return ["the server refused it. Reload the page and try again.", "Reload", () => location.reload()];
}

// Returns the value that was stored, or null.
export function load(storage, key) {
  try {
    return JSON.parse(window[storage].getItem(key));
  } catch {
    return null;
  }
}

// Returns whether the value was stored. `undefined` removes it.
export function save(storage, key, value) {
  try {
    if (value === undefined) window[storage].removeItem(key);
    else window[storage].setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

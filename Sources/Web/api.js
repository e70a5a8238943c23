// Requests to the sidecar. The token lives in this tab's session storage and goes nowhere else.

const store = "costgauge-token";

export class Refusal extends Error {
  /** `kind`: missing (no such path), denied, signin, down or fault. */
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

let askForToken = () => {};
export function onSignIn(ask) { askForToken = ask; }
export function setToken(token) { sessionStorage.setItem(store, token); }

async function send(method, path, priority) {
  const token = sessionStorage.getItem(store);
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    // "omit" keeps the browser from asking for a password in a window of its own when the answer is 401.
    response = await fetch(path, { method, headers, priority, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(20000) });
  } catch {
    throw new Refusal("down", "costgauge does not answer");
  }
  const text = await response.text();
  let body;
  try { body = JSON.parse(text); } catch { body = text; }
  if (response.ok) return body;
  const message = body?.error?.message ?? `the answer was ${response.status}`;
  if (response.status === 401) {
    askForToken(token ? "That token is not known here." : "");
    throw new Refusal("signin", message);
  }
  const kind = response.status === 403 ? "denied" : response.status === 404 || response.status === 405 ? "missing" : "fault";
  throw new Refusal(kind, message);
}

/** Absent values are left out. A browser asks for few things at a time: `priority` says what comes first. */
export function get(path, parameters = {}, priority = "auto") {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "" && value !== null));
  return send("GET", query.size ? `${path}?${query}` : path, priority);
}

export const post = (path) => send("POST", path);

/** What a part shows instead of data when its request failed. */
export function words(error) {
  if (!(error instanceof Refusal)) throw error;
  return {
    missing: "This costgauge does not offer it.",
    denied: "Your token may not see this.",
    signin: "Sign in to see this.",
    down: "costgauge does not answer. The page tries again by itself.",
    fault: error.message,
  }[error.kind];
}

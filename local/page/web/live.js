/** Receives what happens on the stack, as it happens; see sse.py. */

import { byId } from "./dom.js";
import { now, timeOfDay } from "./times.js";

const AGAIN_MS = 2_000;
const connection = byId("connection");
const offline = byId("offline");
const listeners = new Map();
let source = null;
let run = "";
let seen = 0;

/** Calls the listener with every message of that name, including earlier ones. */
export function hear(name, listener) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(listener);
}

/** Connects while the page is visible. Call it once all listeners are registered. */
export function begin() {
  document.addEventListener("visibilitychange", follow);
  follow();
}

/** Browsers share six connections per server among all tabs, so a hidden tab closes its own. */
function follow() {
  if (!document.hidden) {
    source ??= connect();
  } else if (source) {
    source.close();
    source = null;
    show("waiting", "Paused");
  }
}

/** The browser reconnects by itself, unless the response was not a stream. */
function connect() {
  const opened = new EventSource("/events");
  for (const name of listeners.keys()) opened.addEventListener(name, take);
  // Earlier messages come first. Until all of them have arrived, the page may be out of date.
  opened.addEventListener("up-to-date", () => show("live", "Live"));
  opened.addEventListener("error", () => {
    show("lost", "Not connected, trying again");
    if (opened.readyState !== EventSource.CLOSED) return;
    source = null;
    setTimeout(follow, AGAIN_MS);
  });
  return opened;
}

function take({ type, data, lastEventId }) {
  const [named, number] = lastEventId.split("-");
  if (run && named !== run) {
    location.reload(); // the stack was restarted, at other addresses
    return;
  }
  run = named;
  if (Number(number) <= seen) return;
  seen = Number(number);
  for (const listener of listeners.get(type)) listener(JSON.parse(data));
}

/** Without a connection, live cards are grey and the foot of the window says so. */
function show(state, says) {
  connection.dataset.state = state;
  connection.textContent = says;
  document.body.dataset.connection = state;
  if (state === "live") offline.textContent = "";
  if (state !== "lost" || offline.textContent) return;
  offline.textContent = `Not connected since ${timeOfDay(now())}: grey parts may be out of date.`;
}

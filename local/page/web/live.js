/** What happens on the stack, as it happens; see live.py. */

import { byId } from "./dom.js";
import { now, timeOfDay } from "./times.js";

const AGAIN_MS = 2_000;
const connection = byId("connection");
const offline = byId("offline");
const listeners = new Map();
let source = null;
let run = "";
let seen = 0;

/** Hears of every message of a name, those that were kept included. */
export function hear(name, listener) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(listener);
}

/** Connects, once all who want to hear have said so, and while somebody looks at the page. */
export function begin() {
  document.addEventListener("visibilitychange", follow);
  follow();
}

/** A browser has six connections to a server for all of its tabs: one in the back needs none. */
function follow() {
  if (!document.hidden) {
    source ??= connect();
  } else if (source) {
    source.close();
    source = null;
    show("waiting", "Paused");
  }
}

/** A browser connects again by itself, unless the answer was no stream. */
function connect() {
  const opened = new EventSource("/events");
  for (const name of listeners.keys()) opened.addEventListener(name, take);
  // What happened before comes first. Until all of it is heard, what is shown may be old.
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
    location.reload(); // the stack was started again, at other addresses
    return;
  }
  run = named;
  if (Number(number) <= seen) return;
  seen = Number(number);
  for (const listener of listeners.get(type)) listener(JSON.parse(data));
}

/** Cards that show what happens are grey while nothing is heard; the window's foot says so. */
function show(state, says) {
  connection.dataset.state = state;
  connection.textContent = says;
  document.body.dataset.connection = state;
  if (state === "live") offline.textContent = "";
  if (state !== "lost" || offline.textContent) return;
  offline.textContent = `Not connected since ${timeOfDay(now())}: what is grey may have changed.`;
}

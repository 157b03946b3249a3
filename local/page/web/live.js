/** What happens on the stack, as it happens; see live.py. */

import { byId } from "./dom.js";

const AGAIN_MS = 2_000;
const connection = byId("connection");
const listeners = new Map();
let run = "";
let seen = 0;

/** Hears of every message of a name, those that were kept included. */
export function hear(name, listener) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(listener);
}

/** Connects, once all who want to hear have said so. A browser connects again by itself. */
export function begin() {
  const source = new EventSource("/events");
  for (const name of listeners.keys()) source.addEventListener(name, take);
  source.addEventListener("open", () => show("live", "Live"));
  source.addEventListener("error", () => {
    show("lost", "Not connected, trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(begin, AGAIN_MS);
  });
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

function show(state, says) {
  connection.dataset.state = state;
  connection.textContent = says;
}

/** Results that were true when they were shown: each has its time, and is struck out later. */

import { element, say } from "./dom.js";
import { hear } from "./live.js";
import { now, timeOfDay } from "./times.js";

const shown = new Set();
const listeners = [];
let last;

/** Shows a result with its time. It is struck out once a secret was reset or has changed. */
export function report(place, kind, ...children) {
  say(place, kind, stamp(now()), element("div", {}, ...children));
  shown.add(place);
}

/** The time of a result. */
export const stamp = (moment) => element("time", { class: "stamp" }, timeOfDay(moment));

/** Calls the listener when the secret in use, or the secrets that ZEGO accepts, have changed. */
export const onSecretChange = (listener) => listeners.push(listener);

/** The secret in use: the version that encrypts new tokens. */
export const inUse = ({ versions }) => versions.find(({ labels }) => labels.includes("AWSCURRENT"));

hear("secret", (secret) => {
  const state = [inUse(secret)?.fingerprint, ...(secret.accepted ?? [])].join();
  const isChange = last !== undefined && state !== last;
  last = state;
  if (!isChange) return;
  for (const place of shown) strike(place);
  shown.clear();
  for (const listener of listeners) listener();
});

/** Strikes out a result; what replaces it is not struck. */
function strike(place) {
  if (!place.querySelector(":scope > .stamp")) return; // it has been replaced or removed
  place.classList.add("outdated");
  const since = ["Out of date: the secrets have changed at ", timeOfDay(now()), "."];
  place.append(element("p", { class: "since" }, ...since));
}

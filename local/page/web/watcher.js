/** The watcher: what its last look found. */

import { byId, doing, element, fingerprint, say } from "./dom.js";
import { hear } from "./live.js";
import { operate } from "./stack.js";
import { timeOfDay } from "./times.js";

const place = byId("looked");

doing(byId("look"), place, async () => {
  say(place, "waiting", "It looks.");
  await operate("look");
});

hear("look", ({ at, verdict, fingerprint: digits, code, reason, action }) => {
  const kind = { accepted: "good", rejected: "refused" }[verdict] ?? "waiting";
  const found = [
    `${timeOfDay(at)}: AWSCURRENT, `,
    fingerprint(digits),
    ", is ",
    element("strong", {}, verdict),
    ".",
  ];
  const why = ` ${capital(reason)}${code == null ? "" : ` (code ${code})`}.`;
  say(
    place,
    kind,
    element("p", {}, ...found, verdict !== "accepted" && why),
    action && element("p", {}, action),
  );
});

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** The watcher: what its last look found. */

import { byId, doing, element, fingerprint, say } from "./dom.js";
import { hear } from "./live.js";
import { operate, stack } from "./stack.js";
import { age, timeOfDay } from "./times.js";

const place = byId("looked");

const every = stack.watch_seconds;
byId("watched").prepend(every ? `Every ${age(every)}, and after` : "After");

doing(byId("look"), place, async () => {
  say(place, "waiting", "It looks.");
  await operate("look");
});

hear("watcher", ({ at, verdict, fingerprint: digits, code, reason, action }) => {
  const kind = { accepted: "good", rejected: "refused" }[verdict] ?? "waiting";
  const which = digits ? ["AWSCURRENT, ", fingerprint(digits)] : ["AWSCURRENT"];
  const why = ` ${capital(reason)}${code == null ? "" : ` (code ${code})`}.`;
  say(
    place,
    kind,
    element("p", {}, `${timeOfDay(at)}: `, ...found(verdict, which), verdict !== "accepted" && why),
    action && element("p", {}, action),
  );
});

/** Without a value there is nothing to ask ZEGO about: the reason says it all. */
function found(verdict, which) {
  const hasValue = which.length > 1;
  if (verdict === "failed") return ["The watcher failed."];
  if (verdict === "unknown") return hasValue ? ["ZEGO gave no verdict on ", ...which, "."] : [];
  return [...which, hasValue && ",", " is ", element("strong", {}, verdict), "."];
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

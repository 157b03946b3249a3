/** The watcher: what its last check found. */

import { byId, doing, element, fingerprintAnd, say } from "./dom.js";
import { hear } from "./live.js";
import { operate, stack } from "./stack.js";
import { interval, timeOfDay } from "./times.js";

const place = byId("looked");

const every = stack.watch_seconds;
byId("watched").prepend(every ? `Every ${interval(every)}, and after` : "After");

doing(byId("look"), place, async () => {
  say(place, "waiting", "Checking.");
  await operate("look");
});

hear("watcher", ({ at, verdict, fingerprint: digits, code, reason, action }) => {
  const kind = { accepted: "good", rejected: "refused" }[verdict] ?? "waiting";
  const why = ` ${capital(reason)}${code == null ? "" : ` (code ${code})`}.`;
  say(
    place,
    kind,
    element(
      "p",
      {},
      `${timeOfDay(at)}: `,
      ...found(verdict, digits),
      verdict !== "accepted" && why,
    ),
    action && element("p", {}, action),
  );
});

/** Without a value there is nothing to ask ZEGO about; the reason is shown alone. */
function found(verdict, digits) {
  const which = (mark) => (digits ? ["AWSCURRENT, ", fingerprintAnd(mark, digits)] : "AWSCURRENT");
  if (verdict === "failed") return ["The watcher failed."];
  if (verdict === "unknown") return digits ? ["ZEGO gave no verdict on ", which(".")] : [];
  return [which(","), " is ", element("strong", {}, verdict), "."];
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** The watcher: what its last check found. */

import { inUse, stamp } from "./answers.js";
import { byId, doing, element, fingerprintAnd, say } from "./dom.js";
import { hear } from "./live.js";
import { operate, stack } from "./stack.js";
import { interval } from "./times.js";

const place = byId("looked");

const every = stack.watch_seconds;
byId("watched").prepend(every ? `Every ${interval(every)}, and after` : "After");

doing(byId("look"), place, async () => {
  say(place, "waiting", "Checking.");
  await operate("look");
});

let found = null;
let secret = null;

hear("watcher", (said) => {
  found = said;
  const { at, verdict, fingerprint: digits, code, reason, action } = said;
  const kind = { accepted: "good", rejected: "refused" }[verdict] ?? "waiting";
  const why = ` ${capital(reason)}${code == null ? "" : ` (code ${code})`}.`;
  const result = element("p", {}, ...resultOf(verdict, digits), verdict !== "accepted" && why);
  say(place, kind, stamp(at), result, action && element("p", {}, action));
  strike();
});

hear("secret", (said) => {
  secret = said;
  strike();
});

/** Strikes the result out if it is about another secret, or if ZEGO has changed its verdict. */
function strike() {
  if (!found || !secret?.accepted || found.fingerprint == null) return;
  const isAccepted = secret.accepted.includes(found.fingerprint);
  const isSame = inUse(secret)?.fingerprint === found.fingerprint;
  const isVerdict = found.verdict === "accepted" || found.verdict === "rejected";
  const isOld = isVerdict && (!isSame || isAccepted !== (found.verdict === "accepted"));
  place.classList.toggle("outdated", isOld);
}

/** Without a value there is nothing to ask ZEGO about; the reason is shown alone. */
function resultOf(verdict, digits) {
  const which = (mark) =>
    digits ? ["the secret in use, ", fingerprintAnd(mark, digits)] : "the secret in use";
  if (verdict === "failed") return ["The watcher failed."];
  if (verdict === "unknown") return digits ? ["ZEGO gave no verdict on ", which(".")] : [];
  return ["ZEGO ", element("strong", {}, verdict), " ", which(".")];
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** ZEGO's console, where a person makes a new ServerSecret. */

import { byId, doing, fingerprintAnd, say } from "./dom.js";
import { hear } from "./live.js";
import { operate } from "./stack.js";

const form = byId("reset");
const place = byId("reset-done");
const { keep } = form.elements;
/** What ZEGO accepts, as last heard; what it did before the last reset here, and what that left. */
let [heard, before, left] = ["", null, null];

doing(form, place, async () => {
  const isKept = keep.checked;
  say(place, "waiting", "Resetting.");
  [before, left] = [heard, null];
  const { accepted } = await operate("reset", { keep_old: isKept });
  left = accepted.join();
  say(place, "good", isKept ? "Reset; the old one was kept." : "Reset; the old one has ended.");
  forgetOther();
});

hear("secret", ({ accepted }) => {
  const others = accepted.length - 1;
  say(
    byId("console-shows"),
    "",
    "The console shows ",
    fingerprintAnd(".", accepted.at(-1)),
    others > 0 && ` ZEGO accepts ${others} older beside it.`,
  );
  heard = accepted.join();
  forgetOther();
});

/** What was said of the last reset goes with what that left; what is heard may be older. */
function forgetOther() {
  if (heard === left) {
    before = null;
  } else if (left !== null && heard !== before) {
    left = null;
    say(place, "");
  }
}

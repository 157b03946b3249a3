/** ZEGO's console, where a person makes a new ServerSecret. */

import { byId, doing, fingerprintAnd, say } from "./dom.js";
import { hear } from "./live.js";
import { operate } from "./stack.js";

const form = byId("reset");
const place = byId("reset-done");
const { keep } = form.elements;
/** What ZEGO accepts: by the last message, before the last reset made here, and after it. */
let [heard, before, left] = ["", null, null];

doing(form, place, async () => {
  const isKept = keep.checked;
  say(place, "waiting", "Resetting.");
  [before, left] = [heard, null];
  const { accepted } = await operate("reset", { keep_old: isKept });
  left = accepted.join();
  say(place, "good", `Reset. The old ServerSecret ${isKept ? "still" : "no longer"} works.`);
  forgetOther();
});

hear("secret", ({ accepted }) => {
  const others = accepted.length - 1;
  say(
    byId("console-shows"),
    "",
    "The console shows ",
    fingerprintAnd(".", accepted.at(-1)),
    others > 0 && ` ZEGO also accepts ${others} older.`,
  );
  heard = accepted.join();
  forgetOther();
});

/** Removes the message about the last reset once ZEGO accepts something else; messages may lag. */
function forgetOther() {
  if (heard === left) {
    before = null;
  } else if (left !== null && heard !== before) {
    left = null;
    say(place, "");
  }
}

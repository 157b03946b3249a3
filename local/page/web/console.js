/** ZEGO's console, where a person makes a new ServerSecret. */

import { byId, doing, fingerprint, say } from "./dom.js";
import { hear } from "./live.js";
import { operate } from "./stack.js";

const form = byId("reset");
const place = byId("reset-done");
const { keep } = form.elements;

doing(form, place, async () => {
  const isKept = keep.checked;
  say(place, "waiting", "Resetting.");
  await operate("reset", { keep_old: isKept });
  say(place, "good", isKept ? "Reset; the old one was kept." : "Reset; the old one has ended.");
});

hear("secret", ({ accepted }) => {
  const others = accepted.length - 1;
  say(
    byId("console-shows"),
    "",
    "The console shows ",
    fingerprint(accepted.at(-1)),
    others > 0 && `. ZEGO accepts ${others} older beside it`,
    ".",
  );
});

/** ZEGO's console, where a person makes a new ServerSecret. */

import { byId, doing, fingerprint, say } from "./dom.js";
import { operate } from "./stack.js";

const form = byId("reset");
const place = byId("reset-done");
const { keep } = form.elements;

doing(form, place, async () => {
  const isKept = keep.checked;
  const { fingerprint: digits } = await operate("reset", { keep_old: isKept });
  const rest = isKept ? "The old one is accepted beside it." : "The old one has ended.";
  say(place, "good", "The console shows ", fingerprint(digits), `. ${rest}`);
});

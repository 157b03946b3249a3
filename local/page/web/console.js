/** ZEGO's console, where a person makes a new ServerSecret. */

import { allow, byId, doing, fingerprintAnd, say } from "./dom.js";
import { hear } from "./live.js";
import { isMine, operate } from "./stack.js";

const form = byId("reset");
const place = byId("reset-done");
const dialog = byId("confirm");

doing(form, place, async () => {
  const isKept = form.elements.keep.checked;
  if (!isKept && !(await isConfirmed())) return;
  say(place, "");
  await operate("reset", { keep_old: isKept });
});

if (isMine) allow(byId("reset-button"), "This is your own ZEGO project: reset it at ZEGO's console.");

hear("secret", ({ accepted }) => {
  if (isMine) return;
  const others = accepted.length - 1;
  const older = others > 0 && ` ZEGO also accepts ${others} older.`;
  say(byId("console-shows"), "", "It shows ", fingerprintAnd(".", accepted.at(-1)), older);
});

/** Asks before every new login is broken. Resolves to whether the user agrees. */
function isConfirmed() {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => resolve(dialog.returnValue === "reset");
    dialog.addEventListener("close", closed, { once: true });
  });
}

for (const button of dialog.querySelectorAll("button")) {
  button.addEventListener("click", () => dialog.close(button.value));
}

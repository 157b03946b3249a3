/** Staging, and rotations with their steps as they happen. */

import { byId, doing, element, fingerprint, say } from "./dom.js";
import { hear } from "./live.js";
import { operate } from "./stack.js";

const STEPS = {
  createSecret: "copies the candidate",
  setSecret: "looks that it fits",
  testSecret: "asks ZEGO whether it accepts it",
  finishSecret: "makes it AWSCURRENT, asks once more",
};
const SIGNS = { waiting: "not yet", began: "running", done: "done", failed: "failed" };
const list = byId("steps");
const place = byId("rotation-done");
let rotation = null;

for (const [id, value] of [
  ["stage", "console"],
  ["stage-mistyped", "mistyped"],
]) {
  doing(byId(id), place, async () => {
    const { fingerprint: digits } = await operate("stage", { value });
    say(place, "good", "Staged under CANDIDATE: ", fingerprint(digits), ".");
  });
}

for (const action of ["rotate", "restore"]) {
  doing(byId(action), place, async () => {
    say(place, "waiting", "Rotating.");
    await operate(action);
  });
}

hear("step", (said) => {
  if (said.rotation !== rotation || (said.step === "createSecret" && said.state === "began")) {
    rotation = said.rotation;
    list.replaceChildren(...Object.keys(STEPS).map((step) => stepOf({ step, state: "waiting" })));
  }
  list.querySelector(`[data-step="${said.step}"]`)?.replaceWith(stepOf(said));
  if (said.state === "failed") say(place, "refused", "Not promoted: AWSCURRENT is as before.");
  if (said.state === "done" && said.step === "finishSecret") {
    say(
      place,
      "good",
      "Promoted. The issuer takes it within a minute, or when a client reports a refusal.",
    );
  }
});

function stepOf({ step, state, seconds, message }) {
  const took = seconds !== undefined && element("small", {}, `${seconds.toFixed(2)} s`);
  return element(
    "li",
    { "data-step": step, "data-state": state, "aria-current": state === "began" && "step" },
    element("span", { class: "sign" }, SIGNS[state]),
    element(
      "div",
      {},
      element("strong", {}, step),
      ` ${STEPS[step]} `,
      took,
      message && element("p", {}, message),
    ),
  );
}

/** Staging, and the last rotation: its steps as they happen, and its outcome. */

import { byId, code, doing, element, fingerprintAnd, say } from "./dom.js";
import { hear } from "./live.js";
import { operate, stack } from "./stack.js";
import { timeOfDay } from "./times.js";

const STEPS = {
  createSecret: "copies the value",
  setSecret: "checks that it belongs to the same AppID",
  testSecret: "asks ZEGO whether it accepts it",
  finishSecret: "makes it AWSCURRENT and asks ZEGO once more",
};
const SIGNS = { waiting: "not yet", began: "running", done: "done", failed: "failed" };
/** The code of operations.py. */
const IN_FLIGHT = "rotation_in_flight";
const list = byId("steps");
const place = byId("rotation-done");
let rotation = null;
let secret = { versions: [], in_flight: null, accepted: [] };
/** Shows the current state, again after each change; null while a request is under way. */
let tell = tellRotation;

for (const [id, value] of [
  ["stage", "console"],
  ["stage-mistyped", "mistyped"],
]) {
  ask(byId(id), "Staging.", async () => {
    const { fingerprint: digits } = await operate("stage", { value });
    tell = tellStaged;
    sayStaged(digits);
  });
}

for (const action of ["rotate", "restore"]) {
  ask(byId(action), "Starting a rotation.", async () => {
    await operate(action); // its steps show the rest
  });
}

hear("rotation", (said) => {
  rotation = said;
  list.replaceChildren(...Object.keys(STEPS).map(stepOf));
  tell = tellRotation;
  tell();
});

hear("secret", (said) => {
  secret = said;
  tell?.();
});

function ask(button, doingIt, work) {
  doing(button, place, async () => {
    tell = null;
    say(place, "waiting", doingIt);
    try {
      await work();
    } catch (error) {
      say(place, "refused", error.message);
      tell = error.code === IN_FLIGHT ? tellInFlight : untilAnotherReset();
      tell();
    }
  });
}

function tellInFlight() {
  if (isStuck()) say(place, "refused", "Not done. ", remedy());
  else if (secret.in_flight === null) tellRotation();
}

/** A message stays until the console shows another value: it may have advised a reset. */
function untilAnotherReset() {
  const shown = secret.accepted.at(-1);
  return () => {
    if (secret.accepted.at(-1) === shown) return;
    tell = tellRotation;
    tell();
  };
}

/** Whether a rotation is in flight although none is running. */
function isStuck() {
  const isRunning = rotation && (!rotation.attempt || rotation.attempt.again);
  return secret.in_flight !== null && !isRunning;
}

const remedy = () => [
  "The last rotation is stuck. To give it up, run ",
  code(stack.unstick),
];

function tellStaged() {
  sayStaged(secret.versions.find(({ labels }) => labels.includes("CANDIDATE"))?.fingerprint);
}

function sayStaged(digits) {
  if (digits) say(place, "good", "Staged under CANDIDATE: ", fingerprintAnd(".", digits));
  else say(place, "", "Nothing is staged.");
}

function tellRotation() {
  say(place, ...(rotation ? outcome(rotation) : [""]));
}

function outcome({ rotation: version, attempt }) {
  if (!attempt) return ["waiting", "Rotating."];
  const { at, number, of, failed, again, is_current: isCurrent } = attempt;
  const when = `${timeOfDay(at)}: `;
  if (!failed) {
    const taken = "The issuer uses it when its cache expires or a client reports a refusal.";
    return ["good", when, `Promoted. ${taken}`];
  }
  const retry = `Secrets Manager retries it (${number + 1} of ${of}).`;
  if (isCurrent) {
    return ["refused", when, "Promoted, but finishSecret failed afterwards. ", again && retry];
  }
  if (again) return ["waiting", `Failed; ${retry}`];
  if (number === of && secret.in_flight === version) {
    return ["refused", when, `Failed ${number} times. `, remedy()];
  }
  const why = "The failed step below shows why. AWSCURRENT has not changed.";
  return ["refused", when, `Not promoted. ${why}`];
}

function stepOf(step) {
  const { state, seconds, message } = rotation.steps[step];
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

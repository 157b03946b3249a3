/** Staging, and the last rotation: its steps as they happen, and its outcome. */

import { inUse, stamp } from "./answers.js";
import { allow, byId, code, doing, element, fingerprintAnd, say } from "./dom.js";
import { hear } from "./live.js";
import { isMine, operate, stack } from "./stack.js";

const STEPS = {
  createSecret: "copies the value",
  setSecret: "checks that it belongs to the same AppID",
  testSecret: "asks ZEGO whether it accepts it",
  finishSecret: "puts it in use and asks ZEGO once more",
};
const SIGNS = { waiting: "not yet", began: "running", done: "done", failed: "failed" };
/** The code of operations.py. */
const IN_FLIGHT = "rotation_in_flight";
/** With an own project the page changes nothing, and never has the value at the console. */
const OWN = {
  stage: "ZEGO is your own project: use zego-token secret stage.",
  rotate: "Use zego-token secret rotate.",
  "stage-mistyped": "ZEGO is your own project.",
  restore: "Use zego-token secret restore.",
};
/** Why an operator cannot do something now, if so: what `zego-token secret` would refuse. */
const WHY_NOT = {
  stage: () => {
    const isCurrent = inUse(secret)?.fingerprint === secret.accepted?.at(-1);
    return isCurrent && "The console's value is in use already. Reset it at the console first.";
  },
  "stage-mistyped": () => null,
  rotate: () => !labelled("CANDIDATE") && "No next secret is stored yet.",
  restore: () => {
    const before = labelled("AWSPREVIOUS");
    if (!before) return "No secret was used before.";
    if (!secret.accepted?.includes(before.fingerprint)) {
      return "ZEGO no longer accepts the secret used before.";
    }
    return before.fingerprint === inUse(secret)?.fingerprint && "It is the secret in use.";
  },
};
const labelled = (label) => secret.versions.find(({ labels }) => labels.includes(label));
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
  ask(byId(id), "Storing it.", async () => {
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
  for (const [id, why] of Object.entries(WHY_NOT)) allow(byId(id), isMine ? OWN[id] : why());
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
  const shown = secret.accepted?.at(-1);
  return () => {
    if (secret.accepted?.at(-1) === shown) return;
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
  sayStaged(labelled("CANDIDATE")?.fingerprint);
}

function sayStaged(digits) {
  if (digits) say(place, "good", "Stored as the next secret: ", fingerprintAnd(".", digits));
  else say(place, "", "No next secret is stored.");
}

function tellRotation() {
  say(place, ...(rotation ? outcome(rotation) : [""]));
}

function outcome({ rotation: version, attempt, steps }) {
  if (!attempt) return ["waiting", "Rotating."];
  const { at, number, of, failed, again, is_current: isCurrent } = attempt;
  if (!failed) {
    const taken = "The service uses it when its cache expires or a client reports a refusal.";
    return ["good", stamp(at), `Promoted: the new secret is in use. ${taken}`];
  }
  const why = Object.values(steps).find(({ state }) => state === "failed")?.message;
  const retry = `Secrets Manager retries it (${number + 1} of ${of}).`;
  if (isCurrent) {
    return ["refused", stamp(at), "Promoted, but finishSecret failed afterwards. ", again ? retry : why];
  }
  if (again) return ["waiting", `Failed; ${retry}`];
  if (number === of && secret.in_flight === version) {
    return ["refused", stamp(at), `Failed ${number} times. `, remedy()];
  }
  return ["refused", stamp(at), `Not promoted: the secret in use has not changed. ${why ?? ""}`];
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

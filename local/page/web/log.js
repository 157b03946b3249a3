/** The log: each press of a button, and below it what that caused. Newest press first. */

import { byId, element, onPress } from "./dom.js";
import { hear } from "./live.js";
import { now, timeOfDay } from "./times.js";

const LINES = 200;
const list = byId("log");
const latest = byId("log-latest");
let effects = group("Before you pressed anything");
let press = "Last";

/** The line for a message: who sent it, the text, and whether it is good. Null: no line. */
const LINE = {
  access: ({ method, path, status, milliseconds }) => [
    "API",
    `${method} ${path}: ${status}, ${milliseconds} ms`,
    status < 400,
  ],
  audit: (said) => {
    const { decision, subject, user_id: user, room_id: room, callees, code, reason, rule } = said;
    const facts = [
      `${decision} ${user ?? subject ?? "unknown caller"}${room ? `, ${room}` : ""}`,
      callees?.length && `calls ${callees.join(", ")}`,
      code && `${code}: ${reason}`,
      rule && `rule "${rule}"`,
      said.refused_with && `client reported ${said.refused_with}`,
    ];
    return ["issuer", facts.filter(Boolean).join("; "), decision === "granted"];
  },
  "incoming-call": ({ caller, callees, room_id: room }) => [
    "event bus",
    `Incoming Call: ${caller} calls ${callees.join(", ")}, ${room}`,
    true,
  ],
  signal: ({ user_id: user, said }) => ["app", `${user} ${said} the call`, true],
  step: ({ step, state, seconds, message }) =>
    state === "began"
      ? null
      : [
          "rotator",
          [`${step}: ${state}, ${seconds} s`, message].filter(Boolean).join(". "),
          state === "done",
        ],
  look: ({ verdict, reason, action }) => [
    "watcher",
    [`${verdict}: ${reason}`, action].filter(Boolean).join(". "),
    verdict === "accepted",
  ],
  event: ({ type, name, verdict, previous_verdict: before, fingerprint }) => [
    "event bus",
    name ?? `${type}: ${before ?? "none"} → ${verdict}, ${fingerprint}`,
    verdict !== "rejected" && name !== "RotationFailed",
  ],
  label: ({ label, fingerprint }) => [
    "secret",
    fingerprint ? `${label} is on ${fingerprint}` : `${label} was removed`,
    true,
  ],
  console: ({ change }) => ["ZEGO", `console: ${change}`, true],
};

onPress((words) => {
  effects = group(words, now());
  press = latest.textContent = `You pressed “${words}”`;
});

for (const [name, line] of Object.entries(LINE)) {
  hear(name, (message) => {
    const said = line(message);
    if (!said) return;
    effects.append(row(message.at, ...said));
    latest.textContent = `${press}: ${said.slice(0, 2).join(": ")}`;
    while (list.querySelectorAll("li li").length > LINES) shorten();
  });
}

/** Removes the oldest line, and a press of which no line is left. */
function shorten() {
  const oldest = list.lastElementChild;
  oldest.querySelector("li")?.remove();
  if (!oldest.querySelector("li")) oldest.remove();
}

function group(words, at) {
  const lines = element("ol");
  const time = at && element("time", {}, timeOfDay(at));
  list.prepend(element("li", {}, element("p", {}, time, element("strong", {}, words)), lines));
  return lines;
}

function row(at, who, what, isGood) {
  return element(
    "li",
    { class: isGood ? "" : "refused" },
    element("time", {}, timeOfDay(at)),
    element("span", { class: "who" }, who),
    element("span", {}, what),
  );
}

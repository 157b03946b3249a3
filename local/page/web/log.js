/** The activity log: one line per message, newest first. */

import { byId, element } from "./dom.js";
import { hear } from "./live.js";
import { timeOfDay } from "./times.js";

const LINES = 200;
const list = byId("log");

/** The line for a message: who sent it, the text, and whether it is good. Null: no line. */
const LINE = {
  access: ({ method, path, status, milliseconds }) => [
    "API",
    `${method} ${path}: ${status}, ${milliseconds} ms`,
    status < 400,
  ],
  audit: ({
    decision,
    subject,
    user_id: user,
    room_id: room,
    code,
    reason,
    rule,
    refused_with: refused,
  }) => [
    "issuer",
    [
      `${decision} ${user ?? subject ?? "unknown caller"}${room ? `, ${room}` : ""}`,
      code && `${code}: ${reason}`,
      rule && `rule "${rule}"`,
      refused && `client reported ${refused}`,
    ]
      .filter(Boolean)
      .join("; "),
    decision === "granted",
  ],
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

for (const [name, line] of Object.entries(LINE)) {
  hear(name, (message) => {
    const said = line(message);
    if (said) list.prepend(row(message.at, ...said));
    while (list.childElementCount > LINES) list.lastElementChild.remove();
  });
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

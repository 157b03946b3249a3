/** The versions of the ServerSecret, and whether ZEGO accepts the current one. */

import { byId, element, fingerprint, say } from "./dom.js";
import { hear } from "./live.js";
import { age, dateAndTime, now } from "./times.js";

const list = byId("versions");
const place = byId("standing");
const MEANS = {
  AWSCURRENT: "encrypts new tokens",
  AWSPREVIOUS: "current before",
  AWSPENDING: "being tested",
  CANDIDATE: "staged for the next rotation",
};
let last = null;

hear("secret", (secret) => {
  last = secret;
  show(secret);
});
setInterval(() => last && showAges(), 1000);

function show({ versions, accepted }) {
  const current = versions.find(({ labels }) => labels.includes("AWSCURRENT"));
  if (accepted.includes(current?.fingerprint)) {
    const works = "tokens made with it work.";
    say(place, "good", element("strong", {}, "ZEGO accepts AWSCURRENT: "), works);
  } else if (current?.problem) {
    const lacks = element("strong", {}, "AWSCURRENT contains no valid ServerSecret: ");
    say(place, "refused", lacks, current.problem, ".");
  } else {
    const fails = "logins with its tokens fail with 20014 and 50119.";
    say(place, "refused", element("strong", {}, "ZEGO rejects AWSCURRENT: "), fails);
  }
  const stored = new Set(versions.map((version) => version.fingerprint));
  const unknown = accepted.filter((digits) => !stored.has(digits)).reverse();
  list.replaceChildren(
    ...unknown.map((digits) => atZego(digits, digits === accepted.at(-1))),
    ...versions.map((version) => described(version, accepted)),
  );
  showAges();
}

function atZego(digits, isTheConsoles) {
  const where = isTheConsoles ? "Shown in ZEGO's console; not stored here yet." : "Not stored here.";
  return element(
    "li",
    { class: "unknown" },
    element("div", {}, fingerprint(digits), verdict(true)),
    element("p", {}, where),
  );
}

function described({ labels, created_at: made, fingerprint: digits, problem }, accepted) {
  const badges = labels.map((label) =>
    element(
      "li",
      { class: `label ${label}` },
      label,
      MEANS[label] && element("small", {}, MEANS[label]),
    ),
  );
  const moment = made && element("time", { "data-made": made, title: dateAndTime(made) });
  return element(
    "li",
    { class: labels.includes("AWSCURRENT") ? "current" : "" },
    element(
      "div",
      {},
      digits ? fingerprint(digits) : problem,
      digits && verdict(accepted.includes(digits)),
      moment,
    ),
    element("ul", { class: "labels", "aria-label": "Labels" }, badges),
  );
}

const verdict = (isAccepted) =>
  element(
    "span",
    { class: isAccepted ? "verdict good" : "verdict refused" },
    isAccepted ? "accepted" : "rejected",
  );

function showAges() {
  for (const time of list.querySelectorAll("time")) {
    time.textContent = `${age(now() - Number(time.dataset.made))} old`;
  }
}

/** The versions of the ServerSecret, and whether ZEGO accepts the one in use. */

import { inUse } from "./answers.js";
import { byId, element, fingerprint, say } from "./dom.js";
import { hear } from "./live.js";
import { age, dateAndTime, now } from "./times.js";

const list = byId("versions");
const place = byId("standing");
/** Each label in plain words. */
const MEANS = {
  AWSCURRENT: "in use",
  AWSPREVIOUS: "used before",
  AWSPENDING: "being tested",
  CANDIDATE: "stored as the next",
};

hear("secret", show);
setInterval(showAges, 1000);

function show({ versions, accepted }) {
  const current = inUse({ versions });
  const isKnown = accepted !== null;
  if (current?.problem) {
    const lacks = element("strong", {}, "The secret in use is not a ServerSecret: ");
    say(place, "refused", lacks, current.problem, ".");
  } else if (!isKnown) {
    say(place, "", "The watcher reports whether ZEGO accepts the secret in use.");
  } else if (accepted.includes(current?.fingerprint)) {
    say(place, "good", element("strong", {}, "ZEGO accepts the secret in use: "), "tokens work.");
  } else {
    const fails = "every new login and renewal fails. Running calls go on.";
    say(place, "refused", element("strong", {}, "ZEGO rejects the secret in use: "), fails);
  }
  const stored = new Set(versions.map((version) => version.fingerprint));
  const unknown = (accepted ?? []).filter((digits) => !stored.has(digits)).reverse();
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
      MEANS[label] ?? label,
      MEANS[label] && element("small", {}, label),
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
      digits && accepted && verdict(accepted.includes(digits)),
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

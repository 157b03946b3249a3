/** What ZEGO says to a login, and what a diagnosis says of its token. */

import { code, element, facts, fingerprint } from "./dom.js";
import { codes, operate } from "./stack.js";

const NOT_OPENED = [20014, 50119, 1102016];
/** Kinds that go by a secret's label. Here it is known which secrets ZEGO accepts. */
const BY_LABEL = new Set(["made-with-previous", "made-with-staged"]);

/** Whether ZEGO does not accept a token's secret, and would that of a fresh one. */
export async function isOutdated(token) {
  const { accepted, current_accepted: isCurrentGood } = await operate("inspect", { token });
  return accepted === false && isCurrentGood;
}

/** A refused login in words: its codes, then why, as far as the token shows it. */
export async function explainRefusal(refusal, token, userId, roomId) {
  const asked = { token, user_id: userId, room_id: roomId };
  const diagnosis = await operate("inspect", asked);
  const refused = findingsOf(diagnosis, "refused").map((one) => finding({ ...one, codes: {} }));
  const logged = refusal.logged.filter((one) => one !== refusal.code);
  const known = codes[refusal.logged[0]] ?? codes[refusal.code];
  return [
    element(
      "p",
      {},
      element("strong", {}, "Refused: "),
      ...(logged.length ? ["the console logs ", ...list(logged), ", "] : []),
      "the app gets ",
      code(refusal.code),
      ".",
    ),
    diagnosis.accepted === false && unaccepted(diagnosis, refused.length > 0),
    refused,
    diagnosis.accepted !== false &&
      refused.length === 0 && [
        element("p", {}, known?.meaning ?? refusal.message),
        remedy(known?.remedy),
      ],
    meanings([...logged, refusal.code]),
  ];
}

/** A diagnosis as a whole, for `say`. */
export function explainDiagnosis(diagnosis) {
  const { form, cipher, accepted, opened_by: label, fingerprint: digits } = diagnosis;
  const refused = findingsOf(diagnosis, "refused");
  const findings = [...refused, ...findingsOf(diagnosis, "warning", "note")];
  const [kind, says] = verdictOn(diagnosis, refused.length > 0);
  const what = [FORMS[form], cipher && `AES-${cipher.toUpperCase()}`].filter(Boolean).join(", ");
  const numbers = accepted === false ? NOT_OPENED : [];
  return [
    kind,
    element("p", {}, element("strong", {}, says), ` ${what}.`, shown(numbers)),
    accepted === true && element("p", {}, "Sealed with ", fingerprint(digits), ` (${label}).`),
    kind === "good" &&
      label !== "AWSCURRENT" &&
      element("p", { class: "finding note" }, "Its secret is not AWSCURRENT; ZEGO accepts it."),
    accepted === false && unaccepted(diagnosis, refused.length > 0),
    findings.map(finding),
    meanings([...numbers, ...refused.flatMap(({ codes }) => codes.web ?? [])]),
  ];
}

function verdictOn({ accepted }, isRefused) {
  if (isRefused) return ["refused", "ZEGO refuses it."];
  if (accepted === null) return ["waiting", "No secret of this stack opens it."];
  return accepted
    ? ["good", "Good: nothing is wrong with it."]
    : ["refused", "Well made, but ZEGO does not accept its secret."];
}

const FORMS = {
  token04: "A Token04",
  "kit-token": "A kit token of UIKit",
  jwt: "A JWT",
  "older-token": "A token of an older version",
  other: "No token that ZEGO knows",
};

/** Those of some severities, without what a secret's label alone would say. */
const findingsOf = ({ findings }, ...severities) =>
  findings.filter(({ kind, severity }) => severities.includes(severity) && !BY_LABEL.has(kind));

/** Of a token whose secret ZEGO does not accept: what it was sealed with, and what helps. */
function unaccepted(
  { opened_by: label, fingerprint: digits, current_accepted: isCurrentGood },
  isMore,
) {
  const sealed = ["Sealed with ", fingerprint(digits), ` (${label}). `];
  return [
    element("p", {}, ...sealed, "ZEGO does not open it: its own secret is another."),
    isCurrentGood
      ? [
          remedy("Fetch a fresh token. A report has the issuer look for the new value at once."),
          element("p", {}, "It asks Secrets Manager again every 10 s at most."),
        ]
      : remedy("Operations rotate to the console's value. Until then no fresh token helps."),
    isMore && element("p", {}, "It would also be refused:"),
  ];
}

const finding = ({ severity, codes: { web = [] }, cause, remedy: todo }) =>
  element(
    "div",
    { class: `finding ${severity}` },
    element("p", {}, cause, shown(web)),
    remedy(todo),
  );

const shown = (numbers) => numbers.length > 0 && element("span", { class: "codes" }, list(numbers));

const remedy = (text) => text && element("p", { class: "remedy" }, text);

/** 20014, 50119 and 1102016 */
const list = (numbers) =>
  numbers.flatMap((number, at) => (at ? [", ", code(number)] : [code(number)]));

/** What ZEGO's codes mean, for whoever opens it. */
function meanings(numbers) {
  const known = [...new Set(numbers)].filter((number) => codes[number]);
  return (
    known.length > 0 &&
    element(
      "details",
      {},
      element("summary", {}, "What the codes mean"),
      facts(known.map((number) => [code(number), codes[number].meaning])),
    )
  );
}

/** Explains ZEGO's response to a login, and the diagnosis of its token. */

import { code, element, facts, fingerprint } from "./dom.js";
import { codes, operate } from "./stack.js";

const NOT_OPENED = [20014, 50119, 1102016];
/** Kinds that depend on a secret's label only. The page knows which secrets ZEGO accepts. */
const BY_LABEL = new Set(["made-with-previous", "made-with-staged"]);

/** Whether ZEGO rejects the token's secret but accepts AWSCURRENT. */
export async function isOutdated(token) {
  const { accepted, current_accepted: isCurrentGood } = await operate("inspect", { token });
  return accepted === false && isCurrentGood;
}

/** Explains a refused login or renewal: why, as far as the token shows it, and the codes. */
export async function explainRefusal(refusal, token, userId, roomId) {
  const asked = { token, user_id: userId, room_id: roomId };
  const diagnosis = await operate("inspect", asked);
  const refused = findingsOf(diagnosis, "refused").map((one) => finding({ ...one, codes: {} }));
  const logged = refusal.logged.filter((one) => one !== refusal.code);
  const known = codes[refusal.logged[0]] ?? codes[refusal.code];
  const isUnexplained = diagnosis.accepted !== false && refused.length === 0;
  return [
    element("p", {}, element("strong", {}, "ZEGO refuses the token.")),
    diagnosis.accepted === false && unaccepted(diagnosis, refused.length > 0),
    refused,
    isUnexplained && [
      element("p", {}, known?.meaning ?? refusal.message),
      remedy(known?.remedy),
    ],
    element(
      "p",
      { class: "codes" },
      ...(logged.length ? ["The browser's console logs ", ...list(logged), "; "] : ["Here "]),
      "the app gets ",
      code(refusal.code),
      ".",
    ),
    meanings([...logged, refusal.code]),
  ];
}

/** Explains a whole diagnosis, for `say`. */
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
    accepted === true && element("p", {}, "Encrypted with ", fingerprint(digits), ` (${label}).`),
    kind === "good" &&
      label !== "AWSCURRENT" &&
      element("p", { class: "finding note" }, "Its secret is no longer in use, but ZEGO still accepts it."),
    accepted === false && unaccepted(diagnosis, refused.length > 0),
    findings.map(finding),
    meanings([...numbers, ...refused.flatMap(({ codes }) => codes.web ?? [])]),
  ];
}

function verdictOn({ accepted }, isRefused) {
  if (isRefused) return ["refused", "ZEGO refuses this token."];
  if (accepted === null) return ["waiting", "No secret of this stack decrypts it."];
  return accepted
    ? ["good", "Good: this token is valid."]
    : ["refused", "The token is well formed, but ZEGO rejects its secret."];
}

const FORMS = {
  token04: "A Token04",
  "kit-token": "A kit token of UIKit",
  jwt: "A JWT",
  "older-token": "A token of an older version",
  other: "Not a ZEGO token",
};

/** The findings of these severities, without those that depend on a label only. */
const findingsOf = ({ findings }, ...severities) =>
  findings.filter(({ kind, severity }) => severities.includes(severity) && !BY_LABEL.has(kind));

/** For a token whose secret ZEGO rejects: which secret that is, and what to do. */
function unaccepted(
  { opened_by: label, fingerprint: digits, current_accepted: isCurrentGood },
  isMore,
) {
  return [
    element(
      "p",
      {},
      "ZEGO does not accept the secret that encrypted it: ",
      fingerprint(digits),
      ` (${label}).`,
    ),
    isCurrentGood
      ? [
          remedy("Report the refusal and get a new token. A report makes the issuer reload the secret."),
          element("p", {}, "It reloads the secret at most once per 10 s."),
        ]
      : remedy("An operator must rotate to the console's value. Until then no new token works."),
    isMore && element("p", {}, "ZEGO would also refuse it for this:"),
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

/** "20014, 50119, 1102016", each as code */
const list = (numbers) =>
  numbers.flatMap((number, at) => (at ? [", ", code(number)] : [code(number)]));

/** What ZEGO's codes mean, folded away. */
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

/** What ZEGO says to a login, and what a diagnosis says of its token. */

import { code, element, fingerprint } from "./dom.js";
import { codes, operate } from "./stack.js";

/** A refused login in words: its codes, then why, as far as the token shows it. */
export async function explainRefusal(refusal, token, userId, roomId) {
  const asked = { token, user_id: userId, room_id: roomId };
  const diagnosis = await operate("inspect", asked);
  const refused = diagnosis.findings.filter((finding) => finding.severity === "refused");
  const logged = refusal.logged.filter((one) => one !== refusal.code);
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
    ...(refused.length
      ? refused.map((one) => finding({ ...one, codes: {} }))
      : wellMade(diagnosis, refusal)),
  ];
}

/** Nothing is wrong with the token itself. */
function wellMade({ opened_by: label, fingerprint: digits }, refusal) {
  const known = codes[refusal.logged[0]] ?? codes[refusal.code];
  if (!label || refusal.raw !== 50119) {
    return [element("p", {}, known?.meaning ?? refusal.message), known && remedy(known.remedy)];
  }
  const sealed = ["The token is well made, and sealed with ", fingerprint(digits), ` (${label}). `];
  return label === "AWSCURRENT"
    ? [
        element("p", {}, ...sealed, "ZEGO does not open it: its secret is another by now."),
        remedy("Operations rotate to the console's value. Until then no fresh token helps."),
      ]
    : [
        element("p", {}, ...sealed, "Tokens are sealed with another value by now."),
        remedy("Fetch a fresh token. A report has the issuer look for the new value at once."),
        element("p", {}, "It asks Secrets Manager again every 10 s at most."),
      ];
}

/** A diagnosis as a whole. */
export function explainDiagnosis({
  verdict,
  form,
  cipher,
  opened_by: label,
  fingerprint: digits,
  findings,
}) {
  const says = {
    good: "Good: nothing is wrong with it.",
    refused: "ZEGO refuses it.",
    unknown: "No secret of this stack opens it.",
  };
  const kind = { good: "good", refused: "refused", unknown: "waiting" }[verdict];
  const what = [FORMS[form], cipher && `AES-${cipher.toUpperCase()}`].filter(Boolean).join(", ");
  return element(
    "div",
    { class: `answer ${kind}` },
    element("p", {}, element("strong", {}, says[verdict]), ` ${what}.`),
    label && element("p", {}, "Sealed with ", fingerprint(digits), ` (${label}).`),
    findings.map(finding),
  );
}

const FORMS = {
  token04: "A Token04",
  "kit-token": "A kit token of UIKit",
  jwt: "A JWT",
  "older-token": "A token of an older version",
  other: "No token that ZEGO knows",
};

function finding({ severity, codes: shown, cause, remedy: todo }) {
  const numbers = shown.web ?? [];
  return element(
    "div",
    { class: `finding ${severity}` },
    element(
      "p",
      {},
      cause,
      numbers.length > 0 && element("span", { class: "codes" }, list(numbers)),
    ),
    remedy(todo),
  );
}

const remedy = (text) => text && element("p", { class: "remedy" }, text);

/** 20014, 50119 and 1102016, each with its meaning. */
function list(numbers) {
  return numbers.flatMap((number, at) => {
    const named = element("abbr", { title: codes[number]?.meaning }, code(number));
    return at ? [", ", named] : [named];
  });
}

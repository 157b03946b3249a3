/** What the service's refusals mean: its terse answer, and the reason that its audit log has. */

import { code, element, facts } from "./dom.js";
import { hear } from "./live.js";

const KEPT = 50;
const audited = new Map();
const waiting = new Map();

hear("audit", (said) => {
  audited.set(said.request_id, said);
  if (audited.size > KEPT) audited.delete(audited.keys().next().value);
  waiting.get(said.request_id)?.(said);
});

/** A `TokenError` in words; of other errors, their message. */
export async function explainProblem(error) {
  if (!error.requestId) return error.message;
  const said = await auditOf(error.requestId);
  return [
    element("p", {}, element("strong", {}, `${error.status} ${error.code}`), `: ${error.detail}`),
    facts([
      ["audit log", said?.reason === error.detail ? null : (said?.reason ?? "nothing yet")],
      ["rule", said?.rule && `"${said.rule}"`],
      ["field", said?.field && code(said.field)],
      ["request", code(error.requestId)],
    ]),
  ];
}

/** What the audit log has of a request; null where it does not come within some seconds. */
function auditOf(requestId) {
  if (audited.has(requestId)) return audited.get(requestId);
  return new Promise((resolve) => {
    const end = (said) => {
      waiting.delete(requestId);
      resolve(said);
    };
    waiting.set(requestId, end);
    setTimeout(end, 3000, null);
  });
}

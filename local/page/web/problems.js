/** Explains the service's refusals: its short response, and the reason from its audit log. */

import { code, element, facts } from "./dom.js";
import { hear } from "./live.js";

const KEPT = 50;
const audited = new Map();
const waiting = new Map();
/** How long to wait for the reason before showing the response without it. */
const PATIENCE_MS = 3_000;

hear("audit", (said) => {
  audited.set(said.request_id, said);
  if (audited.size > KEPT) audited.delete(audited.keys().next().value);
  waiting.get(said.request_id)?.(said);
  waiting.delete(said.request_id);
});

/** A `TokenError` in words; of other errors, their message. */
export async function explainProblem(error) {
  if (!error.requestId) return error.message;
  const coming = auditOf(error.requestId);
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, null));
  const said = await Promise.race([coming, late]);
  const known = element("div", {}, reasons(error, said));
  if (!said) coming.then((said) => known.replaceChildren(reasons(error, said)));
  return [
    element("p", {}, element("strong", {}, `${error.status} ${error.code}`), `: ${error.detail}`),
    known,
  ];
}

const reasons = (error, said) =>
  facts([
    ["audit log", said?.reason === error.detail ? null : (said?.reason ?? "waiting for it")],
    ["rule", said?.rule && `"${said.rule}"`],
    ["field", said?.field && code(said.field)],
    ["request", code(error.requestId)],
  ]);

/** The audit event of a request, once it arrives. */
async function auditOf(requestId) {
  return audited.get(requestId) ?? new Promise((resolve) => waiting.set(requestId, resolve));
}

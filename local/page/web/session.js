/** The user of the test bench and their token. Kept in memory only. */

import { createTokenSource } from "./token-source.js";
import { byId } from "./dom.js";
import { answerOf, stack } from "./stack.js";

/** The code that a client reports, because another secret may be the remedy. */
export const REPORTED = 1102016;

const listeners = [];
const name = byId("ask").elements.user;

export const session = {
  user: "",
  bearer: "",
  /** The client's token source; a new one per user. */
  source: null,
  /** The last token, and the request for it. */
  issued: null,
  request: null,
};

/** Calls the listener now and after every change. */
export function onSession(listener) {
  listeners.push(listener);
  listener(session);
}

function change(changes) {
  Object.assign(session, changes);
  for (const listener of listeners) listener(session);
}

// The token and the results are about the user whose name is in the field.
name.addEventListener("input", () => {
  session.source?.close();
  change({ user: "", bearer: "", source: null, issued: null, request: null });
});

/** Signs in the user whose name is in the field, unless that is done. Throws a readable error. */
export async function signedIn() {
  const user = name.value.trim();
  if (session.user !== user || !session.source) {
    const { bearer } = await newBearer(user);
    change({ user, bearer, source: createTokenSource({ url: stack.api, getBearer }) });
  }
  return session;
}

/** The client's `getBearer`: gets a new bearer token after the service refused the last one. */
export async function getBearer({ refresh }) {
  const { source, user } = session;
  if (!refresh) return session.bearer;
  const renewed = await newBearer(user);
  if (session.source === source) change(renewed);
  return renewed.bearer;
}

/** Gets a token through the client, which may have it cached. Throws `TokenError`. */
export async function fetchToken(request, options = {}) {
  const { source } = await signedIn();
  const issued = await source.token({ ...request, ...options });
  change({ issued, request });
  return issued;
}

/**
 * Returns the result of `work`, or its error, as `[kind, ...children]` for `report`. Returns null
 * if `part` of the session has changed meanwhile: the result is then out of date.
 */
export async function unlessChanged(part, work) {
  const before = session[part];
  const said = await work().catch((error) => ["refused", error.message]);
  return session[part] === before ? said : null;
}

/** Gets a user's bearer token from the identity provider. Throws an error in words. */
export async function newBearer(username) {
  if (!username) throw new Error("Enter a name.");
  const form = { grant_type: "password", username, password: stack.password };
  const url = `${stack.identity_provider}/token`;
  const init = { method: "POST", body: new URLSearchParams(form) };
  const answer = await answerOf("The identity provider", url, init);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error_description);
  return { bearer: content.access_token };
}

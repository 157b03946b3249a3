/** Who is signed in, and their token. Kept in memory only. */

import { createTokenSource } from "./token-source.js";
import { answerOf, stack } from "./stack.js";
import { now } from "./times.js";

/** The code that a client reports, because another secret may be the remedy. */
export const REPORTED = 1102016;

const listeners = [];

export const session = {
  user: "",
  bearer: "",
  /** When the bearer token expires, in Unix seconds. */
  bearerUntil: 0,
  /** The client's token source; a new one per sign-in. */
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

/** Signs in at the identity provider. Throws an error with a readable message. */
export async function signIn(user) {
  const bearer = await newBearer(user);
  session.source?.close();
  const source = createTokenSource({ url: stack.api, getBearer });
  change({ user, ...bearer, source, issued: null, request: null });
}

/** The client's `getBearer`: gets a new bearer token after the service refused the last one. */
export async function getBearer({ refresh }) {
  const { source, user } = session;
  if (!refresh) return session.bearer;
  const renewed = await newBearer(user);
  if (session.source === source) change(renewed);
  return renewed.bearer;
}

export function signOut() {
  session.source?.close();
  change({ user: "", bearer: "", bearerUntil: 0, source: null, issued: null, request: null });
}

/** Gets a token through the client, which may have it cached. Throws `TokenError`. */
export async function fetchToken(request, options = {}) {
  const issued = await session.source.token({ ...request, ...options });
  change({ issued, request });
  return issued;
}

/**
 * Returns the result of `work`, or its error, as `[kind, ...children]` for `say`. Returns null if
 * `part` of the session has changed meanwhile: the result is then out of date.
 */
export async function unlessChanged(part, work) {
  const before = session[part];
  const said = await work().catch((error) => ["refused", error.message]);
  return session[part] === before ? said : null;
}

async function newBearer(username) {
  const form = { grant_type: "password", username, password: stack.password };
  const url = `${stack.identity_provider}/token`;
  const init = { method: "POST", body: new URLSearchParams(form) };
  const asked = now();
  const answer = await answerOf("The identity provider", url, init);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error_description);
  return { bearer: content.access_token, bearerUntil: asked + content.expires_in };
}

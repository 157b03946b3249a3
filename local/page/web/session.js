/** Who is signed in, and the token that they have. Kept in memory alone. */

import { createTokenSource } from "./token-source.js";
import { answerOf, stack } from "./stack.js";
import { now } from "./times.js";

/** What a client reports, as another secret may be the remedy. */
export const REPORTED = 1102016;

const listeners = [];

export const session = {
  user: "",
  bearer: "",
  /** Until when the bearer is good, Unix seconds. */
  bearerUntil: 0,
  /** The client's token source; another with each sign-in. */
  source: null,
  /** The last token, and the request that it answers. */
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

/** Signs in at the identity provider. Throws in words. */
export async function signIn(user) {
  const bearer = await newBearer(user);
  session.source?.close();
  const source = createTokenSource({ url: stack.api, getBearer });
  change({ user, ...bearer, source, issued: null, request: null });
}

/** For a client: another one, when the service has refused what there is. */
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

/** A token by way of the client, cached or fresh as it decides. Throws `TokenError`. */
export async function fetchToken(request, options = {}) {
  const issued = await session.source.token({ ...request, ...options });
  change({ issued, request });
  return issued;
}

/**
 * What some work comes to, as `[kind, ...children]` for `say`, its failure too. Null where a part of
 * the session is another by then: it is about what is shown no more.
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

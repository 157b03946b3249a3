/** Who is signed in, and the token that they have. Kept in memory alone. */

import { createTokenSource } from "./token-source.js";
import { answerOf, stack } from "./stack.js";

const listeners = [];

export const session = {
  user: "",
  bearer: "",
  /** The client's token source. */
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
  change({ user, bearer, source, issued: null, request: null });
}

/** For the client: another one, when the service has refused what there is. */
async function getBearer({ refresh }) {
  const { source, user } = session;
  if (!refresh) return session.bearer;
  const bearer = await newBearer(user);
  if (session.source === source) session.bearer = bearer;
  return bearer;
}

export function signOut() {
  session.source?.close();
  change({ user: "", bearer: "", source: null, issued: null, request: null });
}

/** A token by way of the client, cached or fresh as it decides. Throws `TokenError`. */
export async function fetchToken(request, options = {}) {
  const issued = await session.source.token({ ...request, ...options });
  change({ issued, request });
  return issued;
}

async function newBearer(username) {
  const form = { grant_type: "password", username, password: stack.password };
  const url = `${stack.identity_provider}/token`;
  const init = { method: "POST", body: new URLSearchParams(form) };
  const answer = await answerOf("The identity provider", url, init);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error_description);
  return content.access_token;
}

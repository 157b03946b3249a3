/** Requests and logins that are refused, and the reasons. */

import { report } from "./answers.js";
import { createTokenSource } from "./token-source.js";
import { byId, doing, element, say } from "./dom.js";
import { explainProblem } from "./problems.js";
import { REPORTED, getBearer, onSession, session, signedIn, unlessChanged } from "./session.js";
import { logIn, operate, stack } from "./stack.js";
import { explainRefusal, isOutdated } from "./verdicts.js";

const ROOM = "call_1";
const somebodyElse = () => (session.user === "mallory" ? "trudy" : "mallory");

/** Each row: the button's text, and the attempt, made with the user's own bearer token. */
const TRIES = [
  ["A room that the access policy does not grant", () => ask({ roomId: "boardroom" })],
  ["Another user's own room", () => ask({ roomId: `${somebodyElse()}_desk` })],
  ["A token that lives a whole day", () => ask({ roomId: ROOM, lifetimeSeconds: 86400 })],
  ["A room id that ZEGO's SDKs refuse", () => ask({ roomId: "call_1/2" })],
  ["A bearer token with a forged signature", () => ask({ roomId: ROOM }, getChangedBearer)],
  ["A login as another user", () => enter({ userId: somebodyElse() })],
  ["A login to another room", () => enter({ roomId: "call_2" })],
  ["A login with an expired token", () => enter({ mistake: "expired" })],
  ["A login with a JWT", () => enter({ mistake: "jwt" })],
];

const places = TRIES.map(([says, attempt]) => {
  const place = element("div", { role: "status" });
  const button = element("button", { type: "button" }, says);
  doing(button, place, async () => {
    await signedIn();
    const said = await unlessChanged("source", attempt);
    if (said) report(place, ...said);
  });
  byId("refusals").append(element("li", {}, button, place));
  return place;
});
let source = null;

onSession((session) => {
  if (session.source === source) return;
  source = session.source;
  for (const place of places) say(place, "");
});

/** Requests a token and shows the service's response. */
async function ask(request, bearerFor = getBearer) {
  const source = createTokenSource({ url: stack.api, getBearer: bearerFor });
  try {
    await source.token(request);
    return ["good", "The service granted this request."];
  } catch (error) {
    return ["refused", await explainProblem(error)];
  } finally {
    source.close();
  }
}

/**
 * Logs in and shows ZEGO's response. The user id comes from the service, as not every name can be
 * one. If a rotation has replaced the token's secret, it reports that once, as a client does.
 */
async function enter({ userId, roomId = ROOM, mistake }) {
  const { source } = session;
  const own = await source.token({ roomId: ROOM, refresh: true });
  const broken = mistake && (await operate("break", { mistake, user_id: own.userId }));
  let { token } = broken || own;
  const user = userId ?? own.userId;
  let answer = await logIn(token, user, roomId);
  if (answer.code === REPORTED && (await isOutdated(token))) {
    ({ token } = await source.token({ roomId: ROOM, refusedWith: REPORTED }));
    answer = await logIn(token, user, roomId);
  }
  if (answer.code === 0) return ["good", "ZEGO accepted this login."];
  return ["refused", await explainRefusal(answer, token, user, roomId)];
}

/** The bearer token with another signature. */
function getChangedBearer() {
  const [header, claims, signature] = session.bearer.split(".");
  return [header, claims, [...signature].reverse().join("")].join(".");
}

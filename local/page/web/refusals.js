/** Requests and logins that are refused, each with the reason. */

import { createTokenSource } from "./token-source.js";
import { byId, doing, element, say } from "./dom.js";
import { explainProblem } from "./problems.js";
import { session } from "./session.js";
import { logIn, operate, stack } from "./stack.js";
import { explainRefusal } from "./verdicts.js";

const ROOM = "call_1";

/** Each says what it tries, and tries it with the person's own bearer token. */
const TRIES = [
  ["A room that the policy does not grant", () => ask({ roomId: "boardroom" })],
  ["A room of somebody else's", () => ask({ roomId: `not_${session.user}_desk` })],
  ["A token for a whole day", () => ask({ roomId: ROOM, lifetimeSeconds: 86400 })],
  ["A room id that ZEGO's SDKs refuse", () => ask({ roomId: "call_1/2" })],
  ["A bearer token that somebody changed", () => ask({ roomId: ROOM }, changed(session.bearer))],
  ["A login as somebody else", () => enter({ userId: "mallory" })],
  ["A login to another room", () => enter({ roomId: "call_2" })],
  ["A login with an expired token", () => enter({ mistake: "expired" })],
  ["A login with a JWT", () => enter({ mistake: "jwt" })],
];

byId("refusals").append(
  ...TRIES.map(([says, attempt]) => {
    const place = element("div", { role: "status" });
    const button = element("button", { type: "button", "data-needs": "bearer" }, says);
    doing(button, place, async () => say(place, ...(await attempt())));
    return element("li", {}, button, place);
  }),
);

/** What the service answers. */
async function ask(request, bearer = session.bearer) {
  const source = createTokenSource({ url: stack.api, getBearer: () => bearer });
  try {
    await source.token(request);
    return ["good", "It was granted."];
  } catch (error) {
    return ["refused", await explainProblem(error)];
  } finally {
    source.close();
  }
}

/** What ZEGO answers. */
async function enter({ userId = session.user, roomId = ROOM, mistake }) {
  const token = mistake
    ? (await operate("break", { mistake, user_id: session.user })).token
    : (await session.source.token({ roomId: ROOM })).token;
  const answer = await logIn(token, userId, roomId);
  if (answer.code === 0) return ["good", "It was accepted."];
  return ["refused", await explainRefusal(answer, token, userId, roomId)];
}

/** With another signature. */
function changed(bearer) {
  const [header, claims, signature] = bearer.split(".");
  return [header, claims, [...signature].reverse().join("")].join(".");
}

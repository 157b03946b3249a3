/** Logs in to a room of the stand-in with the test bench's token. */

import { report } from "./answers.js";
import { byId, code, doing, element, say } from "./dom.js";
import { explainProblem } from "./problems.js";
import { REPORTED, fetchToken, onSession, session, unlessChanged } from "./session.js";
import { logIn } from "./stack.js";
import { explainRefusal } from "./verdicts.js";

const form = byId("login");
const place = byId("logged-in");
const { user, room } = form.elements;
const hint = place.textContent;
let shown = null;

onSession(({ issued, request }) => {
  if (issued === shown) return;
  shown = issued;
  say(place, "", hint);
  user.value = issued?.userId ?? "";
  room.value = request?.roomId ?? (issued ? "call_1" : "");
});

doing(form, place, attempt);

async function attempt() {
  if (!session.issued) throw new Error("Get a token first.");
  const [token, userId, roomId] = [session.issued.token, user.value.trim(), room.value.trim()];
  say(place, "waiting", "Logging in.");
  const said = await unlessChanged("issued", () => verdict(token, userId, roomId));
  if (said) report(place, ...said);
}

async function verdict(token, userId, roomId) {
  const answer = await logIn(token, userId, roomId);
  if (answer.code === 0) {
    const accepted = element("strong", {}, "Accepted: ");
    return ["good", accepted, code(userId), " is in ", code(roomId), "."];
  }
  const why = await explainRefusal(answer, token, userId, roomId);
  return ["refused", ...why, answer.code === REPORTED && again()];
}

/** After a refusal, a client reports it and requests one new token, as `bindTo` does. */
function again() {
  const button = element("button", { type: "button" }, "Report the refusal, get a new token, log in");
  doing(button, place, async () => {
    const [userId, roomId] = [user.value, room.value];
    form.querySelector("button").focus(); // this button disappears and would take the focus with it
    say(place, "waiting", "Reporting.");
    const { source } = session;
    try {
      await fetchToken(session.request, { refusedWith: REPORTED });
    } catch (error) {
      const why = await explainProblem(error);
      if (session.source === source) report(place, "refused", why);
      return;
    }
    Object.assign(user, { value: userId });
    Object.assign(room, { value: roomId });
    await attempt();
  });
  return button;
}

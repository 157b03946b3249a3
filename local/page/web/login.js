/** Logging in to the stand-in for ZEGO with the token. */

import { byId, code, doing, element, say } from "./dom.js";
import { explainProblem } from "./problems.js";
import { fetchToken, onSession, session } from "./session.js";
import { logIn } from "./stack.js";
import { explainRefusal } from "./verdicts.js";

const form = byId("login");
const place = byId("logged-in");
const { user, room } = form.elements;
const hint = place.textContent;
/** What a client reports, as another secret may be the remedy. */
const REPORTED = 1102016;
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
  const [token, userId, roomId] = [session.issued.token, user.value.trim(), room.value.trim()];
  say(place, "waiting", "Logging in.");
  const answer = await logIn(token, userId, roomId);
  if (answer.code === 0) {
    say(
      place,
      "good",
      element("strong", {}, "Accepted: "),
      code(userId),
      " is in ",
      code(roomId),
      ".",
    );
    return;
  }
  const why = await explainRefusal(answer, token, userId, roomId);
  say(place, "refused", ...why, answer.code === REPORTED && again());
}

/** A refused client asks once for a fresh token and says why: `bindTo` does it by itself. */
function again() {
  const button = element("button", { type: "button" }, "Report it, fetch a fresh token, log in");
  doing(button, place, async () => {
    const [userId, roomId] = [user.value, room.value];
    say(place, "waiting", "Reporting.");
    try {
      await fetchToken(session.request, { refusedWith: REPORTED });
    } catch (error) {
      say(place, "refused", await explainProblem(error));
      return;
    }
    Object.assign(user, { value: userId });
    Object.assign(room, { value: roomId });
    await attempt();
    form.querySelector("button").focus();
  });
  return button;
}

/** The test bench: requests a token for any user, room, privileges and lifetime. */

import { report } from "./answers.js";
import { byId, code, doing, element, say } from "./dom.js";
import { explainProblem } from "./problems.js";
import { fetchToken, onSession } from "./session.js";
import { tokenView } from "./token-view.js";

const form = byId("ask");
const place = byId("asked");
const token = byId("asked-token");
const fieldset = form.querySelector("fieldset");
const roomless = element("p", { class: "hint" }, "Only a token for one room has privileges.");
let shown = null;

fieldset.append(roomless);
form.elements.room.addEventListener("input", allowPrivileges);
form.elements.user.addEventListener("input", nameRooms);
allowPrivileges();
nameRooms();

function allowPrivileges() {
  const isRoom = form.elements.room.value.trim() !== "";
  fieldset.disabled = !isRoom;
  roomless.hidden = isRoom;
}

function nameRooms() {
  byId("own-room").textContent = `${form.elements.user.value.trim() || "alice"}_desk`;
}

doing(form, place, async () => {
  const { room, lifetime, privilege } = form.elements;
  const roomId = room.value.trim();
  const privileges = Array.from(privilege)
    .filter((box) => box.checked)
    .map((box) => box.value);
  const request = { lifetimeSeconds: Number(lifetime.value) };
  if (roomId) Object.assign(request, { roomId, privileges });
  say(place, "waiting", "Requesting a token.");
  try {
    await fetchToken(request, { refresh: true });
  } catch (error) {
    if (error.code === "closed") return; // another user was chosen
    report(place, "refused", await explainProblem(error), before());
  }
});

onSession(({ issued }) => {
  if (issued === shown) return;
  shown = issued;
  token.hidden = !issued;
  if (!issued) return say(place, "");
  const can = Object.entries(issued.privileges).filter(([, granted]) => granted);
  const may = issued.roomId === null ? "" : `: ${can.map(([name]) => name).join(", ")}`;
  report(place, "good", "A token for ", code(issued.userId), " in ", roomOf(issued), may, ".");
  tokenView(token, issued);
});

const roomOf = ({ roomId }) => (roomId === null ? "every room" : ["room ", code(roomId)]);

/** Below a refusal, the page still shows the previous token. */
const before = () =>
  shown && element("p", {}, "The token below is the previous one, for ", roomOf(shown), ".");

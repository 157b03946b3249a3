/** One person's phone: it signs in, calls, rings, talks and renews, with the client apps use. */

import { createTokenSource } from "./token-source.js";
import { onSecretChange, report } from "./answers.js";
import * as calls from "./calls.js";
import { doing, element, say } from "./dom.js";
import { explainProblem } from "./problems.js";
import { createEngine } from "./rooms.js";
import { newBearer } from "./session.js";
import { stack } from "./stack.js";
import { clock, now } from "./times.js";
import { tokenView } from "./token-view.js";
import { explainRefusal } from "./verdicts.js";

/** After so long without a response, a phone says that it still tries. */
const SLOW_MS = 2_000;

/** Why the stand-in ended a session, in words. */
const ENDS = {
  kicked: "ZEGO removed you from the room.",
  "repeated-login": "This call continues in another window.",
  "room-closed": "ZEGO closed the room.",
  lost: "The connection to the room is lost.",
};

/**
 * Puts a phone into `place`. Returns its state, for the story: `view` is one of `out`, `idle`,
 * `ringing`, `return`, `calling` and `talking`; `isAlone`: no other person is in its room;
 * `verdict` is ZEGO's last one on its tokens since the secrets last changed.
 */
export function createPhone(place, { name, other, onChange }) {
  const phone = { place, name, view: "out", isAlone: true, verdict: null, button };
  let [userId, source, engine, unbind] = ["", null, null, () => {}];
  /** The call that this phone is in, since when it has company, and who is in the room. */
  let [call, since, people, isInRoom] = [null, null, [], false];
  /** Called with ZEGO's verdict on a renewal. */
  let renewed = () => {};

  const title = element("h3", {}, name);
  const avatar = element("div", { class: "avatar", "aria-hidden": "true" });
  const status = element("p", { class: "status", role: "status" });
  const timer = element("p", { class: "timer", role: "timer", hidden: true });
  const room = element("ul", { class: "people", "aria-label": "In the room" });
  const controls = element("div", { class: "controls" });
  const note = element("div", { role: "status" });
  const token = element("details", { class: "token", hidden: true });
  const line = element("div", { class: "line" }, status, timer);
  place.append(title, avatar, room, line, controls, note, token);

  const user = field("Name", name);
  const callee = field("Who to call", other);

  /** What each view says and offers: its sentence, its fields, and its buttons with their work. */
  const VIEWS = {
    out: () => ["Signed out", [user], [["Sign in", signIn]]],
    idle: () => ["Ready", [callee], [["Call", startCall], ["Sign out", signOut]]],
    ringing: () => [
      `${ringing().caller} is calling`,
      [],
      [["Accept", accept], ["Decline", decline]],
    ],
    return: () => [
      `Your call with ${others(open())} is still open`,
      [],
      [["Return to the call", back], ["End the call", end]],
    ],
    calling: () => [`Calling ${others(call)}`, [], [["Hang up", hangUp], ["Renew the token", renew]]],
    talking: () => [
      people.length > 1 ? `In a call with ${others(call)}` : `Waiting for ${others(call)}`,
      [],
      [["Hang up", hangUp], ["Renew the token", renew]],
    ],
  };

  const ringing = () => calls.ringingFor(userId);
  const open = () => calls.openFor(userId);
  const others = (which) => calls.othersOf(which, userId).join(", ");

  function viewNow() {
    if (!source) return "out";
    if (call) return since === null && call.caller === userId ? "calling" : "talking";
    if (ringing()) return "ringing";
    return open() ? "return" : "idle";
  }

  function render() {
    const view = viewNow();
    const [says, fields, actions] = VIEWS[view]();
    const hadFocus = controls.contains(document.activeElement);
    title.textContent = userId || name;
    place.dataset.view = phone.view = view;
    phone.isAlone = people.length < 2;
    place.dataset.partName = title.textContent;
    place.setAttribute("aria-label", `${title.textContent}'s phone`);
    avatar.textContent = title.textContent.charAt(0);
    if (status.textContent !== says) status.textContent = says;
    room.replaceChildren(...(view === "talking" ? people.map(person) : []));
    timer.hidden = since === null;
    const shown = actions.map(([words]) => words).join();
    if (controls.dataset.shown !== shown) {
      controls.dataset.shown = shown;
      const [first, ...more] = actions.map(([words]) => actionButton(words));
      const row = element("div", { class: "row" }, first, more);
      const form = element("form", {}, fields.map(({ label }) => label), row);
      first.type = "submit"; // Enter in a field presses it
      [form, ...more].forEach((trigger, number) => does(trigger, actions[number][1]));
      controls.replaceChildren(form);
      if (hadFocus) (fields[0]?.input ?? first).focus();
    }
    onChange();
  }

  function does(trigger, work) {
    doing(trigger, note, async () => {
      say(note, "");
      const slow = setTimeout(say, SLOW_MS, note, "waiting", "No response yet. Trying again.");
      try {
        await work();
      } catch (error) {
        report(note, "refused", await explainProblem(error));
      } finally {
        clearTimeout(slow);
        if (note.classList.contains("waiting")) say(note, "");
      }
      render();
    });
  }

  /** The button with these words, if the phone offers it. */
  function button(words) {
    return [...controls.querySelectorAll("button")].find((one) => one.textContent === words);
  }

  // Signing in

  async function signIn() {
    const signedIn = user.input.value.trim();
    let { bearer } = await newBearer(signedIn);
    const getBearer = async ({ refresh }) => {
      if (refresh) ({ bearer } = await newBearer(signedIn));
      return bearer;
    };
    const made = createTokenSource({ url: stack.api, getBearer });
    userId = await idOf(made, signedIn);
    [source, engine] = [made, createEngine()];
    engine.on("users", (users) => joined(users));
    engine.on("ended", (reason) => leave(ENDS[reason] ?? `The room ended: ${reason}.`));
    engine.on("refused", refused);
    engine.on("accepted", accepted);
    if (userId !== signedIn) {
      report(note, "", `The access policy made this user id from the name “${signedIn}”. Others call you by the id.`);
    }
  }

  /** The user's id at ZEGO, which the access policy makes from the name. */
  async function idOf(made, signedIn) {
    try {
      return (await made.token({ roomId: "lobby" })).userId;
    } catch (error) {
      if (error.code === "not_granted") return signedIn; // a policy without a lobby
      throw error;
    }
  }

  function signOut() {
    source.close();
    [source, userId] = [null, ""];
    showToken(null);
  }

  // Calls

  async function startCall() {
    const callees = callee.input.value.split(",").map((one) => one.trim());
    const made = await source.startCall({ callees: callees.filter(Boolean) });
    const { callId, roomId, eventAccepted } = made;
    await enter(calls.know({ callId, roomId, caller: userId, callees: made.callees, at: now() }));
    if (eventAccepted === false) {
      const unsure = "EventBridge did not confirm the event: assume that no phone rings.";
      report(note, "refused", `${unsure} Hang up and call again.`);
    }
  }

  async function accept() {
    await enter(ringing());
  }

  async function back() {
    await enter(open());
  }

  const decline = () => calls.signal(ringing(), userId, "declined");
  const end = () => calls.signal(open(), userId, "ended");
  const hangUp = () => finish("ended", "You hung up.");

  /** Logs in to the room of a call. If ZEGO refuses the token, `bindTo` reports that and retries. */
  async function enter(which) {
    call = which;
    const { roomId } = call;
    unbind = source.bindTo(engine, { roomId, onError });
    try {
      const issued = await source.token({ roomId });
      showToken(issued);
      await engine.loginRoom(roomId, issued.token, { userID: issued.userId });
    } catch (error) {
      if (error.refusal) return; // `refused` shows it
      if (which.caller === userId) finish("ended");
      else leave();
      throw error;
    }
  }

  async function renew() {
    const { roomId } = call;
    const issued = await source.token({ roomId, refresh: true });
    const verdict = new Promise((resolve) => (renewed = resolve));
    if (engine.renewToken(issued.token, roomId)) await verdict;
  }

  function joined(users) {
    people = users;
    if (!isInRoom && call && calls.othersOf(call, userId).length) {
      isInRoom = true;
      calls.signal(call, userId, "joined").catch((error) => say(note, "refused", error.message));
    }
    if (people.length > 1) since ??= now();
    settle();
    render();
  }

  /** Ends the call if no one else can be in it any more. */
  function settle() {
    if (!call || people.length > 1) return;
    const gone = calls.othersOf(call, userId).filter((one) => calls.hasLeft(call, one));
    if (!gone.length || (since === null && gone.length < calls.othersOf(call, userId).length)) return;
    const did = call.said.get(gone[0]) === "declined" ? "declined" : "hung up";
    finish("ended", `${gone.join(", ")} ${did}.`);
  }

  function finish(said, why) {
    const ended = call;
    leave(why);
    return calls.signal(ended, userId, said).catch((error) => say(note, "refused", error.message));
  }

  function leave(why) {
    unbind();
    [call, since, people, isInRoom] = [null, null, [], false];
    engine.logoutRoom();
    if (why) report(note, "", why);
    render();
  }

  // ZEGO's verdicts

  async function accepted() {
    renewed();
    phone.verdict = "accepted";
    report(note, "good", "ZEGO accepts the token.");
    if (call) showToken(await source.token({ roomId: call.roomId }));
    render();
  }

  async function refused(refusal, itsToken) {
    renewed();
    phone.verdict = "refused";
    const goesOn = "The call goes on: ZEGO checks a token only at a login and at a renewal.";
    const calm = isInRoom && element("p", {}, goesOn);
    render();
    const why = await explainRefusal(refusal, itsToken, userId, call?.roomId);
    if (phone.verdict === "refused") report(note, "refused", why, calm);
  }

  /** `bindTo` has an error. If the phone is not in the room, its call has failed. */
  function onError(error) {
    if (isInRoom || error.retryable) return;
    const failed = call;
    leave();
    if (phone.verdict !== "refused") report(note, "refused", error.message);
    calls.signal(failed, userId, "ended").catch(() => {});
  }

  function showToken(issued) {
    token.hidden = !issued;
    if (issued) tokenView(token, issued);
  }

  onSecretChange(() => {
    phone.verdict = null;
    onChange();
  });
  calls.onCalls(() => {
    settle();
    render();
  });
  setInterval(() => {
    if (since !== null) timer.textContent = clock(now() - since);
    if (phone.view === "calling" && now() > call.at + calls.RING_SECONDS) {
      finish("ended", `${others(call)} did not respond.`);
    }
    if (viewNow() !== phone.view) render(); // it no longer rings
  }, 1000);

  render();
  return phone;
}

function actionButton(words) {
  const isGrave = words === "Hang up" || words === "Decline";
  return element("button", { type: "button", class: isGrave && "grave" }, words);
}

function person(userId) {
  const initial = { class: "avatar", "aria-hidden": "true" };
  return element("li", {}, element("span", initial, userId.charAt(0)), userId);
}

function field(says, value) {
  const input = element("input", {
    value,
    maxlength: "127",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
  });
  return { input, label: element("label", { class: "field" }, says, input) };
}

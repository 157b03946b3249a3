/** The guided story: two phones, and the one step that comes next. */

import { inUse } from "./answers.js";
import { byId, element } from "./dom.js";
import { hear } from "./live.js";
import { createPhone } from "./phone.js";
import { isMine } from "./stack.js";

const CHAPTERS = ["Sign in", "Call", "Accept", "Talk", "Reset", "Notice", "Heal"];
const [SIGN_IN, CALL, ACCEPT, TALK, RESET, NOTICE, HEAL, END] = [0, 1, 2, 3, 4, 5, 6, 7];
/** With `?as=alice` the page is that person's phone alone, for a call between two windows. */
const alone = new URLSearchParams(location.search).get("as");

const place = byId("next");
const chapters = CHAPTERS.map((name) => element("li", {}, name));
const goThere = byId("go-there");
let [secret, watched, highlighted] = [null, null, null];
/** `calm`; `broken`: ZEGO rejects the secret in use; `healed`: it accepts it again; `proven`: a token works. */
let phase = "calm";

byId("chapters").append(...chapters);
document.body.classList.toggle("alone", Boolean(alone));
if (alone) byId("phones-heading").textContent = `The phone of ${alone}`;
goThere.addEventListener("click", () => highlighted.focus());

const people = alone ? [[alone, alone === "bob" ? "alice" : "bob"]] : [["alice", "bob"], ["bob", "alice"]];
const phones = [];
if (isMine) showRealCall();
for (const [name, other] of isMine ? [] : people) {
  const article = element("article", { class: "phone" });
  byId("phones").append(article);
  phones.push(createPhone(article, { name, other, onChange: tell }));
}

hear("secret", (said) => {
  secret = said;
  tell();
});
hear("watcher", (said) => {
  watched = said;
  tell();
});

/** With an own project there is no stand-in's room: two people call on a page with ZEGO's SDK. */
function showRealCall() {
  document.body.classList.add("mine");
  byId("phones-heading").textContent = "A real call";
  byId("stand-ins").textContent =
    "The service, its client and your ZEGO project are real. AWS and the sign-in are stand-ins on this machine.";
  const link = element("a", { href: "/call/" }, "Open the call page");
  const how = "in two windows, and sign in as two people. Their tokens come from this stack.";
  byId("phones").append(element("p", { class: "card" }, element("span", {}, link, ` ${how}`)));
}

/** Shows the next step and highlights its button, and no other. */
function tell() {
  if (!secret || isMine || phones.length < people.length) return;
  const isBroken = secret.accepted && !secret.accepted.includes(inUse(secret)?.fingerprint);
  if (isBroken) phase = "broken";
  else if (phase === "broken") phase = "healed";
  if (phase === "healed" && phones.some(({ verdict }) => verdict === "accepted")) phase = "proven";
  if (phase === "proven" && !inCall()) phase = "calm";
  const [chapter, says, button] = phase === "broken" ? healing() : calling();
  for (const [number, item] of chapters.entries()) {
    item.dataset.state = number < chapter ? "done" : number === chapter ? "now" : "later";
    if (number === chapter) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  if (place.textContent !== says) place.textContent = says;
  goThere.hidden = !button;
  if (button === highlighted) return;
  highlighted?.classList.remove("next");
  highlighted = button ?? null;
  highlighted?.classList.add("next");
}

const inView = (view) => phones.find((phone) => phone.view === view);
const inCall = () => inView("talking") ?? inView("calling");
const isRefused = () => phones.some(({ verdict }) => verdict === "refused");
const titleOf = ({ place }) => place.dataset.partName;

/** The steps of a call: the chapter, what to do, and the button. */
function calling() {
  const [out, idle] = [inView("out"), inView("idle")];
  const [ringing, left] = [inView("ringing"), inView("return")];
  if (phase === "proven") {
    const healed = "Healed: the call never stopped, and new tokens work. Hang up to start again.";
    return [END, healed, inCall().button("Hang up")];
  }
  if (phase === "healed" && inCall()) {
    const again =
      "Refused once more: the service still has the old secret cached, and reloads it at most every 10 s. Renew again.";
    const renew = "The new secret is in use. Renew a token: ZEGO accepts it again.";
    return [HEAL, isRefused() ? again : renew, inCall().button("Renew the token")];
  }
  if (out) {
    const name = out.place.querySelector("input").value;
    return [SIGN_IN, `Sign ${name} in, as any app does: at its identity provider.`, out.button("Sign in")];
  }
  if (ringing) {
    const rings = `${titleOf(ringing)}'s phone rings. Accept the call.`;
    return [ACCEPT, rings, ringing.button("Accept")];
  }
  if (left) {
    const why = "is still open: this page was reloaded, or another window has it. Return to it.";
    return [TALK, `${titleOf(left)}'s call ${why}`, left.button("Return to the call")];
  }
  const talking = inView("talking");
  if (talking && alone) {
    const waits = "No one else is in the room now. The call stays open: wait, or hang up.";
    const runs = "The call runs. Hang up here, or in the other window.";
    return [TALK, talking.isAlone ? waits : runs, null];
  }
  if (talking) {
    const reset =
      "They talk. Now the incident: reset the ServerSecret at ZEGO's console. The service makes its tokens with it.";
    return [RESET, reset, byId("reset-button")];
  }
  if (inView("calling")) {
    return [ACCEPT, "The other phone rings, in each window where that person is signed in.", null];
  }
  const call = `${titleOf(idle)} calls: the service makes a room, and a token that opens only that.`;
  return [phase === "healed" ? HEAL : CALL, call, idle.button("Call")];
}

/** The steps after a reset. */
function healing() {
  const candidate = secret.versions.find(({ labels }) => labels.includes("CANDIDATE"));
  const isNoticed =
    watched?.verdict === "rejected" && watched.fingerprint === inUse(secret)?.fingerprint;
  if (inCall() && !isRefused()) {
    const renew = "The call goes on, but the service's secret is outdated. Renew a token: ZEGO refuses it.";
    return [NOTICE, renew, inCall().button("Renew the token")];
  }
  if (secret.in_flight !== null) return [HEAL, "The new secret is tested, then put in use.", null];
  if (!isNoticed) {
    const look = "No new token works. The watcher notices that by itself within minutes; let it check now.";
    return [NOTICE, look, byId("look")];
  }
  if (!candidate || !secret.accepted.includes(candidate.fingerprint)) {
    const store = "The watcher raised the alarm. It needs the new secret to heal: store the console's value.";
    return [HEAL, store, byId("stage")];
  }
  return [HEAL, "Let the watcher check again: it puts the stored secret in use.", byId("look")];
}

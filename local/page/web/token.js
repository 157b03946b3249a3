/** Requests a token and shows its parts, with a countdown to its renewal and expiry. */

import { byId, code, doing, element, facts, fingerprint, say } from "./dom.js";
import { takeApart } from "./envelope.js";
import { hear } from "./live.js";
import { explainProblem } from "./problems.js";
import { fetchToken, onSession, session } from "./session.js";
import { operate } from "./stack.js";
import { clock, dateAndTime, now } from "./times.js";

const form = byId("ask");
const place = byId("asked");
const anatomy = byId("anatomy");
const fieldset = form.querySelector("fieldset");
const roomless = element("p", { class: "hint" }, "Only a token for one room has privileges.");
let seen;
let shown = null;
let ticking = 0;
let versions = [];
/** Updates the label of the shown token's secret after each change of labels. */
let showLabel = () => {};

fieldset.append(roomless);
form.elements.room.addEventListener("input", allowPrivileges);
allowPrivileges();

function allowPrivileges() {
  const isRoom = form.elements.room.value.trim() !== "";
  fieldset.disabled = !isRoom;
  roomless.hidden = isRoom;
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
    if (error.code === "closed") return; // signed out
    const why = await explainProblem(error);
    say(place, "refused", why, before());
  }
});

onSession(({ source, issued }) => {
  if (source !== seen) say(place, "", source ? "Signed in. Now get a token." : "Sign in first.");
  seen = source;
  if (issued === shown) return;
  shown = issued;
  clearInterval(ticking);
  anatomy.hidden = !issued;
  if (issued) show(issued);
});

hear("secret", (said) => {
  ({ versions } = said);
  showLabel();
});

const roomOf = ({ roomId }) => (roomId === null ? "every room" : ["room ", code(roomId)]);

/** Below a refusal, the page still shows the previous token. */
const before = () =>
  shown && element("p", {}, "The token below is the previous one, for ", roomOf(shown), ".");

async function show(issued) {
  const can = Object.entries(issued.privileges).filter(([, granted]) => granted);
  const may = issued.roomId === null ? "" : `: ${can.map(([name]) => name).join(", ")}`;
  say(place, "good", "A token for ", code(issued.userId), " in ", roomOf(issued), may, ".");
  const sealed = element("div", { class: "sealed" });
  const times = timesOf(issued);
  showLabel = () => {};
  anatomy.replaceChildren(times.element, envelopeOf(issued.token), sealed);
  times.tick();
  ticking = setInterval(times.tick, 1000);
  try {
    const found = await operate("inspect", { token: issued.token });
    if (issued === shown) sealed.replaceChildren(...claimsOf(found));
  } catch (error) {
    sealed.replaceChildren(element("p", { class: "hint" }, error.message));
  }
}

function timesOf({ issuedAt, renewAt, expiresAt }) {
  const [renewal, end, bar] = [element("span"), element("span"), element("i")];
  const life = expiresAt - issuedAt;
  const mark = element("b", { css: { "--at": `${((renewAt - issuedAt) / life) * 100}%` } });
  const tick = () => {
    const at = now();
    renewal.textContent = at < renewAt ? `Renew in ${clock(renewAt - at)}` : "Renewal is due";
    end.textContent = at < expiresAt ? `expires in ${clock(expiresAt - at)}` : "expired";
    const gone = Math.min(1, Math.max(0, (at - issuedAt) / life));
    bar.style.setProperty("--left", `${(1 - gone) * 100}%`);
    bar.dataset.state = at >= expiresAt ? "over" : at >= renewAt ? "due" : "good";
  };
  const words = element("p", { role: "timer" }, renewal, end);
  const track = element("div", { class: "track", "aria-hidden": "true" }, bar, mark);
  return { element: element("div", { class: "times" }, words, track), tick };
}

function envelopeOf(token) {
  const parts = takeApart(token);
  const bar = element(
    "div",
    { class: "bytes", "aria-hidden": "true" },
    parts.map(({ name, bytes }, number) =>
      element("i", { title: name, "data-part": number, css: { "--bytes": Math.max(bytes, 2) } }),
    ),
  );
  const rows = parts.map(({ name, bytes, value }, number) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, element("i", { "data-part": number }), name),
      element("td", {}, bytes || (number ? "0" : "text")),
      element("td", {}, name === "expiry" ? moment(value) : code(value)),
    ),
  );
  const head = ["Part", "Bytes", "Value"].map((name) => element("th", { scope: "col" }, name));
  return element(
    "section",
    {},
    element("h4", {}, "Envelope: readable without the secret"),
    bar,
    element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)),
  );
}

function claimsOf({ claims, opened_by: openedBy, fingerprint: digits }) {
  if (!claims) return [element("p", { class: "hint" }, "No secret of this stack decrypts it.")];
  const label = element("span", {}, openedBy);
  showLabel = () => (label.textContent = labelOf(digits));
  return [
    element("h4", {}, "Encrypted claims"),
    element(
      "p",
      { class: "hint" },
      "A browser cannot decrypt them: it has no secret. The stack did it for you.",
    ),
    facts([
      ["encrypted with", [fingerprint(digits), " ", label]],
      ["app_id", code(claims.app_id)],
      ["user_id", code(claims.user_id)],
      ["nonce", code(claims.nonce)],
      ["ctime", moment(claims.ctime)],
      ["expire", moment(claims.expire)],
      ["payload", claims.payload ? code(claims.payload) : "none: the token opens every room"],
    ]),
  ];
}

/** The label of a secret, as in operations.py. */
function labelOf(digits) {
  const labels = versions.filter((one) => one.fingerprint === digits).flatMap((one) => one.labels);
  return labels.includes("AWSCURRENT") ? "AWSCURRENT" : (labels[0] ?? "not stored here");
}

const moment = (seconds) => [
  code(seconds),
  " ",
  element("span", { class: "moment" }, dateAndTime(seconds)),
];

/** Shows a token: its text to copy, a countdown to its renewal and expiry, and its parts. */

import { code, copyButton, element, facts, fingerprint } from "./dom.js";
import { takeApart } from "./envelope.js";
import { hear } from "./live.js";
import { operate } from "./stack.js";
import { clock, dateAndTime, now } from "./times.js";

let versions = [];
/** What each view updates every second, and at each change of the labels, by its place. */
const views = new Map();

setInterval(() => views.forEach(({ tick }) => tick()), 1000);
hear("secret", (said) => {
  ({ versions } = said);
  views.forEach(({ label }) => label());
});

/** Shows the token in a `details` element, which keeps its state. */
export async function tokenView(place, issued) {
  const view = { label: () => {} };
  const left = element("span");
  const text = element("textarea", { class: "text", rows: "3", readonly: true, "aria-label": "Token" });
  text.value = issued.token;
  const sealed = element("div", { class: "sealed" });
  const times = timesOf(issued, left);
  const isOpen = place.querySelector("details")?.open;
  place.replaceChildren(
    element("summary", {}, "Token ", left),
    element("div", { class: "row" }, copyButton(() => issued.token, "Copy the token")),
    text,
    times.element,
    element(
      "details",
      { open: isOpen },
      element("summary", {}, "What is in it"),
      envelopeOf(issued.token),
      sealed,
    ),
  );
  view.tick = times.tick;
  views.set(place, view);
  view.tick();
  try {
    const found = await operate("inspect", { token: issued.token });
    if (views.get(place) === view) sealed.replaceChildren(...claimsOf(found, view));
  } catch (error) {
    sealed.replaceChildren(element("p", { class: "hint" }, error.message));
  }
}

function timesOf({ issuedAt, renewAt, expiresAt }, left) {
  const [renewal, end, bar] = [element("span"), element("span"), element("i")];
  const life = expiresAt - issuedAt;
  const mark = element("b", { css: { "--at": `${((renewAt - issuedAt) / life) * 100}%` } });
  const tick = () => {
    const at = now();
    renewal.textContent = at < renewAt ? `Renew in ${clock(renewAt - at)}` : "Renewal is due";
    end.textContent = at < expiresAt ? `expires in ${clock(expiresAt - at)}` : "expired";
    left.textContent = end.textContent;
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
    "div",
    { class: "envelope" },
    element("p", {}, element("strong", {}, "Envelope: readable without the secret")),
    bar,
    element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)),
  );
}

function claimsOf({ claims, opened_by: openedBy, fingerprint: digits }, view) {
  if (!claims) return [element("p", { class: "hint" }, "No secret of this stack decrypts it.")];
  const label = element("span", {}, openedBy);
  view.label = () => (label.textContent = labelOf(digits));
  return [
    element("p", {}, element("strong", {}, "Encrypted claims"), ": the stack decrypted them for you."),
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

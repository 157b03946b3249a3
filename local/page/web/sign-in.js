/** Signing in at the identity provider, and what can be done only then. */

import { byId, doing, element, say } from "./dom.js";
import { onSession, session, signIn, signOut } from "./session.js";
import { dateAndTime } from "./times.js";

const form = byId("sign-in");
const place = byId("signed-in");
const until = element("time");
const NEEDS = { bearer: () => session.bearer, token: () => session.issued };

doing(form, place, async () => {
  try {
    await signIn(form.elements.user.value.trim());
  } catch (error) {
    signOut(); // what is said is about this user, and no longer about the last one
    throw error;
  }
  const out = element(
    "button",
    { type: "button", class: "link", on: { click: leave } },
    "Sign out",
  );
  const who = element("strong", {}, session.user);
  say(place, "good", "Signed in as ", who, ". The bearer token is good until ", until, ". ", out);
});

function leave() {
  signOut();
  say(place, "", "Signed out: the tokens are forgotten.");
  form.elements.user.focus();
}

onSession(({ bearerUntil }) => {
  until.textContent = dateAndTime(bearerUntil);
  for (const button of document.querySelectorAll("[data-needs]")) {
    button.disabled = !NEEDS[button.dataset.needs]();
  }
});

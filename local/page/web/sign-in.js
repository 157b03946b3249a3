/** Signs in at the identity provider, and enables the buttons that need it. */

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
    signOut(); // the error is about this user, so the previous one is signed out
    throw error;
  }
  const out = element(
    "button",
    { type: "button", class: "link", on: { click: leave } },
    "Sign out",
  );
  const who = element("strong", {}, session.user);
  say(place, "good", "Signed in as ", who, ". The bearer token expires at ", until, ". ", out);
});

function leave() {
  signOut();
  say(place, "", "Signed out. The page has forgotten the tokens.");
  form.elements.user.focus();
}

onSession(({ bearerUntil }) => {
  until.textContent = dateAndTime(bearerUntil);
  for (const button of document.querySelectorAll("[data-needs]")) {
    button.disabled = !NEEDS[button.dataset.needs]();
  }
});

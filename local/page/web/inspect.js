/** Why a token would be refused. */

import { byId, doing, element, say } from "./dom.js";
import { session } from "./session.js";
import { operate, stack } from "./stack.js";
import { explainDiagnosis } from "./verdicts.js";

const form = byId("inspect");
const place = byId("inspected");
const { token } = form.elements;
let last = 0;

doing(form, place, inspect);

doing(byId("inspect-own"), place, async () => {
  token.value = session.issued.token;
  await inspect();
});

byId("samples").append(
  ...Object.entries(stack.mistakes).map(([mistake, says]) => {
    const button = element("button", { type: "button", class: "small" }, says);
    doing(button, place, async () => {
      token.value = (await operate("break", { mistake, user_id: session.user })).token;
      await inspect();
    });
    return button;
  }),
);

async function inspect() {
  const number = (last += 1);
  const diagnosis = await operate("inspect", { token: token.value, user_id: session.user });
  if (number !== last) return; // another was inspected meanwhile
  say(place, "");
  place.className = "";
  place.replaceChildren(explainDiagnosis(diagnosis));
}

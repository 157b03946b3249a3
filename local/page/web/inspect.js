/** Shows why ZEGO would refuse a token. */

import { report } from "./answers.js";
import { byId, doing, element, say } from "./dom.js";
import { onSession, session } from "./session.js";
import { operate, stack } from "./stack.js";
import { explainDiagnosis } from "./verdicts.js";

const form = byId("inspect");
const place = byId("inspected");
const { token: box } = form.elements;
/** The limit of operations.py; a token has a few hundred characters. */
const LONGEST = 16 * 1024;
let last = 0;
/** The user for whom the token in the box should be, if known. */
let user = null;
let source = null;

onSession((session) => {
  if (session.source === source) return;
  if (source) box.value = ""; // it may be the token of the previous user
  source = session.source;
  forget();
});

box.addEventListener("input", forget);

/** Discards results, shown or pending, about another token or for another user. */
function forget() {
  last += 1;
  user = null;
  say(place, "");
}

const ownUser = () => session.issued?.userId;

doing(form, place, () => inspect({ token: box.value, user_id: user ?? ownUser() }));

doing(byId("inspect-own"), place, () => {
  if (!session.issued) throw new Error("Get a token first.");
  return inspect({ token: session.issued.token, user_id: ownUser() });
});

byId("samples").append(
  ...Object.entries(stack.mistakes).map(([mistake, says]) => {
    const button = element("button", { type: "button", class: "small" }, says);
    doing(button, place, () => inspect(operate("break", { mistake, user_id: ownUser() })));
    return button;
  }),
);

/** Shows the diagnosis, unless a newer one was requested meanwhile. */
async function inspect(given) {
  const number = (last += 1);
  let said;
  try {
    const { token, user_id } = await given;
    if (number !== last) return;
    box.value = token;
    user = user_id;
    if (token.length > LONGEST) throw new Error(tooLong(token));
    said = explainDiagnosis(await operate("inspect", { token, user_id }));
  } catch (error) {
    said = ["refused", error.message];
  }
  if (number === last) report(place, ...said);
}

const tooLong = ({ length }) =>
  `This text has ${length} characters; a token has at most ${LONGEST}. Paste only the token.`;

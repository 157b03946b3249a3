/** The parts of the stack, and what its operators do. */

/** An answer, whatever its status. Throws in words where `who` gives none. */
export async function answerOf(who, url, init) {
  try {
    return await fetch(url, init);
  } catch {
    throw new Error(`${who} does not answer. Does make run still run?`);
  }
}

async function get(path) {
  const answer = await answerOf("The stack", path);
  if (!answer.ok) throw new Error(`The page's server answered ${answer.status} to ${path}.`);
  return answer.json();
}

/** Where the parts are. See `_description` in server.py. */
export const stack = await get("/stack");

/** What ZEGO's codes mean, by code. */
export const codes = await get("/codes");

/** Does one of the operators' actions. Throws in words, with the code that a refusal has. */
export async function operate(action, said = {}) {
  const answer = await post("The stack", `/operate/${action}`, said);
  const content = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(content.error), { code: content.code });
  return content;
}

/** Logs in to a room of the stand-in for ZEGO, as a web client does: `{code: 0}`, or a refusal. Throws in words. */
export async function logIn(token, userId, roomId) {
  const login = { app_id: stack.app_id, user_id: userId, room_id: roomId, token };
  return (await post("ZEGO", `${stack.zego}/v1/rooms/login`, login)).json();
}

function post(who, url, content) {
  const headers = { "content-type": "application/json" };
  return answerOf(who, url, { method: "POST", headers, body: JSON.stringify(content) });
}

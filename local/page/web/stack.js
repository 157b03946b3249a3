/** The parts of the stack, and what its operators do. */

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`The page's server answered ${answer.status}.`);
  return answer.json();
}

/** Where the parts are. See `_description` in server.py. */
export const stack = await get("/stack");

/** What ZEGO's codes mean, by code. */
export const codes = await get("/codes");

/** Does one of the operators' actions. Throws in words. */
export async function operate(action, said = {}) {
  let answer;
  try {
    answer = await post(`/operate/${action}`, said);
  } catch {
    throw new Error("The stack does not answer. Does make run still run?");
  }
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

/** Logs in to a room of the stand-in for ZEGO, as a web client does: `{code: 0}`, or a refusal. */
export async function logIn(token, userId, roomId) {
  const login = { app_id: stack.app_id, user_id: userId, room_id: roomId, token };
  return (await post(`${stack.zego}/v1/rooms/login`, login)).json();
}

function post(url, content) {
  const headers = { "content-type": "application/json" };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(content) });
}

/** Requests to the parts of the stack, and its operators' actions. */

/** Returns the response, whatever its status. Without one, throws an error that names `who`. */
export async function answerOf(who, url, init) {
  try {
    return await fetch(url, init);
  } catch {
    throw new Error(`${who} does not respond. Is make run still running?`);
  }
}

async function get(path) {
  const answer = await answerOf("The stack", path);
  if (!answer.ok) throw new Error(`The page's server returned ${answer.status} for ${path}.`);
  return answer.json();
}

/** The addresses of the parts. See `_description` in server.py. */
export const stack = await get("/stack");

/** Whether ZEGO is real, and the project that of the developer: `make run ZEGO=mine`. */
export const isMine = stack.zego === "mine";

/** What ZEGO's codes mean, by code. */
export const codes = await get("/codes");

/** Performs an operator's action. Throws an error with a readable message and its code. */
export async function operate(action, said = {}) {
  const answer = await post("The stack", `/operate/${action}`, said);
  const content = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(content.error), { code: content.code });
  return content;
}

/** Logs in to a room of the stand-in for ZEGO, as a web client does. Returns `{code: 0}` or a refusal. */
export async function logIn(token, userId, roomId) {
  if (isMine) throw new Error("ZEGO is your own project: its rooms are for its SDKs only.");
  const login = { app_id: stack.app_id, user_id: userId, room_id: roomId, token };
  return (await post("ZEGO", `${stack.zego}/v1/rooms/login`, login)).json();
}

/** Posts JSON and returns the response, whatever its status. */
export function post(who, url, content) {
  const headers = { "content-type": "application/json" };
  return answerOf(who, url, { method: "POST", headers, body: JSON.stringify(content) });
}

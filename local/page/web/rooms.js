/** A small engine over the stand-in's rooms, with the methods and events of ZEGO's web SDK. */

import { post, stack } from "./stack.js";

/**
 * Creates an engine. Its events are those that the client's `bindTo` needs, and three more:
 * `users` (the users in the room), `refused` (a login or renewal; the refusal and its token) and
 * `accepted` (the token). It carries no sound and no picture.
 */
export function createEngine() {
  const listeners = new Map();
  /** The session in a room: its id, room and stream. */
  let session = null;
  /** Whether a login is under way: it ends the session that this engine has in the room. */
  let isLoggingIn = false;

  const on = (event, listener) => {
    if (!listeners.has(event)) listeners.set(event, new Set());
    listeners.get(event).add(listener);
  };
  const off = (event, listener) => listeners.get(event)?.delete(listener);
  const emit = (event, ...data) => {
    for (const listener of [...(listeners.get(event) ?? [])]) listener(...data);
  };

  async function loginRoom(roomId, token, { userID }) {
    const login = { app_id: stack.app_id, user_id: userID, room_id: roomId, token };
    isLoggingIn = true;
    const said = await send("login", login).finally(() => (isLoggingIn = false));
    if (said.code !== 0) {
      refused(roomId, token, said);
      throw Object.assign(new Error(said.message), { code: said.code, refusal: said });
    }
    session?.stream.close();
    session = { id: said.session, roomId, stream: follow(said.session, roomId) };
    emit("accepted", token);
    emit("roomStateChanged", roomId, "LOGINED", 0);
    return true;
  }

  /** As in the SDK, true means that the token is on its way; `refused` or `accepted` follows. */
  function renewToken(token, roomId) {
    if (session?.roomId !== roomId) return false;
    send("renew", { session: session.id, token }).then(
      (said) => (said.code === 0 ? emit("accepted", token) : refused(roomId, token, said)),
      () => {}, // the stream reports that the stand-in is gone
    );
    return true;
  }

  /** Leaves the room. */
  function logoutRoom() {
    if (!session) return;
    const { id, roomId, stream } = session;
    stream.close();
    session = null;
    send("logout", { session: id }).catch(() => {});
    emit("roomStateChanged", roomId, "LOGOUT", 0);
  }

  function refused(roomId, token, refusal) {
    emit("refused", refusal, token);
    emit("roomStateChanged", roomId, "LOGIN_FAILED", refusal.code);
  }

  function follow(id, roomId) {
    const stream = new EventSource(`${stack.zego}/v1/rooms/events?session=${id}`);
    const end = (reason, code) => {
      stream.close();
      if (session?.id !== id) return; // the engine has logged in again
      if (reason === "repeated-login" && isLoggingIn) return; // it is about to
      session = null;
      emit("ended", reason);
      emit("roomStateChanged", roomId, "KICKOUT", code);
    };
    stream.addEventListener("users", ({ data }) => emit("users", JSON.parse(data).users));
    stream.addEventListener("token-will-expire", () => emit("tokenWillExpire", roomId));
    stream.addEventListener("ended", ({ data }) => {
      const { reason, code } = JSON.parse(data);
      end(reason, code);
    });
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) end("lost", 0); // the session has ended
    });
    return stream;
  }

  return { on, off, loginRoom, renewToken, logoutRoom };
}

const send = async (action, content) =>
  (await post("ZEGO", `${stack.zego}/v1/rooms/${action}`, content)).json();

/**
 * Acts like ZegoExpressEngine (zego-express-engine-webrtc 3.12) with tokens and rooms, as far as
 * its code shows: it reads the expiry in a token's first eight bytes and cannot decrypt the rest.
 */

const ROOM_COUNT_EXCEED = { code: 1002001, msg: "too many rooms" };
const NOT_LOGGED_IN = { code: 1002002, msg: "have not logged in with this room ID" };
const REPEATEDLY_LOGIN = { code: 1002056, msg: "logged in already" };

export class Engine {
  /** ZEGO's response to a token at each login: an error code, or 0. */
  verdict = () => 0;
  /** The calls of renewToken that had an effect, and those that it ignored. */
  renewals = [];
  ignored = [];
  /** How far the client's clock, which it uses, is behind the service's. */
  behindSeconds = 0;
  /** The logins: room, token, user and configuration. */
  logins = [];
  #platform;
  #world;
  #isMultiRoom;
  #rooms = new Map();
  #listeners = { tokenWillExpire: [], roomStateChanged: [] };

  constructor(world, { isMultiRoom = false } = {}) {
    this.#world = world;
    this.#platform = world.platform;
    this.#isMultiRoom = isMultiRoom;
  }

  get rooms() {
    return [...this.#rooms.keys()];
  }

  get listeners() {
    return Object.values(this.#listeners).flat().length;
  }

  tokenIn(roomID) {
    return this.#rooms.get(roomID)?.token;
  }

  on(event, callback) {
    if (!this.#listeners[event].includes(callback)) this.#listeners[event].push(callback);
    return true;
  }

  off(event, callback) {
    this.#listeners[event] = this.#listeners[event].filter((each) => each !== callback);
    return true;
  }

  async loginRoom(roomID, token, user, config) {
    this.logins.push({ roomID, token, user, config });
    if (!this.#isMultiRoom && this.#rooms.size > 0) throw ROOM_COUNT_EXCEED;
    if (this.#rooms.has(roomID)) throw REPEATEDLY_LOGIN;
    this.#rooms.set(roomID, { token });
    this.#emit("roomStateChanged", roomID, "LOGINING", 0, "");
    await null;
    const code = this.verdict(token);
    if (code) {
      this.#leave(roomID, "LOGIN_FAILED", code);
      throw { code, msg: "login failed" };
    }
    this.#arm(roomID);
    this.#emit("roomStateChanged", roomID, "LOGINED", 0, "");
    return true;
  }

  /** If it is not in the room, it uses the first room that it is in. */
  renewToken(token, roomID) {
    const room = this.#rooms.has(roomID) ? roomID : this.rooms[0];
    if (room === undefined) return false;
    if (token === this.tokenIn(room)) {
      this.ignored.push({ roomID: room, token });
      return true;
    }
    this.renewals.push({ roomID: room, token });
    this.#rooms.get(room).token = token;
    this.#arm(room);
    return true;
  }

  /** Throws if it is only in other rooms. */
  logoutRoom(roomID) {
    if (this.#rooms.size > 0 && !this.#rooms.has(roomID)) throw NOT_LOGGED_IN;
    this.#leave(roomID, "LOGOUT", 0);
  }

  /** ZEGO ends the login: a failed reconnection, or the user is kicked out. */
  lose(roomID, reason, code) {
    this.#leave(roomID, reason, code);
  }

  #leave(roomID, reason, code) {
    this.#platform.clearTimeout(this.#rooms.get(roomID)?.timer);
    this.#rooms.delete(roomID);
    this.#emit("roomStateChanged", roomID, reason, code, "");
  }

  /** The event comes once, 30 s before the expiry, or at once if less time is left. */
  #arm(roomID) {
    const room = this.#rooms.get(roomID);
    this.#platform.clearTimeout(room.timer);
    const expiresAt = Number(Buffer.from(room.token.slice(2), "base64").readBigInt64BE());
    const ms = Math.max(0, (expiresAt - this.#world.serverTime + this.behindSeconds - 30) * 1000);
    room.timer = this.#platform.setTimeout(() => this.#emit("tokenWillExpire", roomID), ms);
  }

  /** Each listener runs in its own turn: the SDK does not catch its errors. */
  #emit(event, ...details) {
    for (const listener of this.#listeners[event]) {
      this.#platform.setTimeout(() => listener(...details), 0);
    }
  }
}

/**
 * Stands in for ZEGO's Express SDK in the tests of an app: no network, no ZEGO project.
 *
 * Types and meanings are in testing.d.ts.
 *
 * @module
 */

/**
 * @import { Platform } from "./token-source.js"
 */

const ROOM_COUNT_EXCEED = { code: 1002001, msg: "too many rooms" };
const NOT_LOGGED_IN = { code: 1002002, msg: "have not logged in with this room ID" };
const REPEATEDLY_LOGIN = { code: 1002056, msg: "logged in already" };
/** How long before the expiry the SDK emits `tokenWillExpire`. */
const NOTICE_SECONDS = 30;

/**
 * Acts like ZegoExpressEngine (zego-express-engine-webrtc 3.12) with tokens and rooms, as far as
 * its code shows: it reads the expiry in a token's first eight bytes and cannot decrypt the rest.
 */
export class TestEngine {
  /** @type {(token: string) => number} */
  verdict = () => 0;
  /** @type {import("./testing.js").TestEngine["logins"]} */
  logins = [];
  /** @type {import("./testing.js").TestEngine["renewals"]} */
  renewals = [];
  /** @type {import("./testing.js").TestEngine["ignored"]} */
  ignored = [];
  #platform;
  #isMultiRoom = false;
  /** @type {Map<string, { token: string, timer?: any }>} */
  #rooms = new Map();
  /** @type {Map<string, Set<(...details: any[]) => void>>} */
  #listeners = new Map();

  /** @param {number} appID @param {string} server @param {{ platform?: Partial<Platform> }} options */
  constructor(appID = 1234567890, server = "", { platform = globalThis } = {}) {
    this.appID = appID;
    this.server = server;
    this.#platform = /** @type {Platform} */ (platform);
  }

  get rooms() {
    return [...this.#rooms.keys()];
  }

  get listenerCount() {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** @param {string} roomID */
  tokenIn(roomID) {
    return this.#rooms.get(roomID)?.token;
  }

  /** @param {string} event @param {(...details: any[]) => void} callback */
  on(event, callback) {
    this.#listeners.set(event, (this.#listeners.get(event) ?? new Set()).add(callback));
    return true;
  }

  /** @param {string} event @param {(...details: any[]) => void} callback */
  off(event, callback) {
    this.#listeners.get(event)?.delete(callback);
    return true;
  }

  /** @param {boolean} enable */
  enableMultiRoom(enable) {
    this.#isMultiRoom = enable;
    return true;
  }

  /**
   * @param {string} roomID @param {string} token
   * @param {{ userID: string, userName?: string | undefined }} user
   * @param {{ userUpdate?: boolean, maxMemberCount?: number }} [config]
   */
  async loginRoom(roomID, token, user, config) {
    this.logins.push({ roomID, token, user, config });
    if (!this.#isMultiRoom && this.#rooms.size > 0) throw ROOM_COUNT_EXCEED;
    if (this.#rooms.has(roomID)) throw REPEATEDLY_LOGIN;
    this.#rooms.set(roomID, { token });
    this.emit("roomStateChanged", roomID, "LOGINING", 0, "");
    await null;
    const code = this.verdict(token);
    if (code) {
      this.lose(roomID, "LOGIN_FAILED", code);
      throw { code, msg: "login failed" };
    }
    this.#arm(roomID, token);
    this.emit("roomStateChanged", roomID, "LOGINED", 0, "");
    return true;
  }

  /** @param {string} token @param {string} [roomID] */
  renewToken(token, roomID = "") {
    const room = this.#rooms.has(roomID) ? roomID : this.rooms[0];
    if (room === undefined) return false;
    if (token === this.tokenIn(room)) {
      this.ignored.push({ roomID: room, token });
      return true;
    }
    this.renewals.push({ roomID: room, token });
    this.#arm(room, token);
    return true;
  }

  /** @param {string} [roomID] */
  logoutRoom(roomID) {
    if (roomID === undefined) return this.rooms.forEach((room) => this.logoutRoom(room));
    if (this.#rooms.size > 0 && !this.#rooms.has(roomID)) throw NOT_LOGGED_IN;
    this.lose(roomID, "LOGOUT", 0);
  }

  destroyEngine() {
    this.logoutRoom();
    this.#listeners.clear();
  }

  /** @param {string} roomID @param {string} reason @param {number} code */
  lose(roomID, reason, code) {
    this.#platform.clearTimeout(this.#rooms.get(roomID)?.timer);
    this.#rooms.delete(roomID);
    this.emit("roomStateChanged", roomID, reason, code, "");
  }

  /**
   * Each listener runs in its own turn: the SDK does not catch its errors.
   *
   * @param {string} event @param {...unknown} details
   */
  emit(event, ...details) {
    for (const listener of this.#listeners.get(event) ?? []) {
      this.#platform.setTimeout(() => listener(...details), 0);
    }
  }

  /**
   * The event comes once for each token, or at once if less time is left.
   *
   * @param {string} roomID @param {string} token
   */
  #arm(roomID, token) {
    this.#platform.clearTimeout(this.#rooms.get(roomID)?.timer);
    const leftSeconds = expiryOf(token) - this.#platform.Date.now() / 1000;
    const ms = Math.max(0, (leftSeconds - NOTICE_SECONDS) * 1000);
    const timer = this.#platform.setTimeout(() => this.emit("tokenWillExpire", roomID), ms);
    timer?.unref?.(); // Node's: a test need not wait for it
    this.#rooms.set(roomID, { token, timer });
  }
}

/** @type {typeof import("./testing.js").createTestTokens} */
export function createTestTokens(options = {}) {
  const { userId = "alice", appId = 1234567890, platform = globalThis } = options;
  let count = 0;
  return async ({ roomId, privileges, streamIds, callees, idempotencyKey, lifetimeSeconds }) => {
    count += 1;
    const seconds = lifetimeSeconds ?? options.lifetimeSeconds ?? 7200;
    const issuedAt = Math.floor(platform.Date.now() / 1000);
    const callId = String(count).padStart(32, "0");
    return {
      token: tokenOf(issuedAt + seconds, count),
      appId,
      userId,
      roomId: idempotencyKey ? `call_${callId}` : (roomId ?? null),
      privileges: {
        login: privileges?.includes("login") ?? true,
        publish: privileges?.includes("publish") ?? true,
      },
      streamIds: streamIds ?? null,
      issuedAt,
      expiresAt: issuedAt + seconds,
      renewAt: issuedAt + seconds - Math.min(300, Math.max(30, Math.floor(seconds / 10))),
      requestId: `test-${count}`,
      ...(idempotencyKey && {
        callId,
        callees: callees ?? [],
        eventAccepted: callees ? true : null,
      }),
    };
  };
}

/** A string that ZEGO's SDK reads as a Token04. @param {number} expiresAt @param {number} count */
function tokenOf(expiresAt, count) {
  const bytes = new Uint8Array(90).fill(count);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(expiresAt));
  return `04${btoa(String.fromCharCode(...bytes))}`;
}

/** When a Token04 expires, in Unix seconds. @param {string} token */
function expiryOf(token) {
  const bytes = Uint8Array.from(atob(token.slice(2, 14)), (byte) => byte.charCodeAt(0));
  return Number(new DataView(bytes.buffer).getBigInt64(0));
}

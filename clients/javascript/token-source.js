/**
 * Fetches, caches and renews tokens for ZEGO's SDKs from a zego-token-service.
 *
 * Tokens are kept in memory only. No error, log or URL contains a token or a bearer token. Types,
 * units and bounds are in token-source.d.ts.
 *
 * @module
 */

/**
 * @import { AutoRenewal, Binding, Call, IssuedToken, Platform, TokenErrorDetails, TokenRequest, TokenSource, TokenSourceOptions, ZegoEngine } from "./token-source.js"
 */

const TOKENS = "/v1/tokens";
const CALLS = "/api/v1/calls/initiate";

const MESSAGE_HIDDEN = "Its message is not shown: it may contain the token.";

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 8_000;
const LONGEST_RETRY_AFTER_SECONDS = 3_600;
/** The shortest time from one automatic renewal, failed or not, to the next. */
const NEXT_RENEWAL_MS = 20_000;
/** How long `token` waits for a newer token before it returns the current one, if still valid. */
const PATIENCE_MS = 2_000;
/** Renewals are spread over this time before `renewAt`, so that clients do not send at once. */
const JITTER_SECONDS = 60;
/** If no newer token is available, the current one is returned only if it is valid longer. */
const SPARE_LIFE_SECONDS = 60;
/** Timers stop while a machine sleeps. After that a renewal is at most this late. */
const LOOK_MS = 60_000;
/** 24 days. A timer that is set for longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** The form of a Token04. It is not a JWT, and a client can read nothing in it. */
const TOKEN04 = /^04[A-Za-z0-9+/]+={0,2}$/;

/** No error has a part of the bearer token that is this long. */
const SHORTEST_PART = 8;
/** As long as a signature in hex; the service's own texts have no such word. */
const LONG_WORD = /[\w+/=-]{64}/;

/** ZEGO's codes for a token that it cannot decrypt: the ServerSecret may have changed. */
const REFUSED = new Set([1102016, 20014, 50119]);
const EXPIRED = 1102018;
const OUT_OF_THE_ROOM = new Set(["LOGIN_FAILED", "RECONNECT_FAILED", "KICKOUT", "LOGOUT"]);

/**
 * The client's own codes: the message, and whether the same request can succeed later.
 *
 * @type {Record<string, [string, boolean]>}
 */
const OWN_CODES = {
  aborted: ["The caller cancelled the request.", false],
  bad_answer: [
    "The response is invalid: it is HTML, was cut short, or has wrong or missing fields.",
    true,
  ],
  bearer_unavailable: ["getBearer returned no bearer token.", false],
  closed: ["The token source is closed.", false],
  gateway_error: [
    "The response came from API Gateway or a proxy, not from the token service.",
    false,
  ],
  network_error: [
    "No response: offline, a wrong or redirecting url, or CORS settings that omit this page.",
    true,
  ],
  repeated_token: ["The service returned the same token again.", true],
  sdk_error: ["ZEGO's SDK did not accept the token.", false],
  timeout: ["No response arrived in time.", true],
  token_refused: ["ZEGO refuses a new token too. Tell the service's operators.", false],
};
/** What to check if API Gateway refuses a request itself. @type {Record<number, string>} */
const GATEWAY_HINTS = {
  404: "The API has no such path. Is url its base, without a path?",
  431: "The request's headers are too long. Does the bearer token have too many claims?",
};
/** Waiting rarely fixes these: they are retried once instead of `maxRetries` times. */
const TRIED_ONCE_MORE = new Set([
  "bad_answer",
  "bearer_unavailable",
  "internal_error",
  "repeated_token",
]);

/** Why there is no token. It contains no token and no bearer token, so it is safe to log. */
export class TokenError extends Error {
  /** @param {string} code @param {TokenErrorDetails} [details] */
  constructor(code, details = {}) {
    const own = Object.hasOwn(OWN_CODES, code) ? OWN_CODES[code] : undefined;
    const [says, again] = own ?? ["The service refused the request.", false];
    const { detail = says, retryable = again, status, requestId, retryAfterSeconds, help } = details;
    const facts = [code, status, requestId && `request ${requestId}`];
    super(`${detail} (${facts.filter(Boolean).join(", ")})`);
    this.code = code;
    this.detail = detail;
    this.retryable = retryable;
    this.status = status;
    this.requestId = requestId;
    this.retryAfterSeconds = retryAfterSeconds;
    this.help = help;
  }

  get name() {
    return "TokenError";
  }
}

/** @type {typeof import("./token-source.js").createTokenSource} */
export function createTokenSource(options) {
  const { base, getBearer, platform, fetch, timeoutMs, deadlineMs, maxRetries } =
    settingsOf(options);
  const { now, secondsSince, within, pause, later } = timeOf(platform);
  /** The last token of each request. @type {Map<string, Entry>} */
  const entries = new Map();
  /** The fetch in progress for each request. @type {Map<string, Flight>} */
  const flights = new Map();
  /** They cancel the requests in progress. @type {Set<AbortController>} */
  const underWay = new Set();
  /** @type {Set<Bound>} */
  const bindings = new Set();
  const closing = new AbortController();

  /** @type {TokenSource["token"]} */
  async function token({ signal, refresh = false, refusedWith, ...request } = {}) {
    const key = keyOf(request);
    if (closing.signal.aborted) throw reasonOf(closing.signal);
    if (signal?.aborted) throw reasonOf(signal);
    const mayBeCached = !refresh && refusedWith == null;
    const entry = entries.get(key);
    if (mayBeCached && entry && isFresh(entry)) return entry.issued;
    if (refusedWith != null && entry) entry.doubted = true;
    const joined = join(flightFor(key, refusedWith ?? undefined), signal);
    const present = () => {
      const entry = entries.get(key);
      return mayBeCached && hasSpareLife(entry) ? entry.issued : undefined;
    };
    try {
      return await within(present() ? PATIENCE_MS : Infinity, [], () => joined);
    } catch (error) {
      return (error.retryable && present()) || (await joined);
    }
  }

  /** @type {TokenSource["startCall"]} */
  async function startCall({ signal, ...request } = {}) {
    if ("roomId" in request) throw new TypeError("startCall creates the room: do not pass roomId");
    const body = keyOf(request);
    if (closing.signal.aborted) throw reasonOf(closing.signal);
    const signals = signal ? [signal] : [];
    const { call, entry } = await untilClosed(new AbortController(), signals, (inner) =>
      persist(inner, async (refresh) => {
        const { asked, status, said } = await ask(CALLS, body, refresh, inner);
        const call = callIn(said, status);
        return { call, entry: entryOf(call, asked) };
      }),
    );
    keep(keyOf({ ...request, roomId: call.roomId }), entry);
    return call;
  }

  /** @type {TokenSource["invalidate"]} */
  function invalidate(request) {
    const all = () => new Set([...entries.keys(), ...flights.keys()]);
    for (const key of request ? [keyOf(request)] : all()) {
      const entry = entries.get(key);
      if (entry) entry.doubted = true; // kept, to detect a repeated token
      flights.delete(key); // its token still reaches its callers, but is not cached
    }
  }

  /** @type {TokenSource["bindTo"]} */
  function bindTo(engine, binding) {
    if (closing.signal.aborted) throw reasonOf(closing.signal);
    const { roomId } = binding;
    const end = bind({ token, invalidate, freshSecondsOf, pause, later }, engine, binding);
    const bound = { engine, roomId, end };
    // Two bindings of one room would both log in to it.
    for (const other of bindings) {
      if (other.engine === engine && other.roomId === roomId) unbind(other);
    }
    bindings.add(bound);
    return () => unbind(bound);
  }

  /** @type {TokenSource["autoRenew"]} */
  function autoRenew({ onToken, onError, ...request }) {
    if (closing.signal.aborted) throw reasonOf(closing.signal);
    if (typeof onToken !== "function") throw new TypeError("onToken must be a function");
    keyOf(request);
    const parts = { token, freshSecondsOf, pause, later };
    const { halt, renew, renewIfDue, plan } = renewalsOf(
      parts,
      request,
      onToken,
      tellerOf(onError),
    );
    const bound = { end: halt };
    bindings.add(bound);
    if ((freshSecondsOf(request) ?? 0) > 0) plan();
    else renew();
    return Object.freeze({
      renew: () => bindings.has(bound) && renewIfDue(),
      stop: () => unbind(bound),
    });
  }

  /** @param {Bound} bound */
  function unbind(bound) {
    bindings.delete(bound);
    bound.end();
  }

  function close() {
    const reason = new TokenError("closed");
    closing.abort(reason);
    for (const controller of underWay) controller.abort(reason);
    for (const { end } of bindings) end();
    for (const kept of [bindings, entries, flights]) kept.clear();
  }

  // The client's clock is never compared with the service's. A token's age counts from its request,
  // by the client's clock: the token is at most that old.

  /** @param {Entry} entry */
  function isFresh({ doubted, asked, freshSeconds }) {
    return !doubted && secondsSince(asked) < freshSeconds;
  }

  /** For how long its cached token stays fresh, if there is one. @param {TokenRequest} request */
  function freshSecondsOf(request) {
    const entry = entries.get(keyOf(request));
    return entry && !entry.doubted ? entry.freshSeconds - secondsSince(entry.asked) : undefined;
  }

  /** @param {Entry} [entry] @returns {entry is Entry} */
  function hasSpareLife(entry) {
    if (!entry || entry.doubted) return false;
    return entry.lifeSeconds - secondsSince(entry.asked) > SPARE_LIFE_SECONDS;
  }

  /** Caches an entry, and drops expired ones. @param {string} key @param {Entry} entry */
  function keep(key, entry) {
    for (const [other, { asked, lifeSeconds }] of entries) {
      if (secondsSince(asked) >= lifeSeconds) entries.delete(other);
    }
    entries.set(key, entry);
  }

  /**
   * The fetch in progress, or a new one. A request that reports a refusal does not join a fetch
   * without that report, which may return a token of the old secret: it replaces that fetch.
   *
   * @param {string} key @param {number | undefined} refusedWith @returns {Flight}
   */
  function flightFor(key, refusedWith) {
    const current = flights.get(key);
    if (current && (refusedWith ?? current.refusedWith) === current.refusedWith) return current;
    const controller = new AbortController();
    const isCurrent = () => flights.get(key) === flight;
    const landed = untilClosed(controller, [], async (signal) => {
      const entry = await obtain(key, refusedWith, signal);
      if (isCurrent()) keep(key, entry);
      return entry.issued;
    });
    landed.catch(() => {}); // each caller gets the error; there may be none left
    const leave = () => {
      if (isCurrent()) flights.delete(key);
      controller.abort();
    };
    /** @type {Flight} */
    const flight = { refusedWith, callers: 0, landed, leave };
    flights.set(key, flight);
    return flight;
  }

  /**
   * The result of the work; it fails at the deadline or when the source is closed.
   *
   * @template T
   * @param {AbortController} controller @param {AbortSignal[]} signals
   * @param {(signal: AbortSignal) => Promise<T>} work
   */
  function untilClosed(controller, signals, work) {
    underWay.add(controller);
    const done = within(deadlineMs, [controller.signal, ...signals], work);
    return done.finally(() => underWay.delete(controller));
  }

  /** @param {Flight} flight @param {AbortSignal} [signal] */
  async function join(flight, signal) {
    flight.callers += 1;
    try {
      return await within(Infinity, signal ? [signal] : [], () => flight.landed);
    } finally {
      flight.callers -= 1;
      if (flight.callers === 0) flight.leave();
    }
  }

  /** @param {string} key @param {number | undefined} refusedWith @param {AbortSignal} signal */
  function obtain(key, refusedWith, signal) {
    const request = JSON.parse(key);
    const body = JSON.stringify({ ...request, refused_with: refusedWith });
    return persist(signal, async (refresh) => {
      const { asked, status, said } = await ask(TOKENS, body, refresh, signal);
      const issued = issuedIn(said, status, request.room_id ?? null);
      if (issued.token === entries.get(key)?.issued.token) {
        // ZEGO's SDK ignores a renewal with the token that it has, and lets that expire.
        throw new TokenError("repeated_token", { status, requestId: issued.requestId });
      }
      return entryOf(issued, asked);
    });
  }

  /**
   * The result of an attempt, which is retried if that may help.
   *
   * @template T
   * @param {AbortSignal} signal
   * @param {(refresh: boolean) => Promise<T>} attempt gets true if it needs a new bearer token
   */
  async function persist(signal, attempt) {
    const begun = platform.performance.now();
    let refresh = false;
    let refreshed = false;
    for (let retries = 0; ;) {
      try {
        return await attempt(refresh);
      } catch (error) {
        if (error.status === 401 && !refreshed) {
          refresh = refreshed = true;
          continue;
        }
        // If getBearer failed to return a new bearer token, it still has to.
        if (error.code !== "bearer_unavailable") refresh = false;
        const isOffline = platform.navigator?.onLine === false;
        const once = (TRIED_ONCE_MORE.has(error.code) && !isOffline) || error.status === 500;
        const { retryAfterSeconds } = error;
        const backoffMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** retries);
        const waitMs = 1000 * (retryAfterSeconds ?? 0) + platform.Math.random() * backoffMs;
        const leftMs = deadlineMs - (platform.performance.now() - begun);
        const spent = retries >= (once ? Math.min(1, maxRetries) : maxRetries);
        if (!error.retryable || spent || waitMs >= leftMs) throw error;
        await pause(waitMs, signal, retryAfterSeconds === undefined);
        if (signal.aborted) throw error;
        retries += 1;
      }
    }
  }

  /**
   * The service's response to one request, and when that was sent.
   *
   * @param {string} path @param {string} body @param {boolean} refresh @param {AbortSignal} signal
   */
  async function ask(path, body, refresh, signal) {
    const bearer = await bearerFor(refresh, signal);
    const asked = now();
    const exchange = (/** @type {AbortSignal} */ inner) => post(path, body, bearer, inner);
    const { answer, text } = await within(timeoutMs, [signal], exchange);
    if (!answer.ok) throw refusalIn(answer, text, bearer, platform.Date.now());
    return { asked, status: answer.status, said: documentIn(text) };
  }

  /** @param {IssuedToken} issued @param {Instant} asked @returns {Entry} */
  function entryOf(issued, asked) {
    const span = issued.renewAt - issued.issuedAt;
    const freshSeconds = span - platform.Math.random() * Math.min(JITTER_SECONDS, span / 10);
    const lifeSeconds = issued.expiresAt - issued.issuedAt;
    return { issued, asked, freshSeconds, lifeSeconds, doubted: false };
  }

  /** @param {boolean} refresh @param {AbortSignal} signal */
  async function bearerFor(refresh, signal) {
    let detail;
    let retryable = false; // a wrong value stays wrong; a failure may be temporary
    try {
      const bearer = await getBearer({ refresh, signal });
      // The error of fetch would show a value that a header cannot carry.
      if (typeof bearer === "string" && /^[!-~]+$/.test(bearer)) return bearer;
      detail = `getBearer returned ${mistakeIn(bearer)}`;
    } catch (error) {
      const { name } = Object(error); // its message may show the bearer token
      const isPlain = isText(name) && /^\w{1,64}$/.test(name);
      detail = `getBearer failed: ${isPlain ? name : typeof error}. ${MESSAGE_HIDDEN}`;
      retryable = true;
    }
    throw new TokenError("bearer_unavailable", { detail, retryable });
  }

  /** @param {string} path @param {string} body @param {string} bearer @param {AbortSignal} signal */
  async function post(path, body, bearer, signal) {
    try {
      const answer = await fetch(base + path, {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
        body,
        signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
      return { answer, text: await answer.text() };
    } catch {
      throw new TokenError("network_error"); // the original error may show what was sent
    }
  }

  return Object.freeze({ token, startCall, invalidate, bindTo, autoRenew, close });
}

/** @type {typeof import("./token-source.js").kitToken} */
export function kitToken({ token, appId, userId, roomId }, details = {}) {
  const { userName = "", roomId: roomID = roomId } = details;
  if (!roomID) throw new TypeError("the token names no room: pass roomId");
  // UIKit decodes the name as part of a URL, which fails for half an emoji.
  const encodedName = encodeURIComponent(userName.replace(/\p{Surrogate}/gu, "\ufffd"));
  const json = JSON.stringify({ userID: userId, roomID, userName: encodedName, appID: appId });
  // btoa fails above U+00FF, and UIKit reads bytes as characters: escape everything but ASCII.
  const escape = (/** @type {string} */ c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${token}#${btoa(json.replace(/[^ -~]/g, escape))}`;
}

/**
 * Renews the token of a request before it expires, or when `renew` is called.
 *
 * @param {Parts} parts
 * @param {TokenRequest} request
 * @param {(issued: IssuedToken) => unknown} give passes a token on; false or an error: not accepted
 * @param {(error: unknown) => void} tell
 */
function renewalsOf({ token, freshSecondsOf, pause, later }, request, give, tell) {
  let underWay = new AbortController();
  let cancelPlan = () => {};
  let isAsking = false;
  /** Whether the SDK has the cached token, as far as we know. */
  let isGiven = false;

  const halt = () => {
    cancelPlan();
    underWay.abort();
    isAsking = isGiven = false;
  };

  /** Replaces the task in progress. @param {(signal: AbortSignal) => Promise<void>} task */
  const begin = (task) => {
    halt();
    const { signal } = (underWay = new AbortController());
    task(signal).catch((error) => signal.aborted || tell(error));
  };

  /**
   * A new token instead of the cached one. The SDK asks only once, so this retries until a token
   * arrives or an error is final.
   *
   * @param {AbortSignal} signal @param {number} [refusedWith]
   */
  const fresh = async (signal, refusedWith) => {
    isAsking = true;
    try {
      for (;;) {
        try {
          return await token({ ...request, refresh: true, refusedWith, signal });
        } catch (error) {
          if (!error.retryable || signal.aborted) throw error;
          tell(error);
          const { retryAfterSeconds } = error;
          const waitMs = Math.max(NEXT_RENEWAL_MS, 1000 * (retryAfterSeconds ?? 0));
          await pause(waitMs, signal, retryAfterSeconds === undefined);
        }
      }
    } finally {
      if (!signal.aborted) isAsking = false;
    }
  };

  const renew = () =>
    begin(async (signal) => {
      const issued = await fresh(signal);
      if (signal.aborted) return; // cancelled at that moment
      plan(0); // whatever happens to this token, the next renewal is in time
      isGiven = true; // already now: if the client's clock is ahead, the SDK asks at once
      try {
        if ((await give(issued)) === false) throw new TokenError("sdk_error");
      } catch (error) {
        if (!signal.aborted) isGiven = false;
        throw error;
      }
    });

  /**
   * Renews when the SDK asks. The SDK uses the client's clock: if that is ahead, it asks again
   * after each new token. So a token that is still fresh is not replaced.
   */
  const renewIfDue = () => {
    const isEarly = isGiven && (freshSecondsOf(request) ?? 0) > 0;
    if (!isAsking && !isEarly) renew();
  };

  /** @param {number} [otherwise] in how many seconds, if no token of the request is cached */
  const plan = (otherwise) => {
    cancelPlan();
    const seconds = freshSecondsOf(request) ?? otherwise;
    if (seconds !== undefined) cancelPlan = later(Math.max(NEXT_RENEWAL_MS, 1000 * seconds), renew);
  };

  return { halt, begin, fresh, renew, renewIfDue, plan };
}

/**
 * Renews the token of one room of an engine, and logs in again if ZEGO refuses it.
 *
 * @param {Parts & Pick<TokenSource, "invalidate">} parts
 * @param {ZegoEngine} engine
 * @param {Binding} binding
 */
function bind(parts, engine, { userName, roomConfig, onError, onRenewed, ...request }) {
  const { roomId } = request;
  if (typeof roomId !== "string" || !roomId) throw new TypeError("bindTo needs a roomId");
  keyOf(request);
  const tell = tellerOf(onError);
  /** @param {IssuedToken} issued */
  const give = (issued) => {
    if (!engine.renewToken(issued.token, roomId)) return false;
    if (onRenewed) callSafely(() => onRenewed(issued));
    return true;
  };
  // The SDK uses the client's clock: if that is behind, it asks after the token has expired.
  const { halt, begin, fresh, renewIfDue, plan } = renewalsOf(parts, request, give, tell);
  let isSecondTry = false;

  /** @param {number} code */
  const logInAgain = (code) => async (/** @type {AbortSignal} */ signal) => {
    const issued = await fresh(signal, REFUSED.has(code) ? code : undefined);
    if (signal.aborted) return;
    isSecondTry = true;
    try {
      await engine.loginRoom(roomId, issued.token, { userID: issued.userId, userName }, roomConfig);
    } catch (error) {
      if (isAboutToken(error?.code)) return; // roomStateChanged reports it too
      isSecondTry = false;
      throw new TokenError("sdk_error", { detail: `The new login failed: ${error?.code}.` });
    }
  };

  /** @param {string} room */
  const onTokenWillExpire = (room) => {
    if (room === roomId) renewIfDue();
  };

  /** @param {string} room @param {string} reason @param {number} code */
  const onRoomStateChanged = (room, reason, code) => {
    if (room !== roomId) return;
    if (reason === "LOGINED" || reason === "RECONNECTED") isSecondTry = false;
    if (reason === "LOGINED") {
      halt(); // the app logged in first
      plan();
    }
    if (!OUT_OF_THE_ROOM.has(reason)) return;
    // For a room that the user left, the SDK would use the token in another room of the engine.
    halt();
    if (!isAboutToken(code)) return;
    const detail = `ZEGO refuses a new token too: ${code}. Tell the service's operators.`;
    if (!isSecondTry) return begin(logInAgain(code));
    parts.invalidate(request); // the next login needs another token
    tell(new TokenError("token_refused", { detail }));
  };

  engine.on("tokenWillExpire", onTokenWillExpire);
  engine.on("roomStateChanged", onRoomStateChanged);
  return () => {
    engine.off("tokenWillExpire", onTokenWillExpire);
    engine.off("roomStateChanged", onRoomStateChanged);
    halt();
  };
}

/**
 * Reports errors to the app. An error that its `onError` throws is ignored.
 *
 * @param {Binding["onError"]} [onError] @returns {(error: unknown) => void}
 */
function tellerOf(onError = console.error) {
  return (error) => {
    const told = error instanceof TokenError ? error : new TokenError("sdk_error");
    callSafely(() => onError(told));
  };
}

/** Keeps a callback's errors away from the SDK. @param {() => unknown} callback */
function callSafely(callback) {
  (async () => callback())().catch(() => {});
}

/** @param {number} code */
function isAboutToken(code) {
  return REFUSED.has(code) || code === EXPIRED;
}

/** The options; a missing or null one has its default. @param {TokenSourceOptions} options */
function settingsOf({ url, getBearer, platform = globalThis, ...others }) {
  const fetch = others.fetch ?? ((...request) => platform.fetch(...request));
  const { timeoutMs, deadlineMs, maxRetries } = others;
  const numbers = {
    timeoutMs: timeoutMs ?? 10_000,
    deadlineMs: deadlineMs ?? 30_000,
    maxRetries: maxRetries ?? 5,
  };
  for (const [name, given] of Object.entries({ getBearer, fetch })) {
    if (typeof given !== "function") throw new TypeError(`${name} must be a function`);
  }
  for (const name of /** @type {const} */ (["timeoutMs", "deadlineMs"])) {
    if (typeof numbers[name] !== "number" || !(numbers[name] > 0)) {
      throw new TypeError(`${name} must be a number of milliseconds above 0`);
    }
  }
  if (!Number.isInteger(numbers.maxRetries) || numbers.maxRetries < 0) {
    throw new TypeError("maxRetries must be a whole number, 0 or more");
  }
  return { base: baseOf(url), getBearer, platform, fetch, ...numbers };
}

/** The API's base, without a trailing slash. @param {string | URL} url */
function baseOf(url) {
  let base;
  try {
    base = new URL(url);
  } catch {
    throw new TypeError("url must be the API's base, such as https://tokens.example.com");
  }
  const isLoopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(base.hostname);
  if (base.protocol !== "https:" && !(base.protocol === "http:" && isLoopback)) {
    throw new TypeError("url must be https; http is allowed for localhost only");
  }
  if (base.username || base.password || base.search || base.hash) {
    throw new TypeError("url must not contain a user, a query or a fragment");
  }
  return base.origin + base.pathname.replace(/\/+$/, "");
}

/**
 * The body of a request. Equal requests have equal bodies.
 *
 * @param {TokenRequest} request
 */
function keyOf({ roomId, privileges, streamIds, lifetimeSeconds, ...unknown }) {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw new TypeError(`a token request has no field ${name}`);
  const sorted = (/** @type {unknown} */ values) =>
    Array.isArray(values) ? [...values].sort() : (values ?? undefined);
  return JSON.stringify({
    room_id: roomId ?? undefined,
    privileges: sorted(privileges),
    stream_ids: sorted(streamIds),
    lifetime_seconds: lifetimeSeconds ?? undefined,
  });
}

/**
 * The token in a response of {@link TOKENS}.
 *
 * @param {Record<string, any>} said @param {number} status @param {string | null} askedRoomId
 */
function issuedIn(said, status, askedRoomId) {
  if (said.room_id !== askedRoomId) throw new TokenError("bad_answer", { status });
  return issuedOf(
    {
      ...said,
      appId: said.app_id,
      userId: said.user_id,
      roomId: said.room_id,
      streamIds: said.stream_ids,
      issuedAt: said.issued_at,
      expiresAt: said.expires_at,
      renewAt: said.renew_at,
      requestId: said.request_id,
    },
    status,
  );
}

/**
 * The call in a response of {@link CALLS}.
 *
 * @param {Record<string, any>} said @param {number} status @returns {Call}
 */
function callIn({ callId, zegoRoom, ...said }, status) {
  const issued = issuedOf({ ...said, ...zegoRoom }, status);
  const { roomId } = issued;
  if (!isText(callId) || !isText(roomId)) throw new TokenError("bad_answer", { status });
  return Object.freeze({ ...issued, roomId, callId });
}

/** @param {Record<string, any>} fields @param {number} status @returns {IssuedToken} */
function issuedOf(fields, status) {
  const { token, appId, userId, roomId, privileges, streamIds } = fields;
  const { issuedAt, expiresAt, renewAt, requestId } = fields;
  const isGood =
    [token, userId, requestId].every(isText) &&
    TOKEN04.test(token) &&
    [appId, issuedAt, renewAt, expiresAt].every(Number.isSafeInteger) &&
    issuedAt <= renewAt &&
    renewAt < expiresAt &&
    [privileges?.login, privileges?.publish].every((value) => typeof value === "boolean") &&
    (streamIds === null || (Array.isArray(streamIds) && streamIds.every(isText)));
  if (!isGood) throw new TokenError("bad_answer", { status });
  return Object.freeze({
    token,
    appId,
    userId,
    roomId,
    privileges: Object.freeze({ login: privileges.login, publish: privileges.publish }),
    streamIds: streamIds && Object.freeze(streamIds),
    issuedAt,
    expiresAt,
    renewAt,
    requestId,
  });
}

/** What getBearer returned by mistake, without showing it. @param {unknown} bearer */
function mistakeIn(bearer) {
  if (typeof bearer === "object" && bearer) return "an object. Return its access_token instead.";
  if (bearer === "") return "an empty string. Is the user signed in?";
  if (bearer == null) return `${bearer}. Is the user signed in?`;
  if (typeof bearer !== "string") return `a ${typeof bearer} instead of a string.`;
  if (/^bearer /i.test(bearer)) return 'a string with "Bearer " before the token. Leave that out.';
  return "a string with white space or other characters that a header cannot carry.";
}

/** @param {unknown} value @returns {value is string} */
function isText(value) {
  return typeof value === "string" && value !== "";
}

/**
 * @param {Response} response @param {string} text
 * @param {string} bearer must not appear in the error
 * @param {number} nowMs
 */
function refusalIn({ status, headers }, text, bearer, nowMs) {
  const isProblem = /^application\/problem\+json\b/i.test(headers.get("content-type") ?? "");
  const problem = isProblem ? documentIn(text) : {};
  const quoted = (/** @type {unknown} */ value, /** @type {RegExp} */ form) =>
    typeof value === "string" && form.test(value) && !reveals(value, bearer) ? value : undefined;
  const code = quoted(problem.code, /^[a-z_]{1,64}$/) ?? "gateway_error";
  const hint = code === "gateway_error" ? GATEWAY_HINTS[status] : undefined;
  return new TokenError(code, {
    status,
    detail: quoted(problem.detail, /^[^\p{C}\p{Zl}\p{Zp}]{1,1000}$/u) ?? hint,
    requestId: quoted(problem.request_id ?? headers.get("apigw-requestid"), /^[\w+/=:.-]{1,128}$/),
    // The service marks a 401 as retryable if it may soon know the bearer token's key.
    retryable: isProblem
      ? problem.retryable === true && (status === 401 || status === 429 || status >= 500)
      : status === 429 || status >= 500,
    retryAfterSeconds: retryAfterIn(headers, nowMs),
    help: quoted(problem.help, /^https?:\/\/[\x21-\x7e]{1,400}$/),
  });
}

/**
 * Whether a text repeats a part of a secret, or has a word as long as those of tokens.
 *
 * @param {string} text @param {string} secret
 */
function reveals(text, secret) {
  const size = Math.min(SHORTEST_PART, secret.length);
  const parts = Array.from({ length: text.length }, (_, at) => text.slice(at, at + size));
  return LONG_WORD.test(text) || parts.some((part) => part.length === size && secret.includes(part));
}

/** @param {Headers} headers @param {number} nowMs used if they have no date */
function retryAfterIn(headers, nowMs) {
  const value = headers.get("retry-after") ?? "";
  const sentMs = Date.parse(headers.get("date") ?? "") || nowMs;
  const isDate = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value); // "1.5" would be in 2001
  const waitMs = isDate ? Date.parse(value) - sentMs : NaN;
  const seconds = /^\d+$/.test(value) ? Number(value) : waitMs / 1000;
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(LONGEST_RETRY_AFTER_SECONDS, Math.max(0, Math.ceil(seconds)));
}

/** The JSON object in a text, or an empty object. @param {string} text */
function documentIn(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {}; // the original error may show a token
  }
}

/** @param {AbortSignal} signal */
function reasonOf({ reason }) {
  return reason instanceof TokenError ? reason : new TokenError("aborted");
}

/** Clocks and waiting. @param {Platform} platform @returns {Time} */
function timeOf(platform) {
  const now = () => ({ wall: platform.Date.now(), monotonic: platform.performance.now() });

  /**
   * The larger value of two clocks: in some browsers the monotonic clock stops while the machine
   * sleeps, and the wall clock can be set back.
   *
   * @type {Time["secondsSince"]}
   */
  const secondsSince = ({ wall, monotonic }) =>
    Math.max(platform.Date.now() - wall, platform.performance.now() - monotonic) / 1000;

  /** @type {Time["within"]} */
  function within(ms, signals, work) {
    const inner = new AbortController();
    const over = new AbortController();
    /** @type {number | undefined} */
    let timer;
    const stopped = new Promise((_, reject) => {
      const stop = (/** @type {TokenError} */ error) => {
        reject(error);
        inner.abort(error);
      };
      const timeOut = () => stop(new TokenError("timeout"));
      if (ms <= LONGEST_TIMER_MS) timer = platform.setTimeout(timeOut, ms);
      for (const signal of signals) {
        const abort = () => stop(reasonOf(signal));
        if (signal.aborted) abort();
        else signal.addEventListener("abort", abort, { signal: over.signal });
      }
    });
    const done = inner.signal.aborted ? stopped : Promise.race([stopped, work(inner.signal)]);
    return done.finally(() => {
      platform.clearTimeout(timer);
      over.abort();
    });
  }

  /** @type {Time["pause"]} */
  const pause = (ms, signal, untilOnline) =>
    new Promise((resolve) => {
      const over = new AbortController();
      const end = () => {
        platform.clearTimeout(timer);
        over.abort();
        resolve();
      };
      const timer = platform.setTimeout(end, ms);
      if (signal.aborted) end();
      else signal.addEventListener("abort", end, { signal: over.signal });
      if (untilOnline) platform.addEventListener?.("online", end, { signal: over.signal });
    });

  /** @type {Time["later"]} */
  const later = (ms, task) => {
    const begun = now();
    /** @type {any} */
    let timer;
    const look = () => {
      const leftMs = ms - 1000 * secondsSince(begun);
      if (leftMs <= 0) return task();
      timer = platform.setTimeout(look, Math.min(leftMs, LOOK_MS));
      timer?.unref?.(); // Node's
    };
    look();
    return () => platform.clearTimeout(timer);
  };

  return { now, secondsSince, within, pause, later };
}

/**
 * @typedef {{ wall: number, monotonic: number }} Instant milliseconds of two clocks
 *
 * @typedef {object} Entry the cached token of a request
 * @property {IssuedToken} issued
 * @property {Instant} asked when the request was sent
 * @property {number} freshSeconds for how long after that the cache returns it
 * @property {number} lifeSeconds for how long after that it is valid, at least
 * @property {boolean} doubted the cache no longer returns it
 *
 * @typedef {object} Flight a fetch in progress, and how many callers wait for it
 * @property {number | undefined} refusedWith
 * @property {number} callers
 * @property {Promise<IssuedToken>} landed
 * @property {() => void} leave called when its last caller has left
 *
 * @typedef {object} Bound a binding or an automatic renewal
 * @property {() => void} end
 * @property {ZegoEngine} [engine]
 * @property {string} [roomId]
 *
 * @typedef {object} Parts the parts of its source that a renewal needs
 * @property {TokenSource["token"]} token
 * @property {(request: TokenRequest) => number | undefined} freshSecondsOf
 * @property {Time["pause"]} pause
 * @property {Time["later"]} later
 *
 * @typedef {object} Time
 * @property {() => Instant} now
 * @property {(then: Instant) => number} secondsSince
 * @property {<T>(ms: number, signals: AbortSignal[], work: (signal: AbortSignal) => Promise<T>) => Promise<T>} within
 *   the result of the work; if time is up or a signal aborts, it rejects and aborts the work
 * @property {(ms: number, signal: AbortSignal, untilOnline: boolean) => Promise<void>} pause
 *   ends early if the signal aborts or the browser is online again
 * @property {(ms: number, task: () => void) => () => void} later
 *   returns a function that cancels it; it does not keep Node running
 */

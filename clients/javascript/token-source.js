/**
 * Fetches, caches and renews tokens for ZEGO's SDKs, from a zego-token-service or from an app's own
 * backend.
 *
 * Tokens are kept in memory only. No error, log or URL contains a token or a bearer token. Types,
 * units and bounds are in token-source.d.ts.
 *
 * @module
 */

/**
 * @import { AutoRenewal, Binding, Call, IssuedToken, Platform, TokenErrorDetails, TokenRequest, TokenSource, TokenSourceOptions, ZegoEngine } from "./token-source.js"
 */

/** The service's routes, and the options that replace them. */
const TOKENS = { path: "/v1/tokens", option: /** @type {const} */ ("fetchToken") };
const CALLS = { path: "/v1/calls", option: /** @type {const} */ ("fetchCall") };

const OPTIONS = [
  ...["url", "getBearer", "fetchToken", "fetchCall", "fetch"],
  ...["timeoutMs", "deadlineMs", "maxRetries", "platform"],
];
/** The fields of a request: their names in the service's API. */
const REQUEST_FIELDS = {
  roomId: "room_id",
  privileges: "privileges",
  streamIds: "stream_ids",
  lifetimeSeconds: "lifetime_seconds",
};
const NAME_OF_FIELD = { ...REQUEST_FIELDS, callees: "callees", refusedWith: "refused_with" };
const FIELDS = Object.keys(REQUEST_FIELDS);
/** The options of each function. */
const OPTIONS_OF = {
  token: [...FIELDS, "signal", "refresh", "refusedWith"],
  startCall: [...FIELDS.slice(1), "callees", "idempotencyKey", "signal"], // its room is new
  bindTo: [...FIELDS, "userName", "roomConfig", "onRenewed", "onError"],
  autoRenew: [...FIELDS, "onToken", "onError"],
};

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
/** Its characters. Responses of the service have a few thousand. */
const LONGEST_RESPONSE = 256 * 1024;
/** The form of a Token04. It is not a JWT, and a client can read nothing in it. */
const TOKEN04 = /^04[A-Za-z0-9+/]+={0,2}$/;

/** No error has a part of the bearer token that is this long. */
const SHORTEST_PART = 8;
/** As long as a signature in hex; the service's own texts have no such word. */
const LONG_WORD = /[\w+/=-]{64}/;
/** What may be a secret in the text of another library's error. */
const POSSIBLE_SECRET = /[\w+=~-]{20}/;
/** A line of a stack, in Chromium and Node, or in Firefox and Safari. */
const STACK_LINE = /^(\s+at |[^\s@]*@).*:\d+:\d+\)?$/;
const MOST_CAUSES = 3;

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
  fetch_token_failed: ["fetchToken or fetchCall failed.", true],
  gateway_error: [
    "The response came from API Gateway or a proxy, not from the token service.",
    false,
  ],
  network_error: ["No response: offline, or a wrong or redirecting url.", true],
  repeated_token: ["The service returned the same token again.", true],
  sdk_error: ["ZEGO's SDK did not accept the token.", false],
  timeout: ["No response arrived in time.", true],
  token_refused: ["ZEGO refuses a new token too. Tell the service's operators.", false],
};
const WRONG_BASE = "Is url the API's base, the output ApiUrl, without a path?";
/** What to check if API Gateway refuses a request itself. @type {Record<number, string>} */
const GATEWAY_HINTS = {
  404: `The API has no such path. ${WRONG_BASE}`,
  405: `This is not the API, or not its path. ${WRONG_BASE}`,
  431: "The request's headers are too long. Does the bearer token have too many claims?",
};
/** Waiting rarely fixes these: they are retried once instead of `maxRetries` times. */
const TRIED_ONCE_MORE = new Set([
  "bad_answer",
  "bearer_unavailable",
  "fetch_token_failed",
  "internal_error",
  "repeated_token",
]);

/** Why there is no token. It contains no token and no bearer token, so it is safe to log. */
export class TokenError extends Error {
  /** @param {string} code @param {TokenErrorDetails} [details] */
  constructor(code, details = {}) {
    const own = Object.hasOwn(OWN_CODES, code) ? OWN_CODES[code] : undefined;
    const [says, again] = own ?? ["The service refused the request.", false];
    const {
      detail = says,
      retryable = again,
      status,
      requestId,
      retryAfterSeconds,
      help,
    } = details;
    const facts = [code, status, requestId && `request ${requestId}`];
    const { cause } = details;
    super(`${detail} (${facts.filter(Boolean).join(", ")})`, cause === undefined ? {} : { cause });
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
  const { platform, timeoutMs, deadlineMs, maxRetries, ...settings } = settingsOf(options);
  const { base, getBearer, fetch } = settings;
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
  async function token(options = {}) {
    refuseUnknown("a token request", options, OPTIONS_OF.token);
    const { signal, refresh = false, refusedWith, ...request } = options;
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
  async function startCall(options = {}) {
    refuseUnknown("startCall", options, OPTIONS_OF.startCall);
    const { signal, callees, idempotencyKey, ...request } = options;
    if (settings.fetchToken && !settings.fetchCall) {
      throw new TypeError("startCall needs the option fetchCall of createTokenSource");
    }
    const key = idempotencyKey ?? randomKey(platform); // so that retries are one call
    if (typeof key !== "string" || !/^[!-~]{1,255}$/.test(key)) {
      throw new TypeError("idempotencyKey must be 1 to 255 visible ASCII characters");
    }
    const asks = { ...JSON.parse(keyOf(request)), callees: callees ?? undefined };
    if (closing.signal.aborted) throw reasonOf(closing.signal);
    const signals = signal ? [signal] : [];
    const { call, entry } = await untilClosed(new AbortController(), signals, (inner) =>
      persist(inner, async (refresh) => {
        const { asked, ...answer } = await ask(CALLS, asks, refresh, inner, key);
        const call = callIn(answer);
        return { call, entry: entryOf(call, asked) };
      }),
    );
    keep(keyOf({ ...request, roomId: call.roomId }), entry);
    return call;
  }

  /** @type {TokenSource["invalidate"]} */
  function invalidate(request) {
    const all = () => new Set([...entries.keys(), ...flights.keys()]);
    if (request) refuseUnknown("a token request", request, FIELDS);
    for (const key of request ? [keyOf(request)] : all()) {
      const entry = entries.get(key);
      if (entry) entry.doubted = true; // kept, to detect a repeated token
      flights.delete(key); // its token still reaches its callers, but is not cached
    }
  }

  /** @type {TokenSource["bindTo"]} */
  function bindTo(engine, binding) {
    if (closing.signal.aborted) throw reasonOf(closing.signal);
    if (typeof Object(engine).on !== "function") {
      throw new TypeError(`bindTo needs a ZegoExpressEngine first, not ${kindOf(engine)}`);
    }
    refuseUnknown("bindTo", binding, OPTIONS_OF.bindTo);
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
  function autoRenew(renewal) {
    refuseUnknown("autoRenew", renewal, OPTIONS_OF.autoRenew);
    const { onToken, onError, ...request } = renewal;
    if (closing.signal.aborted) throw reasonOf(closing.signal);
    if (typeof onToken !== "function") throw new TypeError("onToken must be a function");
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
    return persist(signal, async (refresh) => {
      const { asked, ...answer } = await ask(TOKENS, { ...request, refusedWith }, refresh, signal);
      const issued = issuedIn(answer);
      if (issued.roomId !== (request.roomId ?? null)) {
        const detail = "The token is not for the requested room.";
        throw new TokenError("bad_answer", { status: answer.status, detail });
      }
      if (issued.token === entries.get(key)?.issued.token) {
        // ZEGO's SDK ignores a renewal with the token that it has, and lets that expire.
        const { status } = answer;
        const detail =
          settings.fetchToken && "fetchToken returned the same token again: do not cache.";
        throw new TokenError("repeated_token", { status, requestId: issued.requestId, detail });
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
   * The document in the response to one request, and when that was sent.
   *
   * @param {typeof TOKENS | typeof CALLS} route @param {Record<string, any>} request
   * @param {boolean} refresh @param {AbortSignal} signal @param {string} [idempotencyKey]
   */
  async function ask({ path, option }, request, refresh, signal, idempotencyKey) {
    const fetcher = settings[option];
    const bearer = fetcher ? "" : await bearerFor(refresh, signal);
    const asked = now();
    const answer = await within(timeoutMs, [signal], (inner) =>
      fetcher
        ? fetchFrom(option, fetcher, { ...request, idempotencyKey }, { refresh, signal: inner })
        : post(path, request, bearer, inner, idempotencyKey),
    );
    return { asked, ...answer };
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
    let bearer;
    try {
      bearer = await getBearer({ refresh, signal });
    } catch (error) {
      // It may be temporary, unlike a wrong value. A status in it is not the service's.
      const details = { ...failureOf("getBearer", error), retryable: true, status: undefined };
      throw new TokenError("bearer_unavailable", details);
    }
    // The error of fetch would show a value that a header cannot carry.
    if (typeof bearer === "string" && /^(?!(undefined|null)$)[!-~]+$/.test(bearer)) return bearer;
    const detail = `getBearer returned ${mistakeIn(bearer)}`;
    throw new TokenError("bearer_unavailable", { detail });
  }

  /**
   * @param {string} path @param {Record<string, any>} request @param {string} bearer
   * @param {AbortSignal} signal @param {string | undefined} idempotencyKey
   * @returns {Promise<Reply>}
   */
  async function post(path, request, bearer, signal, idempotencyKey) {
    const fields = Object.entries(NAME_OF_FIELD).map(([name, named]) => [named, request[name]]);
    let answer, text;
    try {
      answer = await fetch(base + path, {
        method: "POST",
        headers: {
          authorization: `Bearer ${bearer}`,
          "content-type": "application/json",
          ...(idempotencyKey && { "idempotency-key": idempotencyKey }),
        },
        body: JSON.stringify(Object.fromEntries(fields)),
        signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
      text = await textOf(answer);
    } catch (error) {
      if (error instanceof TokenError) throw error;
      const detail = noResponse(base, platform);
      throw new TokenError("network_error", { detail, cause: causeOf(error, bearer) });
    }
    return documentOf(answer, text, platform.Date.now(), bearer);
  }

  /**
   * What the app's own backend returns: a response of `fetch`, or the document in it.
   *
   * @param {"fetchToken" | "fetchCall"} name
   * @param {(request: any, ask: { refresh: boolean, signal: AbortSignal }) => unknown} fetcher
   * @param {Record<string, unknown>} request
   * @param {{ refresh: boolean, signal: AbortSignal }} how
   * @returns {Promise<Reply>}
   */
  async function fetchFrom(name, fetcher, request, how) {
    const given = Object.entries(request).filter(([, value]) => value !== undefined);
    let returned, text;
    try {
      returned = Object(await fetcher(Object.fromEntries(given), how));
      if (isResponse(returned) && !returned.bodyUsed) text = await textOf(returned);
    } catch (error) {
      if (error instanceof TokenError) throw error;
      const details = failureOf(name, error);
      // A TypeError is what fetch throws if there is no response.
      const code = error instanceof TypeError ? "network_error" : "fetch_token_failed";
      throw new TokenError(details.status ? "gateway_error" : code, details);
    }
    const nowMs = platform.Date.now();
    if (text !== undefined) {
      const answer = documentOf(returned, text, nowMs, "", name);
      return { ...answer, atSeconds: Date.parse(returned.headers?.get("date")) / 1000 };
    }
    if ("token" in returned) return { said: returned };
    const { status, code } = returned;
    if (Number.isInteger(status) && isText(code)) {
      const headers = new Headers({ "content-type": "application/problem+json" });
      throw refusalIn({ status, headers }, JSON.stringify(returned), nowMs, "", name);
    }
    const detail = `${name} must return the service's response: that of fetch, or its parsed JSON.`;
    throw new TokenError("bad_answer", { detail, retryable: false });
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
    const detail =
      code === EXPIRED
        ? `ZEGO finds a new token expired too: ${code}. A backend or proxy caches tokens.`
        : `ZEGO refuses a new token too: ${code}. Tell the service's operators.`;
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
function settingsOf(options = /** @type {any} */ ({})) {
  refuseUnknown("createTokenSource", options, OPTIONS);
  const { url, getBearer, fetchToken, fetchCall, platform: given, ...others } = options;
  const platform = given ?? globalThis;
  const fetch = others.fetch ?? ((...request) => platform.fetch(...request));
  const { timeoutMs, deadlineMs, maxRetries } = others;
  const numbers = {
    timeoutMs: timeoutMs ?? 10_000,
    deadlineMs: deadlineMs ?? 30_000,
    maxRetries: maxRetries ?? 5,
  };
  const isOwn = fetchToken != null;
  if (!isOwn && url == null && getBearer == null && fetchCall == null) {
    throw new TypeError(
      "createTokenSource needs url and getBearer, or fetchToken. Both are undefined.",
    );
  }
  if (isOwn && (url != null || getBearer != null || others.fetch != null)) {
    throw new TypeError("fetchToken replaces url, getBearer and fetch: pass either");
  }
  if (!isOwn && fetchCall != null) throw new TypeError("fetchCall needs fetchToken as well");
  const functions = isOwn
    ? { fetchToken, fetchCall: fetchCall ?? fetchToken }
    : { getBearer, fetch };
  for (const [name, given] of Object.entries(functions)) {
    if (typeof given !== "function") {
      throw new TypeError(`${name} must be a function, not ${kindOf(given)}`);
    }
  }
  for (const name of /** @type {const} */ (["timeoutMs", "deadlineMs"])) {
    if (typeof numbers[name] !== "number" || !(numbers[name] > 0)) {
      throw new TypeError(`${name} must be a number of milliseconds above 0`);
    }
  }
  if (!Number.isInteger(numbers.maxRetries) || numbers.maxRetries < 0) {
    throw new TypeError("maxRetries must be a whole number, 0 or more");
  }
  return {
    base: isOwn ? "" : baseOf(url),
    getBearer: getBearer ?? (() => ""),
    fetchToken,
    fetchCall,
    platform,
    fetch,
    ...numbers,
  };
}

/** The API's base, without a trailing slash. @param {unknown} url */
function baseOf(url) {
  if (url == null || url === "" || url === "undefined" || url === "null") {
    const given = url === "" ? "an empty string" : url;
    throw new TypeError(
      `url must be the API's base, not ${given}: is its variable set in your build?`,
    );
  }
  if (typeof url !== "string" && !(url instanceof URL)) {
    throw new TypeError(`url must be a string or a URL, not ${kindOf(url)}`);
  }
  let base;
  try {
    base = new URL(url);
  } catch {
    base = undefined;
  }
  if (!base || !/^https?:$/.test(base.protocol)) {
    throw new TypeError(
      "url must begin with https:// or http://, such as https://tokens.example.com",
    );
  }
  if (base.protocol === "http:" && !isLoopback(base)) {
    throw new TypeError("url must be https; http is allowed for localhost only");
  }
  if (base.username || base.password || base.search || base.hash) {
    throw new TypeError("url must not contain a user, a query or a fragment");
  }
  const [route] = /(\/api)?\/v1\/(tokens|calls|service|status)\b.*$/.exec(base.pathname) ?? [];
  if (route) throw new TypeError(`url must be the API's base: leave out ${route}`);
  return base.origin + base.pathname.replace(/\/+$/, "");
}

/** @param {URL} url */
function isLoopback({ hostname }) {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

/**
 * Refuses a misspelled name: it would be ignored.
 *
 * @param {string} what @param {object} given @param {string[]} known
 */
function refuseUnknown(what, given, known) {
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`${what}: pass an object, not ${kindOf(given)}`);
  }
  const name = Object.keys(given).find((name) => !known.includes(name));
  if (name === undefined) return;
  const plain = (/** @type {string} */ text) => text.replace(/[^a-z]/gi, "").toLowerCase();
  const like = known.filter((each) => plain(each).startsWith(plain(name)));
  const near = known.find((each) => plain(each) === plain(name)) ?? (like.length === 1 && like[0]);
  const hint = near ? `Did you mean ${near}?` : `There are: ${known.join(", ")}.`;
  throw new TypeError(`${what} has no option ${name}. ${hint}`);
}

/** Why there was no response. @param {string} base @param {Platform} platform */
function noResponse(base, { navigator, location }) {
  if (navigator?.onLine === false) return "This machine is offline.";
  const isLocal = isLoopback(new URL(base));
  const reason = isLocal ? "no server runs there" : "offline, or a wrong or redirecting url";
  const from = `No response from ${base}: ${reason}`;
  const origin = location?.origin;
  if (!origin || base.startsWith(`${origin}/`) || base === origin) return `${from}.`;
  if (!/^https?:/.test(origin)) {
    return `${from}. A page without an origin cannot be allowed: serve it over HTTP.`;
  }
  const allow = isLocal
    ? `make run RUN_ARGS='--allow-origin ${origin}'`
    : `the stack parameter AllowedOrigins needs ${origin}`;
  return `${from}, or CORS settings that omit this page. To allow it: ${allow}.`;
}

/** @param {Platform} platform */
function randomKey({ crypto }) {
  const bytes = (crypto ?? globalThis.crypto).getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The body of a request. Equal requests have equal bodies.
 *
 * @param {TokenRequest} request
 */
function keyOf({ roomId, privileges, streamIds, lifetimeSeconds }) {
  const sorted = (/** @type {unknown} */ values) =>
    Array.isArray(values) ? [...values].sort() : (values ?? undefined);
  return JSON.stringify({
    roomId: roomId ?? undefined,
    privileges: sorted(privileges),
    streamIds: sorted(streamIds),
    lifetimeSeconds: lifetimeSeconds ?? undefined,
  });
}

const TEXT = { is: isText, form: "a string" };
const WHOLE = { is: Number.isSafeInteger, form: "a whole number" };
const TEXTS = {
  is: (/** @type {unknown} */ value) => Array.isArray(value) && value.every(isText),
  form: "a list of strings",
};
const orNull = (/** @type {Form} */ { is, form }) => ({
  is: (/** @type {any} */ value) => value === null || is(value),
  form: `${form} or null`,
});
const BOOLEAN = {
  is: (/** @type {unknown} */ value) => typeof value === "boolean",
  form: "true or false",
};
const PRIVILEGES = {
  is: (/** @type {any} */ value) => BOOLEAN.is(value?.login) && BOOLEAN.is(value?.publish),
  form: "an object with login and publish",
};
/** The fields of a token: names in the service's API, and forms. @type {Record<string, [string, Form]>} */
const TOKEN_FIELDS = {
  token: ["token", TEXT],
  appId: ["app_id", WHOLE],
  userId: ["user_id", TEXT],
  roomId: ["room_id", orNull(TEXT)],
  privileges: ["privileges", PRIVILEGES],
  streamIds: ["stream_ids", orNull(TEXTS)],
  issuedAt: ["issued_at", WHOLE],
  expiresAt: ["expires_at", WHOLE],
  renewAt: ["renew_at", WHOLE],
  requestId: ["request_id", TEXT],
};
/** The fields of a call. @type {Record<string, [string, Form]>} */
const CALL_FIELDS = {
  ...TOKEN_FIELDS,
  roomId: ["room_id", TEXT],
  callId: ["call_id", TEXT],
  callees: ["callees", TEXTS],
  eventAccepted: ["event_accepted", orNull(BOOLEAN)],
};

/** The token in a response. @param {Reply} reply @returns {IssuedToken} */
function issuedIn(reply) {
  const fields = fieldsIn(reply, TOKEN_FIELDS);
  const { privileges, streamIds } = fields;
  return Object.freeze({
    .../** @type {any} */ (fields),
    privileges: Object.freeze({ login: privileges.login, publish: privileges.publish }),
    streamIds: streamIds && Object.freeze(streamIds),
  });
}

/** The call in a response. @param {Reply} reply @returns {Call} */
function callIn(reply) {
  const { roomId, callId, callees, eventAccepted } = fieldsIn(reply, CALL_FIELDS);
  const call = {
    ...issuedIn(reply),
    roomId,
    callId,
    callees: Object.freeze(callees),
    eventAccepted,
  };
  return Object.freeze(call);
}

/**
 * The fields of a response, which may have this client's names too. Messages show no value: it may
 * be secret.
 *
 * @param {Reply} reply @param {Record<string, [string, Form]>} forms
 * @returns {Record<string, any>}
 */
function fieldsIn({ said, status, atSeconds }, forms) {
  const fail = (/** @type {string} */ detail) => {
    throw new TokenError("bad_answer", { status, detail: `The response is invalid: ${detail}` });
  };
  /** @type {Record<string, any>} */
  const fields = {};
  for (const [name, [named, { is, form }]] of Object.entries(forms)) {
    fields[name] = named in said ? said[named] : said[name];
    if (!is(fields[name])) fail(`${named} must be ${form}.`);
  }
  const { token, issuedAt, renewAt, expiresAt } = fields;
  if (/^eyJ/.test(token)) fail("token is a JWT. ZEGO needs the token of the service, a Token04.");
  if (!TOKEN04.test(token)) fail('token is not a Token04, which begins with "04".');
  if (!(issuedAt <= renewAt && renewAt < expiresAt)) {
    fail("issued_at, renew_at and expires_at are not in this order.");
  }
  if (atSeconds && expiresAt <= atSeconds) fail("the token has expired. Do not cache tokens.");
  return fields;
}

/** What getBearer returned by mistake, without showing it. @param {unknown} bearer */
function mistakeIn(bearer) {
  if (typeof bearer === "object" && bearer) return "an object. Return its access_token instead.";
  if (bearer === "undefined" || bearer === "null")
    return `the string "${bearer}". Is the user signed in?`;
  if (bearer == null || bearer === "") return `${kindOf(bearer)}. Is the user signed in?`;
  if (typeof bearer === "function") return "a function. Call it.";
  if (typeof bearer !== "string") return `${kindOf(bearer)} instead of a string.`;
  if (/^bearer\b/i.test(bearer)) return 'a string with "Bearer " before the token. Leave that out.';
  return "a string with white space or other characters that a header cannot carry.";
}

/** @param {unknown} value */
function kindOf(value) {
  if (value == null) return String(value);
  if (value === "") return "an empty string";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** @param {any} value @returns {value is Response} */
function isResponse(value) {
  const { text, status, headers } = value;
  const isFunction = (/** @type {unknown} */ one) => typeof one === "function";
  return isFunction(text) && typeof status === "number" && isFunction(headers?.get);
}

/** The text of a response. It ends early if there is too much of it. @param {Response} response */
async function textOf(response) {
  const reader = response.body?.getReader?.(); // node-fetch has another kind of body
  if (!reader) return response.text(); // a body is missing, or a fetch without streams
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    text += decoder.decode(value, { stream: !done });
    if (done) return text;
    if (text.length <= LONGEST_RESPONSE) continue;
    reader.cancel().catch(() => {});
    const detail = `The response is invalid: it has more than ${LONGEST_RESPONSE} characters.`;
    throw new TokenError("bad_answer", { status: response.status, detail });
  }
}

/**
 * The JSON object in a response.
 *
 * @param {Response} response @param {string} text @param {number} nowMs
 * @param {string} bearer must not appear in an error
 * @param {string} [fetcher] the option that fetched it, if it is not this client's
 * @returns {Reply}
 */
function documentOf(response, text, nowMs, bearer, fetcher) {
  if (!response.ok) throw refusalIn(response, text, nowMs, bearer, fetcher);
  const { status } = response;
  const said = documentIn(text);
  if (Object.keys(said).length > 0) return { said, status };
  const page = `The response is an HTML page.${fetcher ? "" : ` ${WRONG_BASE}`}`;
  const detail = /^\s*</.test(text) ? page : "The response is not a JSON object, or was cut short.";
  throw new TokenError("bad_answer", { status, detail });
}

/**
 * How one of the app's functions failed.
 *
 * @param {string} name @param {unknown} error @returns {TokenErrorDetails}
 */
function failureOf(name, error) {
  const { name: kind, response, status = response?.status, retryable } = Object(error);
  const cause = causeOf(error);
  const isPlain = isText(kind) && /^\w{1,64}$/.test(kind); // it may show the bearer token
  const threw = isPlain ? kind : kindOf(error);
  const isStatus = Number.isInteger(status) && status >= 400 && status < 600;
  const hint =
    error instanceof TypeError
      ? " A fetch fails like this offline, and if CORS settings omit this page."
      : "";
  const see = cause ? " See error.cause." : "";
  return {
    detail: `${name} failed: ${threw}${isStatus ? ` with status ${status}` : ""}.${hint}${see}`,
    retryable:
      typeof retryable === "boolean" ? retryable : !isStatus || status === 429 || status >= 500,
    status: isStatus ? status : undefined,
    cause,
  };
}

/**
 * A copy of an error as the cause of another: loggers print it. It shows no text that may be
 * secret, and no property such as a request with its headers.
 *
 * @param {unknown} error @param {string} [bearer] must not appear in it
 * @returns {Error | undefined}
 */
function causeOf(error, bearer = "", depth = 1) {
  const { name, errors, message: own, stack, code, cause } = Object(error);
  const message = isText(own) ? own : errors?.[0]?.message; // Node, for two addresses of a host
  if (!isText(message)) return undefined;
  const hide = (/** @type {string} */ text) =>
    text.replace(/\S+/g, (word) => {
      const isSecret = POSSIBLE_SECRET.test(word) || (bearer && reveals(word, bearer));
      return isSecret ? "[hidden]" : word;
    });
  const inner = depth < MOST_CAUSES ? causeOf(cause, bearer, depth + 1) : undefined;
  const copy = new Error(hide(message), inner && { cause: inner });
  const lines = String(stack)
    .split("\n")
    .filter((line) => STACK_LINE.test(line));
  const safe = lines.filter((line) => !bearer || !reveals(line, bearer));
  const shown = isText(name) ? hide(name) : "Error";
  const properties = { name: shown, stack: [`${shown}: ${copy.message}`, ...safe].join("\n") };
  for (const [key, value] of Object.entries(properties)) {
    Object.defineProperty(copy, key, { value, configurable: true, writable: true });
  }
  const isPlain = Number.isSafeInteger(code) || (isText(code) && /^[A-Za-z_/-]{1,64}$/.test(code));
  return isPlain ? Object.assign(copy, { code }) : copy;
}

/** @param {unknown} value @returns {value is string} */
function isText(value) {
  return typeof value === "string" && value !== "";
}

/**
 * @param {Pick<Response, "status" | "headers">} response @param {string} text @param {number} nowMs
 * @param {string} bearer must not appear in the error
 * @param {string} [fetcher] the option that fetched it, if it is not this client's
 */
function refusalIn({ status, headers }, text, nowMs, bearer, fetcher) {
  const isProblem = /^application\/problem\+json\b/i.test(headers.get("content-type") ?? "");
  const problem = isProblem ? documentIn(text) : {};
  const quoted = (/** @type {unknown} */ value, /** @type {RegExp} */ form) =>
    typeof value === "string" && form.test(value) && !reveals(value, bearer) ? value : undefined;
  const code = quoted(problem.code, /^[a-z_]{1,64}$/) ?? "gateway_error";
  const ofBackend =
    fetcher && `${fetcher} got the status ${status}, and no problem of the service.`;
  const hint = code === "gateway_error" ? (ofBackend ?? GATEWAY_HINTS[status]) : undefined;
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
  if (!secret) return LONG_WORD.test(text);
  const size = Math.min(SHORTEST_PART, secret.length);
  const parts = Array.from({ length: text.length }, (_, at) => text.slice(at, at + size));
  return (
    LONG_WORD.test(text) || parts.some((part) => part.length === size && secret.includes(part))
  );
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
 * @typedef {object} Reply a response with its document
 * @property {Record<string, any>} said
 * @property {number} [status]
 * @property {number} [atSeconds] the backend's time, if known
 *
 * @typedef {{ is: (value: any) => boolean, form: string }} Form of a field
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

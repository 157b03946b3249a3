/**
 * Gets tokens from a zego-token-service for the users of a Node backend.
 *
 * No error contains a token, a credential or a signature. Types, units and bounds are in node.d.ts.
 *
 * @module
 */

/**
 * @import { AwsCredentials, BatchRequest, Call, CallRequest, IssuedToken } from "./node.js"
 * @import { TokenClientOptions, TokenRequest, TokenServiceErrorDetails } from "./node.js"
 */

import { createHash, createHmac } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";

const FOR_ROLES = {
  token: "/v1/service/tokens",
  batch: "/v1/service/tokens/batch",
  call: "/v1/service/calls",
};
const FOR_BEARERS = { token: "/v1/tokens", batch: "/v1/tokens/batch", call: "/v1/calls" };

const TYPE = { "content-type": "application/json" };

const FIRST_WAIT_SECONDS = 0.2;
const LONGEST_WAIT_SECONDS = 5;
const LONGEST_RETRY_AFTER_SECONDS = 3600;
const MOST_ATTEMPTS = 100;
const LONGEST_TIMEOUT_MS = 3_600_000;
const LONGEST_PATIENCE_MS = 86_400_000;
/** Lambda's limit for a response, so the service sends none that is larger. */
const LARGEST_RESPONSE_BYTES = 6 * 1024 * 1024;

/**
 * API Gateway's own responses by status: the code, and what it means and what to do. The gateway's
 * own text is not repeated: it may show the parts of a signature.
 *
 * @type {Record<number, [string, string]>}
 */
const GATEWAY_CODES = {
  403: [
    "gateway_forbidden",
    "Check execute-api:Invoke, the region, URL and clock. With make run, see its output.",
  ],
  404: ["gateway_not_found", "The API has no such path. Is the URL its base, without a path?"],
  413: ["gateway_too_large", "The request is larger than 10 MB."],
  429: ["gateway_throttled", "Too many requests for this route. Retry later."],
  431: ["gateway_headers_too_large", "The headers, such as the session token, are too long."],
  500: ["gateway_failed", "The service failed before it could respond. Retry later."],
  503: ["gateway_unavailable", "The service is at full capacity. Retry later."],
};
/** Why no response arrived, by the code of Node's error. The first match counts. */
const REASONS = /** @type {const} */ ([
  [/CERT|SIGN|TLS|SSL/, "TLS failed. Is its certificate trusted (NODE_EXTRA_CA_CERTS)?"],
  [/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)$/, "cannot be reached. Is the URL right?"],
]);

const PRINTABLE = /^[!-~]+$/;
const REGION = /^[A-Za-z0-9-]+$/;
const GATEWAY_HOST = /\.execute-api\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/;
const LOOPBACK_HOST = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;
const TOKEN04 = /^04[A-Za-z0-9+/]+={0,2}$/;
const HTTP_DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;
/**
 * The texts of a response that an error may repeat. A word as long as a signature or a token is not
 * one of the service's.
 */
const CODE = /^[a-z_]{1,64}$/;
const DETAIL = /^[^\p{C}\p{Zl}\p{Zp}]{1,1000}$/u;
const FIELD = /^[A-Za-z_]\w{0,31}$/;
const HELP = /^https?:\/\/[!-~]{1,400}$/;
const ID = /^[\w+/=:.-]{1,128}$/;
const LONG_WORD = /[\w+/=-]{64}/;
const SHORTEST_PART = 8;

/** @typedef {(value: any) => boolean} Check */
/** @type {Check} */
const isText = (value) => typeof value === "string";
/** @type {Check} */
const isBoolean = (value) => typeof value === "boolean";
/** @type {(check: Check) => Check} */
const orNull = (check) => (value) => value === null || check(value);
/** @type {Check} */
const isListOfTexts = (value) => Array.isArray(value) && value.every(isText);

/** The fields of each document, as in docs/openapi.yaml. @type {Record<string, Check>} */
const TOKEN_FIELDS = {
  token: isText,
  app_id: Number.isSafeInteger,
  user_id: isText,
  room_id: orNull(isText),
  privileges: (value) => isBoolean(value?.login) && isBoolean(value?.publish),
  stream_ids: orNull(isListOfTexts),
  issued_at: Number.isSafeInteger,
  expires_at: Number.isSafeInteger,
  renew_at: Number.isSafeInteger,
  request_id: isText,
};
/** @type {Record<string, Check>} */
const CALL_FIELDS = {
  ...TOKEN_FIELDS,
  room_id: isText,
  call_id: isText,
  callees: isListOfTexts,
  event_accepted: orNull(isBoolean),
};
/** @type {Record<string, Check>} */
const PROBLEM_FIELDS = { code: isText, detail: isText, retryable: isBoolean, request_id: isText };

/** Why there is no token. It contains no token and no credential, so it is safe to log. */
export class TokenServiceError extends Error {
  /** @param {string} code @param {string} detail @param {TokenServiceErrorDetails} [details] */
  constructor(code, detail, details = {}) {
    const { status, requestId, retryable = false, retryAfterSeconds, field, help } = details;
    const place = status ? ` (status ${status}, request ${requestId ?? "unknown"})` : "";
    super(`${code}: ${detail}${place}`);
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.requestId = requestId;
    this.retryable = retryable;
    this.retryAfterSeconds = retryAfterSeconds;
    this.field = field;
    this.help = help;
  }

  get name() {
    return "TokenServiceError";
  }
}

/** A value does not fit its field. The message names the field, never the value. */
class ShapeError extends Error {}

/** Requests tokens for the users that this backend names. */
export class TokenClient {
  #base;
  #paths;
  #prove;
  #renewProof;
  #settings;

  /** @param {string | URL} url @param {TokenClientOptions} [options] */
  constructor(url, options = {}) {
    this.#base = baseOf(url);
    this.#settings = settingsOf(options);
    const { bearer } = options;
    if (bearer === undefined) {
      this.#paths = FOR_ROLES;
      this.#prove = signerOf(this.#base, options);
      this.#renewProof = null;
    } else {
      if (options.credentials !== undefined || options.region !== undefined) {
        throw new TypeError("bearer cannot be combined with credentials or region");
      }
      this.#paths = FOR_BEARERS;
      const { prove, renew } = bearersOf(bearer);
      this.#prove = prove;
      this.#renewProof = renew;
    }
  }

  /** @param {string} userId @param {TokenRequest} [request] */
  async token(userId, request = {}) {
    const asked = documentOf({ ...request, userId });
    return this.#ask(this.#paths.token, asked, {}, (said) => issuedIn(said, asked));
  }

  /** @param {Iterable<BatchRequest>} requests */
  async tokens(requests) {
    const asked = [...requests].map(documentOf);
    return this.#ask(this.#paths.batch, { requests: asked }, {}, (said, proof) =>
      batchIn(said, asked, proof),
    );
  }

  /** @param {string} userId @param {CallRequest} [request] */
  async startCall(userId, { idempotencyKey = crypto.randomUUID(), callees, ...request } = {}) {
    if ("roomId" in request) throw new TypeError("a call creates its room: do not pass roomId");
    if (!isText(idempotencyKey) || !/^[!-~]{1,255}$/.test(idempotencyKey)) {
      throw new TypeError("idempotencyKey must be 1 to 255 visible ASCII characters");
    }
    const named = { callees: listOf("callees", callees) };
    const asked = { ...documentOf({ ...request, userId }), ...named };
    const headers = { "idempotency-key": idempotencyKey };
    return this.#ask(this.#paths.call, asked, headers, (said) => {
      const call = /** @type {Call} */ (read(CALL_FIELDS, said));
      check(call, userId);
      return call;
    });
  }

  /**
   * What the service grants, after as many attempts as it takes.
   *
   * @template T
   * @param {string} path @param {object} document @param {Record<string, string>} extra headers
   * @param {(said: Record<string, any>, proof: string[]) => T} reader @returns {Promise<T>}
   */
  async #ask(path, document, extra, reader) {
    const { attempts, patienceMs, clock, sleep, random } = this.#settings;
    const body = JSON.stringify(document);
    const giveUpAt = clock() + patienceMs;
    for (let number = 1; ; number += 1) {
      try {
        const reply = await this.#send(path, body, extra);
        return granted(reply, reader);
      } catch (error) {
        if (!(error instanceof TokenServiceError)) throw error;
        const jitter =
          random() * Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (number - 1));
        const waitMs = 1000 * (jitter + (error.retryAfterSeconds ?? 0));
        const isLate = clock() + waitMs > giveUpAt;
        if (!error.retryable || number === attempts || isLate) throw error;
        await sleep(waitMs);
      }
    }
  }

  /**
   * The response to a request; after a 401, to a second one with a new bearer token.
   *
   * @param {string} path @param {string} body @param {Record<string, string>} extra
   */
  async #send(path, body, extra) {
    const reply = await this.#exchange(path, body, extra);
    if (reply.status !== 401 || !this.#renewProof) return reply;
    await this.#renewProof(reply.proof);
    return this.#exchange(path, body, extra);
  }

  /** @param {string} path @param {string} body @param {Record<string, string>} extra */
  async #exchange(path, body, extra) {
    const { fetch, timeoutMs } = this.#settings;
    const url = new URL(this.#base + path);
    const { headers: proven, proof } = await this.#prove(url, body, { ...TYPE, ...extra });
    const headers = {
      ...proven,
      accept: "application/json",
      "user-agent": "zego-token-service-client",
    };
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const init = /** @type {const} */ ({ method: "POST", redirect: "manual" });
      const response = await fetch(url, { ...init, headers, body, signal });
      const { status } = response;
      return { status, headers: response.headers, text: await textOf(response), proof };
    } catch (error) {
      if (error instanceof TokenServiceError) throw error;
      const code = String(error?.cause?.code ?? error?.code ?? "");
      throw noAnswer(url.hostname, signal.aborted, code); // the error itself may show the request
    }
  }
}

/** @param {string} host @param {boolean} isLate @param {string} code of Node's error */
function noAnswer(host, isLate, code) {
  const retryable = true;
  if (isLate) {
    return new TokenServiceError("timeout", `${host} did not respond in time.`, { retryable });
  }
  const reason = REASONS.find(([form]) => form.test(code))?.[1] ?? "sent no complete response.";
  return new TokenServiceError("network_error", `${host}: ${reason}`, { retryable });
}

/**
 * The whole body as text; undefined if it is not UTF-8.
 *
 * @param {Response} response
 */
async function textOf({ body, status }) {
  const chunks = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > LARGEST_RESPONSE_BYTES) {
      throw bad("the response is larger than any of this API; check the URL and any proxy", status);
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    return undefined;
  }
}

// --- What a request proves -----------------------------------------------------------------------

/**
 * Signs requests with AWS credentials.
 *
 * @param {string} base @param {TokenClientOptions} options
 */
function signerOf(base, { credentials, region: given }) {
  const inHost = GATEWAY_HOST.exec(new URL(base).hostname)?.[1];
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  const region = given ?? inHost ?? (AWS_REGION || AWS_DEFAULT_REGION);
  if (!region) throw new TypeError("no AWS region is set. Use region or AWS_REGION");
  if (!REGION.test(region)) {
    throw new TypeError("region is not the name of an AWS region, such as eu-central-1");
  }
  let provider = credentials;
  return async (
    /** @type {URL} */ url,
    /** @type {string} */ body,
    /** @type {object} */ headers,
  ) => {
    const { SignatureV4 } = await load("@smithy/signature-v4");
    provider ??= (await load("@aws-sdk/credential-providers")).fromNodeProviderChain();
    const found = await credentialsOf(provider);
    const options = { service: "execute-api", region, credentials: found, sha256: Sha256 };
    const { protocol, host, hostname, pathname: path } = url;
    const request = {
      method: "POST",
      protocol,
      hostname,
      path,
      headers: { host, ...headers },
      body,
    };
    const signed = await new SignatureV4(options).sign(request);
    const { accessKeyId, sessionToken } = found;
    const signature = signed.headers.authorization.split("=").at(-1);
    return { headers: signed.headers, proof: [signature, accessKeyId, sessionToken ?? ""] };
  };
}

/** The credentials to sign with. @param {TokenClientOptions["credentials"]} provider */
async function credentialsOf(provider) {
  let found;
  try {
    found = typeof provider === "function" ? await provider() : provider;
  } catch (error) {
    throw unproven(`no AWS credentials to sign with: ${nameOf(error)}`); // its text may show them
  }
  const { accessKeyId, secretAccessKey, sessionToken } = /** @type {AwsCredentials} */ (
    found ?? {}
  );
  for (const [name, value] of Object.entries({ accessKeyId, secretAccessKey, sessionToken })) {
    const isOptional = !value && name === "sessionToken";
    if (!isOptional && !(isText(value) && PRINTABLE.test(/** @type {string} */ (value)))) {
      throw unproven(`no AWS credentials to sign with: ${name} is missing, or not printable ASCII`);
    }
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
}

/** An optional package. @param {string} name */
async function load(name) {
  try {
    return await import(name);
  } catch (error) {
    if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw unproven(`the package ${name} is missing. Run npm install ${name}, or pass bearer`);
  }
}

/** SHA-256 and HMAC-SHA-256 as the signer calls them. */
class Sha256 {
  #hash;

  /** @param {any} [key] */
  constructor(key) {
    this.#hash = key === undefined ? createHash("sha256") : createHmac("sha256", key);
  }

  /** @param {any} data */
  update(data) {
    this.#hash.update(data);
  }

  async digest() {
    return new Uint8Array(this.#hash.digest());
  }
}

/** Sends a bearer token, and a new one after a refusal. @param {unknown} bearer */
function bearersOf(bearer) {
  if (typeof bearer !== "string" && typeof bearer !== "function") {
    throw new TypeError("bearer must be a string, or a function that returns one");
  }
  /** Requests at the same time share it. @type {Promise<string> | undefined} */
  let current;
  const prove = async (
    /** @type {URL} */ _url,
    /** @type {string} */ _body,
    /** @type {object} */ headers,
  ) => {
    current ??= typeof bearer === "function" ? newBearer(bearer) : Promise.resolve(bearer);
    const mine = current;
    const token = await mine.catch((error) => {
      if (current === mine) current = undefined; // the next request tries again
      throw error;
    });
    const mistake = mistakeIn(token);
    if (mistake) throw unproven(`no bearer token to send: ${mistake}`);
    return { headers: { ...headers, authorization: `Bearer ${token}` }, proof: [token] };
  };
  const renew = async (/** @type {string[]} */ [refused]) => {
    const mine = current;
    const sent = await mine?.catch(() => undefined);
    if (sent === refused && current === mine) current = undefined; // else there is a newer one
  };
  return { prove, renew: typeof bearer === "function" ? renew : null };
}

/** @param {Function} bearer */
async function newBearer(bearer) {
  try {
    return await bearer();
  } catch (error) {
    throw unproven(`no bearer token to send: bearer() failed: ${nameOf(error)}`);
  }
}

/** What is wrong with a bearer token, without showing it. @param {unknown} bearer */
function mistakeIn(bearer) {
  if (typeof bearer !== "string") return `bearer() returned ${typeof bearer} instead of string`;
  if (!bearer) return "it is empty";
  if (/^bearer /i.test(bearer)) return 'it begins with "Bearer ". Leave that out';
  if (!PRINTABLE.test(bearer)) return "it is not printable ASCII, or contains a space or a newline";
  return undefined;
}

/** The name of an error, whose text may show a secret. @param {any} error */
function nameOf(error) {
  const name = Object(error).name;
  return typeof name === "string" && /^\w{1,64}$/.test(name) ? name : typeof error;
}

/** @param {string} detail */
function unproven(detail) {
  return new TokenServiceError("credentials_unavailable", detail);
}

// --- What a response grants ----------------------------------------------------------------------

/**
 * @typedef {object} Reply
 * @property {number} status
 * @property {Headers} headers
 * @property {string | undefined} text
 * @property {string[]} proof no error may repeat a part of it
 */

/**
 * @template T
 * @param {Reply} reply
 * @param {(said: Record<string, any>, proof: string[]) => T} reader
 */
function granted({ status, headers, text, proof }, reader) {
  const type = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  const retryAfterSeconds = retryAfterIn(headers);
  const requestId = shown(headers.get("apigw-requestid"), ID, proof);
  try {
    if ((status === 200 || status === 201) && type === "application/json") {
      return reader(objectIn(text), proof);
    }
    if (type === "application/problem+json") {
      throw problemOf(objectIn(text), status, proof, retryAfterSeconds);
    }
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw bad(`the response is invalid: ${error.message}`, status, requestId, retryAfterSeconds);
  }
  const isGateways = type === "application/json" && isMessage(text);
  const [code, detail] = (isGateways && GATEWAY_CODES[status]) || [];
  if (!code || !detail) {
    const reason = "the response is not from this API; check the URL and any proxy";
    throw bad(reason, status, requestId, retryAfterSeconds);
  }
  const retryable = canPass(status);
  throw new TokenServiceError(code, detail, { status, requestId, retryable, retryAfterSeconds });
}

/**
 * The results of a batch, each as for a single request.
 *
 * @param {Record<string, any>} said @param {Record<string, any>[]} asked @param {string[]} proof
 */
function batchIn(said, asked, proof) {
  const { results, request_id } = said;
  read({ results: Array.isArray, request_id: isText }, said);
  if (results.length !== asked.length)
    throw new ShapeError("it does not have one result per request");
  return asked.map((request, at) => {
    const { token, problem, status } = results[at] ?? {};
    if (token != null) return issuedIn({ ...token, request_id }, request);
    return problemOf({ ...problem, request_id }, status, proof);
  });
}

/** The requested token. @param {Record<string, any>} said @param {Record<string, any>} asked */
function issuedIn(said, asked) {
  const issued = /** @type {IssuedToken} */ (read(TOKEN_FIELDS, said));
  check(issued, asked.user_id);
  if (issued.roomId !== (asked.room_id ?? null))
    throw new ShapeError("room_id is not the requested one");
  return issued;
}

/** @param {IssuedToken} issued @param {unknown} userId */
function check({ token, userId: granted, issuedAt, renewAt, expiresAt }, userId) {
  if (!TOKEN04.test(token)) throw new ShapeError("token is not a Token04");
  if (granted !== userId) throw new ShapeError("user_id is not the requested one");
  if (!(issuedAt <= renewAt && renewAt < expiresAt)) {
    throw new ShapeError("renew_at is not between issued_at and expires_at");
  }
}

/**
 * The fields of a document, in camelCase and frozen. console.log shows it without its token.
 *
 * @param {Record<string, Check>} fields @param {Record<string, any>} said
 */
function read(fields, said) {
  /** @type {Record<string, any>} */
  const found = {};
  for (const [name, isRight] of Object.entries(fields)) {
    if (said[name] === undefined) throw new ShapeError(`${name} is missing`);
    if (!isRight(said[name])) throw new ShapeError(`${name} has the wrong type`);
    found[name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())] = said[name];
  }
  if (found.privileges) {
    const { login, publish } = found.privileges;
    found.privileges = Object.freeze({ login, publish });
  }
  const { token: _token, ...rest } = found;
  Object.defineProperty(found, inspect.custom, { value: () => rest });
  return Object.freeze(found);
}

/**
 * The error of a refusal, without texts that no error may show.
 *
 * @param {Record<string, any>} said @param {number} status @param {string[]} proof
 * @param {number} [retryAfterSeconds]
 */
function problemOf(said, status, proof, retryAfterSeconds) {
  read(PROBLEM_FIELDS, said);
  const code = shown(said.code, CODE, proof);
  if (code === undefined) throw new ShapeError("code is not the code of a problem");
  return new TokenServiceError(
    code,
    shown(said.detail, DETAIL, proof) ?? "The service refused the request.",
    {
      status,
      requestId: shown(said.request_id, ID, proof),
      // The service marks a 401 as retryable if it may soon know the bearer token's key.
      retryable: said.retryable && (status === 401 || canPass(status)),
      retryAfterSeconds,
      field: shown(said.field, FIELD, proof),
      help: shown(said.help, HELP, proof),
    },
  );
}

/**
 * @param {string} detail @param {number} status @param {string} [requestId]
 * @param {number} [retryAfterSeconds]
 */
function bad(detail, status, requestId, retryAfterSeconds) {
  const retryable = canPass(status);
  return new TokenServiceError("bad_answer", detail, {
    status,
    requestId,
    retryable,
    retryAfterSeconds,
  });
}

/** Whether a failure with this status can be temporary. @param {number} status */
function canPass(status) {
  return status === 429 || status >= 500;
}

/**
 * The text, if it has the form and contains no part of a secret and no word as long as a token.
 *
 * @param {unknown} text @param {RegExp} form @param {string[]} proof
 */
function shown(text, form, proof) {
  if (typeof text !== "string" || !form.test(text) || LONG_WORD.test(text)) return undefined;
  const reveals = proof.filter(Boolean).some((secret) => {
    const size = Math.min(SHORTEST_PART, secret.length);
    const parts = Array.from(text, (_, at) => text.slice(at, at + size));
    return parts.some((part) => part.length === size && secret.includes(part));
  });
  return reveals ? undefined : text;
}

/** Whether it is a response of API Gateway itself. @param {string | undefined} text */
function isMessage(text) {
  try {
    return isText(objectIn(text).message);
  } catch {
    return false;
  }
}

/** The JSON object in a text. @param {string | undefined} text @returns {Record<string, any>} */
function objectIn(text) {
  let said;
  try {
    said = JSON.parse(text ?? "");
  } catch {} // the error would show the text
  if (typeof said !== "object" || said === null || Array.isArray(said)) {
    throw new ShapeError("it is not a JSON object");
  }
  return said;
}

/**
 * The seconds to wait, from seconds or a date. A date is compared with that of the same response,
 * so this machine's clock does not matter.
 *
 * @param {Headers} headers
 */
function retryAfterIn(headers) {
  const value = headers.get("retry-after") ?? "";
  const date = headers.get("date") ?? "";
  const isDate = HTTP_DATE.test(value) && HTTP_DATE.test(date);
  const waitMs = isDate ? Date.parse(value) - Date.parse(date) : NaN;
  const seconds = /^\d+$/.test(value) ? Number(value.slice(0, 9)) : Math.round(waitMs / 1000);
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(LONGEST_RETRY_AFTER_SECONDS, Math.max(0, seconds));
}

// --- Settings and requests -----------------------------------------------------------------------

/** @param {TokenClientOptions} options */
function settingsOf({ timeoutMs = 10_000, attempts = 3, patienceMs = 20_000, ...others }) {
  if (!(typeof timeoutMs === "number" && timeoutMs > 0 && timeoutMs <= LONGEST_TIMEOUT_MS)) {
    throw new TypeError(`timeoutMs must be more than 0 and at most ${LONGEST_TIMEOUT_MS}`);
  }
  if (!(Number.isInteger(attempts) && attempts >= 1 && attempts <= MOST_ATTEMPTS)) {
    throw new TypeError(`attempts must be a whole number from 1 to ${MOST_ATTEMPTS}`);
  }
  if (!(typeof patienceMs === "number" && patienceMs >= 0 && patienceMs <= LONGEST_PATIENCE_MS)) {
    throw new TypeError(`patienceMs must be from 0 to ${LONGEST_PATIENCE_MS}`);
  }
  const {
    fetch = globalThis.fetch,
    clock = () => performance.now(),
    sleep = setTimeout,
    random = Math.random,
  } = others;
  return { timeoutMs, attempts, patienceMs, fetch, clock, sleep, random };
}

/** The API's base, without a trailing slash. @param {string | URL} url */
function baseOf(url) {
  let base;
  try {
    base = new URL(url);
  } catch {
    throw new TypeError("url must be the API's base, such as https://tokens.example.com");
  }
  const isLoopback = LOOPBACK_HOST.test(base.hostname);
  if (base.protocol !== "https:" && !(base.protocol === "http:" && isLoopback)) {
    throw new TypeError("url must be https; http is allowed for localhost only");
  }
  if (base.username || base.password || base.search || base.hash) {
    throw new TypeError("url must not contain a user, a query or a fragment");
  }
  return base.origin + base.pathname.replace(/\/+$/, "");
}

/**
 * A request as the API's JSON object.
 *
 * @param {BatchRequest} request @returns {Record<string, unknown>}
 */
function documentOf(request) {
  if (typeof request !== "object" || request === null) {
    throw new TypeError("a request must be an object, such as { userId, roomId }");
  }
  const { userId, roomId, privileges, streamIds, lifetimeSeconds, refusedWith, ...unknown } =
    request;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw new TypeError(`a token request has no field ${name}`);
  if (typeof userId !== "string") throw new TypeError("userId must be a string");
  return {
    user_id: userId,
    room_id: roomId ?? undefined,
    privileges: listOf("privileges", privileges),
    stream_ids: listOf("streamIds", streamIds),
    lifetime_seconds: lifetimeSeconds ?? undefined,
    refused_with: refusedWith ?? undefined,
  };
}

/** @param {string} name @param {Iterable<string> | null | undefined} values */
function listOf(name, values) {
  if (values == null) return undefined;
  const isList = typeof values !== "string" && typeof values[Symbol.iterator] === "function";
  const given = typeof values === "object" ? "an object" : `a ${typeof values}`;
  if (!isList) throw new TypeError(`${name} must be a list, not ${given}`);
  return [...values];
}

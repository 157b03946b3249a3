/** What a token allows in its room: `login` to enter it, `publish` to send streams. */
export type Privilege = "login" | "publish";

/** What a token is for. The service's access policy decides anything that you omit. */
export interface TokenRequest {
  /** The room that it opens: 1 to 127 printable ASCII characters. Default: an identity token. */
  roomId?: string | undefined;
  /** Only with a room. Default: all that the policy grants. The order does not matter. */
  privileges?: readonly Privilege[] | undefined;
  /** 1 to 50 streams that the user may publish; only with a room. Default: any. */
  streamIds?: readonly string[] | undefined;
  /** 60 to 2 073 600 (24 days), up to the policy's cap. Default: two hours or the cap. */
  lifetimeSeconds?: number | undefined;
}

export interface TokenOptions {
  /** Cancels this call only, with `aborted`. The request ends when its last caller cancels. */
  signal?: AbortSignal | undefined;
  /** Ignore the cached token and request a new one. */
  refresh?: boolean | undefined;
  /**
   * The code with which ZEGO refused the last token: 20014, 50119, 1102016, 1002033, 1002070 to
   * 1002079, or 6000103. The service then checks for a new ServerSecret at once. Implies `refresh`.
   */
  refusedWith?: number | undefined;
}

/** A token and what it grants, frozen. Times are Unix seconds of the service's clock. */
export interface IssuedToken {
  /** Pass it to ZEGO's SDK unchanged. Never log or store it. */
  readonly token: string;
  /** Create the SDK with this AppID. */
  readonly appId: number;
  /** Log in as this user: ZEGO checks it. */
  readonly userId: string;
  /** null for an identity token. */
  readonly roomId: string | null;
  readonly privileges: { readonly login: boolean; readonly publish: boolean };
  /** null means any stream. */
  readonly streamIds: readonly string[] | null;
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** When to request the next token; always before `expiresAt`. */
  readonly renewAt: number;
  /** Identifies the request in the service's logs. */
  readonly requestId: string;
}

/** A new room and a token for it, frozen. */
export interface Call extends IssuedToken {
  /** 32 hex digits. */
  readonly callId: string;
  /** `call_` followed by the callId. */
  readonly roomId: string;
  /** The users whom the service invited. */
  readonly callees: readonly string[];
  /**
   * Whether EventBridge accepted the event `Incoming Call`. With false, it did not confirm that:
   * assume that no callee was notified. The token is valid. null without callees.
   */
  readonly eventAccepted: boolean | null;
}

/** What a call is for: its room is new. */
export interface CallRequest extends Omit<TokenRequest, "roomId"> {
  /** 1 to 50 user ids to invite, as far as the policy allows it. Default: none. */
  callees?: readonly string[] | undefined;
  /**
   * Names the call: a repeated request with the same key is the same call. 1 to 255 visible ASCII
   * characters. Default: random, so that the retries of one `startCall` are one call.
   */
  idempotencyKey?: string | undefined;
}

/** Where tokens come from: the service itself, or the app's own backend. */
export type TokenSourceOptions = ServiceOptions | BackendOptions;

interface ServiceOptions extends CommonOptions {
  /** The API's base, output `ApiUrl` of the deployment: https, or http to localhost. */
  url: string | URL;
  /**
   * Returns the identity provider's token of the signed-in user. It is called for each request, so
   * it should cache. `refresh` means that the service refused the last one (401): return a new one.
   */
  getBearer: (ask: Ask) => string | Promise<string>;
  /** Replaces the platform's `fetch`. */
  fetch?: typeof globalThis.fetch | undefined;
  fetchToken?: undefined;
  fetchCall?: undefined;
}

interface BackendOptions extends CommonOptions {
  /**
   * Gets a new token from your backend for the user of its session. Return the response of `fetch`
   * or its parsed JSON: what the service said, unchanged, or with the names of this client.
   * If it throws a `TokenError`, callers get that; other errors become its `cause` and are retried,
   * unless they have `retryable: false` or a `status` below 500 other than 429.
   */
  fetchToken: (request: TokenRequest & Pick<TokenOptions, "refusedWith">, ask: Ask) => unknown;
  /** The same for `startCall`. Pass the idempotencyKey on as the header `Idempotency-Key`. */
  fetchCall?:
    ((request: CallRequest & { idempotencyKey: string }, ask: Ask) => unknown) | undefined;
  url?: undefined;
  getBearer?: undefined;
  fetch?: undefined;
}

interface Ask {
  /** The last response had the status 401: renew the bearer token or the session. */
  refresh: boolean;
  /** Aborts when nothing waits for the result. */
  signal: AbortSignal;
}

interface CommonOptions {
  /** For one request and its response. Default: 10 000. */
  timeoutMs?: number | undefined;
  /** For everything together: `getBearer`, all requests and all waits. Default: 30 000. */
  deadlineMs?: number | undefined;
  /** Retries after the first request. Default: 5. A 500 or an invalid response is retried once. */
  maxRetries?: number | undefined;
  /** Replaces `globalThis` in tests. */
  platform?: Platform | undefined;
}

/** The parts of `globalThis` that the client uses. */
export interface Platform {
  fetch: typeof globalThis.fetch;
  Date: { now(): number };
  performance: { now(): number };
  Math: { random(): number };
  crypto?: { getRandomValues(bytes: Uint8Array): Uint8Array };
  setTimeout(callback: () => void, ms: number): any;
  clearTimeout(timer: any): void;
  navigator?: { readonly onLine?: boolean };
  location?: { readonly origin?: string };
  addEventListener?(type: "online", listener: () => void, options: { signal: AbortSignal }): void;
}

export interface TokenSource {
  /**
   * Returns the cached token until shortly before its `renewAt`, then a new one. Equal requests
   * share the cached token and the request in progress. If the service does not respond within two
   * seconds, it returns the current token, provided that this is valid for more than a minute.
   *
   * @throws {TokenError} no token is available; its `code` says why.
   * @throws {TypeError} the request has an unknown field.
   */
  token(request?: TokenRequest & TokenOptions): Promise<IssuedToken>;

  /**
   * Creates a room, invites the callees to it and returns a token for it. `token({ roomId })` with
   * the same privileges, streams and lifetime then returns that token from the cache.
   *
   * @throws {TokenError} no token is available; its `code` says why.
   * @throws {TypeError} the request has a room or an unknown field.
   */
  startCall(request?: CallRequest & Pick<TokenOptions, "signal">): Promise<Call>;

  /** Removes the token of exactly this request from the cache; without a request, all tokens. */
  invalidate(request?: TokenRequest): void;

  /**
   * Renews the token of one room of a ZEGO Express engine (web, 2.16 or newer). Call it before the
   * login. While the user is in the room, it renews the token shortly before `renewAt` or on
   * `tokenWillExpire`, whichever comes first. If ZEGO refuses the token (1102016, 20014, 50119) or
   * finds it expired (1102018), it reports the refusal to the service, requests a new token and
   * logs in again, once. A second refusal in a row is reported as `token_refused`. Binding a room
   * again ends its previous binding.
   *
   * @returns a function that ends the binding. You can call it more than once.
   */
  bindTo(engine: ZegoEngine, binding: Binding): () => void;

  /**
   * Passes each renewed token to `onToken`, for SDKs that `bindTo` does not support (UIKit, ZIM):
   * shortly before `renewAt`, and when you call `renew`. If no token is cached, it requests one at
   * once. Each error is reported to `onError`; temporary failures are retried.
   */
  autoRenew(renewal: AutoRenewal): {
    /**
     * Call it on the SDK's event that the token will expire. It does not replace a token that
     * `onToken` got and that is still fresh, because an SDK whose clock is ahead repeats the event.
     */
    renew(): void;
    stop(): void;
  };

  /** Ends all requests, bindings and renewals, and removes all tokens. Call it at sign-out. */
  close(): void;
}

/** The request whose token to renew, and the callbacks. */
export interface AutoRenewal extends TokenRequest {
  /** Pass the token to your SDK. If it throws or returns `false`, `onError` gets `sdk_error`. */
  onToken: (issued: IssuedToken) => unknown;
  /** Gets each error. Default: `console.error`. Errors that it throws are ignored. */
  onError?: ((error: TokenError) => void) | undefined;
}

/** The room whose token to renew, and how to log in to it again. */
export interface Binding extends TokenRequest {
  roomId: string;
  /** As in your login. */
  userName?: string | undefined;
  /** As in your login. Without `userUpdate`, a new login stops `roomUserUpdate` events. */
  roomConfig?: { userUpdate?: boolean; maxMemberCount?: number } | undefined;
  /** Gets each renewed token that the SDK accepted. Errors that it throws are ignored. */
  onRenewed?: ((issued: IssuedToken) => void) | undefined;
  /** Gets each error. Default: `console.error`. Errors that it throws are ignored. */
  onError?: ((error: TokenError) => void) | undefined;
}

/** The parts of `ZegoExpressEngine` that the client uses. */
export interface ZegoEngine {
  on(event: "tokenWillExpire", callback: (roomID: string) => void): unknown;
  on(event: "roomStateChanged", callback: RoomStateChanged): unknown;
  off(event: "tokenWillExpire", callback: (roomID: string) => void): unknown;
  off(event: "roomStateChanged", callback: RoomStateChanged): unknown;
  renewToken(token: string, roomID?: string): boolean;
  loginRoom(
    roomID: string,
    token: string,
    user: { userID: string; userName?: string | undefined },
    config?: { userUpdate?: boolean; maxMemberCount?: number },
  ): Promise<boolean>;
}
type RoomStateChanged = (roomID: string, reason: string, errorCode: number) => void;

/** The client's own codes. All others come from the service. */
export type ClientErrorCode =
  /** The caller cancelled the call through its `signal`. */
  | "aborted"
  /** The response is HTML, was cut short, or has wrong or missing fields. */
  | "bad_answer"
  /** `getBearer` failed (retryable), or did not return a bearer token. */
  | "bearer_unavailable"
  /** `close` was called. */
  | "closed"
  /** `fetchToken` or `fetchCall` failed without a response; see `cause`. */
  | "fetch_token_failed"
  /** API Gateway, a proxy or your backend refused it; see `status`. 429 means throttling. */
  | "gateway_error"
  /** Offline, a wrong or redirecting `url`, or CORS settings that omit this page. */
  | "network_error"
  /** The service returned the same token again, which ZEGO's SDK would ignore. */
  | "repeated_token"
  /** ZEGO's SDK did not accept a token, or the new login failed for another reason. */
  | "sdk_error"
  /** No response within `timeoutMs` or `deadlineMs`. */
  | "timeout"
  /** ZEGO refused a new token too: the ServerSecret is wrong. Tell the operators. */
  | "token_refused";

export interface TokenErrorDetails {
  detail?: string | undefined;
  retryable?: boolean | undefined;
  status?: number | undefined;
  requestId?: string | undefined;
  retryAfterSeconds?: number | undefined;
  help?: string | undefined;
  cause?: unknown;
}

/** Why there is no token. It contains no token and no bearer token, so it is safe to log. */
export class TokenError extends Error {
  constructor(code: ClientErrorCode | (string & {}), details?: TokenErrorDetails);
  /** Stable: one of the client's own codes, or one of `x-problems` in docs/openapi.yaml. */
  readonly code: ClientErrorCode | (string & {});
  /** Human-readable. The wording may change. */
  readonly detail: string;
  /** Whether the same request can succeed later. */
  readonly retryable: boolean;
  /** The HTTP status, if a response arrived. */
  readonly status: number | undefined;
  /** Give it to the service's operators. */
  readonly requestId: string | undefined;
  /** The wait that the service asks for, at most 3600. */
  readonly retryAfterSeconds: number | undefined;
  /** The page that explains a refusal of the service. */
  readonly help: string | undefined;
  /**
   * A copy of the error of `fetch`, `getBearer` or `fetchToken`: its name, message, code and stack.
   * Words that may be part of a token are hidden in it.
   */
  readonly cause?: unknown;
}

/** @throws {TypeError} an option is missing or invalid. */
export function createTokenSource(options: TokenSourceOptions): TokenSource;

/**
 * Makes the kit token for UIKit, like UIKit's own `generateKitTokenForProduction`.
 *
 * @param details `roomId` is required with an identity token, which names no room.
 * @throws {TypeError} no room is given.
 */
export function kitToken(
  issued: Pick<IssuedToken, "token" | "appId" | "userId" | "roomId">,
  details?: { userName?: string | undefined; roomId?: string | undefined },
): string;

/** What a token may be used for in its room: entering it, sending streams there. */
export type Privilege = "login" | "publish";

/** What a token is for. What is left out falls to the service's access policy. */
export interface TokenRequest {
  /** The room it opens: 1 to 127 printable ASCII characters. Left out: an identity token. */
  roomId?: string | undefined;
  /** With a room only. Left out: all that the policy grants. Order does not matter. */
  privileges?: readonly Privilege[] | undefined;
  /** 1 to 50 streams that may be published, with a room only. Left out: any. */
  streamIds?: readonly string[] | undefined;
  /** 60 to 2 073 600 (24 days), within the policy's cap. Left out: two hours or that cap. */
  lifetimeSeconds?: number | undefined;
}

export interface TokenOptions {
  /** Aborting rejects this call alone, with `aborted`; the request ends with its last caller. */
  signal?: AbortSignal | undefined;
  /** A token other than the cached one. */
  refresh?: boolean | undefined;
  /**
   * The code with which ZEGO refused the last token: 20014, 50119, 1102016, 1002033, 1002070 to
   * 1002079, or 6000103. The service then looks for a new ServerSecret at once. Implies `refresh`.
   */
  refusedWith?: number | undefined;
}

/** A token and what it grants; frozen. Times are Unix seconds by the service's clock. */
export interface IssuedToken {
  /** For ZEGO's SDK, unchanged. Never log or store it. */
  readonly token: string;
  /** Start the SDK with this AppID. */
  readonly appId: number;
  /** Log in as this user: ZEGO compares. */
  readonly userId: string;
  /** null for an identity token. */
  readonly roomId: string | null;
  readonly privileges: { readonly login: boolean; readonly publish: boolean };
  /** null: any stream. */
  readonly streamIds: readonly string[] | null;
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** When to ask for the next; always before `expiresAt`. */
  readonly renewAt: number;
  /** Names the request in the service's logs. */
  readonly requestId: string;
}

/** A new room, and a token for it; frozen. */
export interface Call extends IssuedToken {
  /** 32 hex digits. */
  readonly callId: string;
  /** `call_` and the callId. */
  readonly roomId: string;
}

export interface TokenSourceOptions {
  /** The API's base, `ApiUrl` of the deployment: https, or http to this very machine. */
  url: string | URL;
  /**
   * Gives the identity provider's token for the signed-in user. Called for each request, so it
   * should cache. With `refresh` the last one was refused with 401: give a new one.
   */
  getBearer: (ask: { refresh: boolean; signal: AbortSignal }) => string | Promise<string>;
  /** In the place of the platform's own. */
  fetch?: typeof globalThis.fetch | undefined;
  /** For one request and its answer. 10 000. */
  timeoutMs?: number | undefined;
  /** For all together: the bearer, every request, every wait. 30 000. */
  deadlineMs?: number | undefined;
  /** After the first request: 5. What waiting seldom mends (500, a bad answer) is repeated once. */
  maxRetries?: number | undefined;
  /** Stands in for `globalThis`, in tests. */
  platform?: Platform | undefined;
}

/** What is used of `globalThis`. */
export interface Platform {
  fetch: typeof globalThis.fetch;
  Date: { now(): number };
  performance: { now(): number };
  Math: { random(): number };
  setTimeout(callback: () => void, ms: number): any;
  clearTimeout(timer: any): void;
  navigator?: { readonly onLine?: boolean };
  addEventListener?(type: "online", listener: () => void, options: { signal: AbortSignal }): void;
}

export interface TokenSource {
  /**
   * A token: the cached one until shortly before its `renewAt`, else a new one. Requests of the
   * same value share the cache and the request under way. While the service does not answer within
   * two seconds, the present token is given as long as it has more than a minute to live.
   *
   * @throws {TokenError} there is none to be had; see its `code`.
   * @throws {TypeError} the request has a field that does not exist.
   */
  token(request?: TokenRequest & TokenOptions): Promise<IssuedToken>;

  /**
   * A new room, with a token for it. From then on the token is that of `token({ roomId })` with
   * the same privileges, streams and lifetime; let the others in under the room's id.
   *
   * @throws {TokenError} there is none to be had; see its `code`.
   * @throws {TypeError} the request has a room, or a field that does not exist.
   */
  startCall(request?: Omit<TokenRequest, "roomId"> & Pick<TokenOptions, "signal">): Promise<Call>;

  /** Gives the cached token of exactly this request no more; without a request, none of all. */
  invalidate(request?: TokenRequest): void;

  /**
   * Keeps one room of a ZEGO Express engine (web, 2.16 or newer) in tokens, from before its login:
   * renews, while in the room, when the cached token of this request is given no more or on
   * `tokenWillExpire`, whichever comes first, and when ZEGO refuses the token (1102016, 20014,
   * 50119) or finds it expired (1102018), asks for a fresh one, reporting the refusal, and logs in
   * again; once. A second refusal in a row is told as `token_refused`. Of a room that is bound
   * anew, the former binding ends.
   *
   * @returns what ends it. Ending twice does no harm.
   */
  bindTo(engine: ZegoEngine, binding: Binding): () => void;

  /**
   * Hands over each renewal of a request's token, for SDKs that `bindTo` does not know (UIKit,
   * ZIM): when the cached token is given no more, and when `renew` is called. Where none is cached
   * yet, it begins with one. What fails is told, and asked for again while it can pass.
   */
  autoRenew(renewal: AutoRenewal): {
    /**
     * For the SDK's own event that the token will expire. What was handed over and is fresh by the
     * source's own count is not replaced: an SDK whose clock is ahead asks again and again.
     */
    renew(): void;
    stop(): void;
  };

  /** Ends every request, binding and renewal, and forgets every token. For sign-out. */
  close(): void;
}

/** For what to renew tokens, and who takes them. */
export interface AutoRenewal extends TokenRequest {
  /** Gives a token to its SDK. An error, or `false`, is told as `sdk_error`. */
  onToken: (issued: IssuedToken) => unknown;
  /** Told what could not be done. By default it goes to the console. What it throws is dropped. */
  onError?: ((error: TokenError) => void) | undefined;
}

/** Which room to keep in tokens, and how to log in to it again. */
export interface Binding extends TokenRequest {
  roomId: string;
  /** As at the login. */
  userName?: string | undefined;
  /** As at the login; without `userUpdate`, a new login stops `roomUserUpdate`. */
  roomConfig?: { userUpdate?: boolean; maxMemberCount?: number } | undefined;
  /** Told of each renewal that the SDK took. What it throws is dropped. */
  onRenewed?: ((issued: IssuedToken) => void) | undefined;
  /** Told what could not be done. By default it goes to the console. What it throws is dropped. */
  onError?: ((error: TokenError) => void) | undefined;
}

/** What is used of `ZegoExpressEngine`. */
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

/** The codes that are the client's own; all others are the service's. */
export type ClientErrorCode =
  /** The caller's signal aborted. */
  | "aborted"
  /** The answer is HTML, cut short, or not of the agreed shape. */
  | "bad_answer"
  /** `getBearer` failed (retryable), or gave no text that a header can carry. */
  | "bearer_unavailable"
  /** `close` was called. */
  | "closed"
  /** API Gateway or a proxy refused; `status` says what. 429 is throttling. */
  | "gateway_error"
  /** Offline, a wrong or redirected url, or the service's CORS does not name this page. */
  | "network_error"
  /** The service gave the token that it had given before, which ZEGO's SDK would ignore. */
  | "repeated_token"
  /** ZEGO's SDK did not take a token, or a login failed for another reason. */
  | "sdk_error"
  /** No answer within `timeoutMs` or `deadlineMs`. */
  | "timeout"
  /** ZEGO refused a fresh token, too: the ServerSecret is wrong. Tell ops. */
  | "token_refused";

export interface TokenErrorDetails {
  detail?: string | undefined;
  retryable?: boolean | undefined;
  status?: number | undefined;
  requestId?: string | undefined;
  retryAfterSeconds?: number | undefined;
}

/** Why there is no token. Holds neither token nor bearer: safe to log. */
export class TokenError extends Error {
  constructor(code: ClientErrorCode | (string & {}), details?: TokenErrorDetails);
  /** Stable, to decide on: the client's own, or one of `x-problems` in docs/openapi.yaml. */
  readonly code: ClientErrorCode | (string & {});
  /** For people; its wording may change. */
  readonly detail: string;
  /** Whether the same request can succeed later. */
  readonly retryable: boolean;
  /** Of the answer, where one came. */
  readonly status: number | undefined;
  /** Give it to whoever looks after the service. */
  readonly requestId: string | undefined;
  /** What the service asked to wait, 3600 at most. */
  readonly retryAfterSeconds: number | undefined;
}

/** @throws {TypeError} an option is missing or wrong. */
export function createTokenSource(options: TokenSourceOptions): TokenSource;

/**
 * The kit token that UIKit takes, as its `generateKitTokenForProduction` makes it.
 *
 * @param details `roomId` is needed with an identity token only.
 * @throws {TypeError} there is no room.
 */
export function kitToken(
  issued: Pick<IssuedToken, "token" | "appId" | "userId" | "roomId">,
  details?: { userName?: string | undefined; roomId?: string | undefined },
): string;

import type { Call, IssuedToken, Privilege } from "./token-source.js";

/**
 * The results of `TokenClient`. `console.log` shows one without its token; `JSON.stringify` includes
 * the token.
 */
export type { Call, IssuedToken, Privilege };

/** What a token is for. The service's access policy decides anything that you omit. */
export interface TokenRequest {
  /** The room that it opens. Without it the token is an identity token, for every room. */
  roomId?: string | null | undefined;
  /** Only with a room. Default: all that the policy grants. */
  privileges?: Iterable<Privilege> | null | undefined;
  /** 1 to 50 streams that the user may publish; only with a room. Default: any. */
  streamIds?: Iterable<string> | null | undefined;
  /** 60 to 2 073 600 (24 days), up to the policy's cap. Default: two hours or the cap. */
  lifetimeSeconds?: number | null | undefined;
  /**
   * The code with which ZEGO refused the last token: 20014, 50119, 1102016, 1002033, 1002070 to
   * 1002079, or 6000103. The service then checks for a new ServerSecret at once.
   */
  refusedWith?: number | null | undefined;
}

/** One request of a batch. */
export interface BatchRequest extends TokenRequest {
  userId: string;
}

/** What a call is for; the service creates its room. */
export interface CallRequest extends Omit<TokenRequest, "roomId"> {
  /** 1 to 50 users to notify of the call, other than the caller. The access policy bounds them. */
  callees?: Iterable<string> | null | undefined;
  /**
   * The same key of the same user is the same call. 1 to 255 visible ASCII characters. Default: a
   * random one, so that the client's own retries are one call.
   */
  idempotencyKey?: string | undefined;
}

export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

export interface TokenClientOptions {
  /**
   * A bearer token of an identity that the access policy lets name users, or a function that
   * returns one. The client keeps its result; after a 401 it calls the function once more, which must
   * then return a new token. Default: requests are signed with AWS credentials.
   */
  bearer?: string | (() => string | Promise<string>) | undefined;
  /** AWS credentials, or a function that returns current ones. Default: those of the AWS SDK. */
  credentials?: AwsCredentials | (() => AwsCredentials | Promise<AwsCredentials>) | undefined;
  /** The API's region. Default: that in an API Gateway's URL, otherwise AWS_REGION. */
  region?: string | undefined;
  /** For one request and its whole response. Default: 10 000. */
  timeoutMs?: number | undefined;
  /** Including the first one; at most 100. Default: 3. */
  attempts?: number | undefined;
  /** The last attempt starts at most this long after the first. Default: 20 000. */
  patienceMs?: number | undefined;
  /** Replaces Node's `fetch`, for example with one that uses a proxy. */
  fetch?: typeof globalThis.fetch | undefined;
  /** Milliseconds of a monotonic clock. Tests replace it, `sleep` and `random`. */
  clock?: (() => number) | undefined;
  sleep?: ((ms: number) => Promise<unknown>) | undefined;
  /** Returns numbers from 0 to 1; spreads the retries of many clients. */
  random?: (() => number) | undefined;
}

/**
 * Requests tokens for the users that this backend names. Create one client and keep it; requests
 * can run at the same time. It caches no token: each is for one user, whose app requests the next
 * one at `renewAt`.
 */
export class TokenClient {
  /**
   * @param url the API's base, output `ApiUrl` of the deployment: https, or http to localhost.
   * @throws {TypeError} an option is invalid.
   */
  constructor(url: string | URL, options?: TokenClientOptions);

  /** @throws {TokenServiceError} the service issued no token. */
  token(userId: string, request?: TokenRequest): Promise<IssuedToken>;

  /**
   * Returns up to 100 tokens: for each request, in order, its token or its error.
   *
   * @throws {TokenServiceError} the batch as a whole failed.
   */
  tokens(requests: Iterable<BatchRequest>): Promise<(IssuedToken | TokenServiceError)[]>;

  /**
   * Creates a room, returns the caller's token for it, and publishes the event for the callees.
   *
   * @throws {TokenServiceError} the service issued no token.
   */
  startCall(userId: string, request?: CallRequest): Promise<Call>;
}

/** The client's own codes. All others come from the service, or begin with `gateway_`. */
export type ClientErrorCode =
  /** The response is not from this API, or not for this request. Check the URL and any proxy. */
  | "bad_answer"
  /** There are no AWS credentials or no bearer token, or they cannot be sent. */
  | "credentials_unavailable"
  /** The service cannot be reached, or its response was cut short. */
  | "network_error"
  /** No complete response within `timeoutMs`. */
  | "timeout";

export interface TokenServiceErrorDetails {
  status?: number | undefined;
  requestId?: string | undefined;
  retryable?: boolean | undefined;
  retryAfterSeconds?: number | undefined;
  field?: string | undefined;
  help?: string | undefined;
}

/** Why there is no token. It contains no token and no credential, so it is safe to log. */
export class TokenServiceError extends Error {
  constructor(
    code: ClientErrorCode | (string & {}),
    detail: string,
    details?: TokenServiceErrorDetails,
  );
  /** Stable: decide by it. The service's codes are under `x-problems` in docs/openapi.yaml. */
  readonly code: ClientErrorCode | (string & {});
  /** Human-readable: what was wrong and what to do. The wording may change. */
  readonly detail: string;
  /** The HTTP status, if a response arrived. */
  readonly status: number | undefined;
  /** Give it to the service's operators. */
  readonly requestId: string | undefined;
  /** Whether the same call can succeed later. The client has retried it already. */
  readonly retryable: boolean;
  /** How long to wait first, at most 3600. */
  readonly retryAfterSeconds: number | undefined;
  /** The invalid field, if there is one. */
  readonly field: string | undefined;
  /** The page that explains a refusal of the service. */
  readonly help: string | undefined;
}

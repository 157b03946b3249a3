import type {
  CallRequest,
  IssuedToken,
  Platform,
  TokenRequest,
  ZegoEngine,
} from "./token-source.js";

/**
 * Stands in for `ZegoExpressEngine` in the tests of an app, without a network: it acts like
 * zego-express-engine-webrtc 3.12 with tokens and rooms, and has no streams. It accepts every token
 * unless you set `verdict`. Its timers are those of the platform, so fake timers control it.
 */
export class TestEngine implements ZegoEngine {
  constructor(
    appID?: number,
    server?: string,
    options?: { platform?: Pick<Platform, "Date" | "setTimeout" | "clearTimeout"> | undefined },
  );
  readonly appID: number;
  readonly server: string;

  /** ZEGO's response to a token at each login: an error code such as 1102016, or 0. Replace it. */
  verdict: (token: string) => number;
  /** Each login so far, refused ones included. */
  readonly logins: {
    roomID: string;
    token: string;
    user: { userID: string; userName?: string | undefined };
    config: { userUpdate?: boolean; maxMemberCount?: number } | undefined;
  }[];
  /** Each call of `renewToken` that had an effect. */
  readonly renewals: { roomID: string; token: string }[];
  /** Each call of `renewToken` with the token that the room already has: the SDK ignores it. */
  readonly ignored: { roomID: string; token: string }[];
  /** The rooms that the user is in or is entering. */
  readonly rooms: string[];
  /** How many listeners there are of all events: 0 after your app has cleaned up. */
  readonly listenerCount: number;
  tokenIn(roomID: string): string | undefined;

  on(event: string, callback: (...details: any[]) => void): boolean;
  off(event: string, callback: (...details: any[]) => void): boolean;
  enableMultiRoom(enable: boolean): boolean;
  loginRoom(
    roomID: string,
    token: string,
    user: { userID: string; userName?: string | undefined },
    config?: { userUpdate?: boolean; maxMemberCount?: number },
  ): Promise<boolean>;
  /** Like the SDK, it uses the first room if the user is not in this one. */
  renewToken(token: string, roomID?: string): boolean;
  /** Throws if the user is only in other rooms. Without a room, it leaves all. */
  logoutRoom(roomID?: string): void;
  destroyEngine(): void;

  /** ZEGO ends the login: `"KICKOUT"` or `"RECONNECT_FAILED"`, with the SDK's code. */
  lose(roomID: string, reason: string, code: number): void;
  /** Emits an event, such as `emit("tokenWillExpire", roomID)`. */
  emit(event: string, ...details: unknown[]): void;
}

/**
 * Makes a function that is both `fetchToken` and `fetchCall` of a token source in tests. Each of its
 * tokens is new, has what the request asks for, and looks like a Token04. To test a refusal of the
 * service, pass your own function that throws a `TokenError`.
 */
export function createTestTokens(options?: {
  /** Default: "alice". */
  userId?: string | undefined;
  /** Default: 1234567890. */
  appId?: number | undefined;
  /** Of requests that name no lifetime. Default: 7200. */
  lifetimeSeconds?: number | undefined;
  platform?: Pick<Platform, "Date"> | undefined;
}): (request: TokenRequest & CallRequest) => Promise<IssuedToken>;

// Code that tsc must accept, and code that it must reject. It is not run.

import { createTokenSource, kitToken, TokenError } from "zego-token-service-client";
import type {
  Call,
  ClientErrorCode,
  IssuedToken,
  TokenSource,
  ZegoEngine,
} from "zego-token-service-client";

declare const engine: ZegoEngine;

const source: TokenSource = createTokenSource({
  url: "https://tokens.example.com",
  getBearer: async ({ refresh, signal }) => (refresh && !signal.aborted ? "new" : "old"),
});

const issued: IssuedToken = await source.token({ roomId: "room", privileges: ["login"] });
const room: string | null = issued.roomId;
await source.token();
await source.token({ signal: new AbortController().signal, refresh: true, refusedWith: 1102016 });
source.invalidate({ roomId: "room" });
source.invalidate();

const unbind: () => void = source.bindTo(engine, {
  roomId: "room",
  userName: "Alice",
  roomConfig: { userUpdate: true },
  onRenewed: ({ expiresAt }) => console.info(expiresAt),
  onError: (error: TokenError) => console.warn(error.code, error.requestId ?? room),
});
unbind();

const renewal = source.autoRenew({
  roomId: "room",
  onToken: ({ token }) => token.length,
  onError: (error) => console.warn(error.code),
});
const { renew }: { renew: () => void } = renewal;
renew();
renewal.stop();

const call: Call = await source.startCall({ lifetimeSeconds: 600 });
const callRoom: string = call.roomId;

const kit: string = kitToken(issued, { userName: "Alice" });
const code: ClientErrorCode = "timeout";
const again: boolean = new TokenError(code).retryable;
console.log(kit.length, again, callRoom, call.callId);
source.close();

// @ts-expect-error: the field is roomId
await source.token({ roomID: "room" });
// @ts-expect-error: the service makes the room
await source.startCall({ roomId: "room" });
// @ts-expect-error: there is no such privilege
await source.token({ privileges: ["listen"] });
// @ts-expect-error: onToken is required
source.autoRenew({ roomId: "room" });
// @ts-expect-error: roomId is required
source.bindTo(engine, {});
// @ts-expect-error: an issued token is frozen
issued.token = "";
// @ts-expect-error: getBearer is required
createTokenSource({ url: "https://tokens.example.com" });

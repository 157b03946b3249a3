// Code that tsc must accept, and code that it must reject. It is not run.

import { createTokenSource, kitToken, TokenError } from "zego-token-service-client";
import { useRoom } from "zego-token-service-client/react";
import { TestEngine } from "zego-token-service-client/testing";
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
const invited: Call = await source.startCall({ callees: ["bob"], idempotencyKey: "order-7" });
if (invited.eventAccepted === false) console.warn(invited.callees.join());
const callRoom: string = call.roomId;

const kit: string = kitToken(issued, { userName: "Alice" });
const code: ClientErrorCode = "timeout";
const again: boolean = new TokenError(code).retryable;
console.log(kit.length, again, callRoom, call.callId);
source.close();

const ofBackend: TokenSource = createTokenSource({
  fetchToken: (request, { signal }) =>
    fetch("/zego-token", { method: "POST", body: JSON.stringify(request), signal }),
  fetchCall: ({ callees, idempotencyKey }) => ({ callees, idempotencyKey }),
});
const ownEngine = new TestEngine();
ownEngine.verdict = (token) => (token === issued.token ? 1102016 : 0);
ofBackend.bindTo(ownEngine, { roomId: "room" });
const { state, error } = useRoom(ownEngine, ofBackend, { roomId: "room", userName: "Alice" });
const shown: string = error ? `${error.code}` : state;
useRoom(null, null, { roomId: undefined });
console.log(shown);

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
// @ts-expect-error: fetchToken replaces url and getBearer
createTokenSource({ url: "https://tokens.example.com", fetchToken: () => issued });
// @ts-expect-error: fetchCall needs fetchToken
createTokenSource({ fetchCall: () => call });
// @ts-expect-error: callees is a list
await source.startCall({ callees: "bob" });

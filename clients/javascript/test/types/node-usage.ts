// Code that tsc must accept, and code that it must reject. It is not run.

import { TokenClient, TokenServiceError } from "../../node.js";
import type { Call, ClientErrorCode, IssuedToken } from "../../node.js";

const client = new TokenClient("https://tokens.example.com", { bearer: async () => "bearer" });
new TokenClient(new URL("https://tokens.example.com"));
new TokenClient("https://tokens.example.com", {
  region: "eu-central-1",
  credentials: { accessKeyId: "id", secretAccessKey: "key" },
});

const issued: IssuedToken = await client.token("alice", { roomId: "room", privileges: ["login"] });
for (const each of await client.tokens([{ userId: "alice" }, { userId: "bob", roomId: null }])) {
  if (each instanceof TokenServiceError) console.warn(each.code, each.field, each.requestId);
  else console.info(each.userId, each.roomId ?? issued.roomId);
}
const call: Call = await client.startCall("alice", { callees: new Set(["bob"]), idempotencyKey: "key" });
const told: boolean | null = call.eventAccepted;
const code: ClientErrorCode = "timeout";
console.info(call.callId, told, code);

// @ts-expect-error: the field is roomId
await client.token("alice", { roomID: "room" });
// @ts-expect-error: the user comes first
await client.token({ userId: "alice" });
// @ts-expect-error: a request names its user
await client.tokens([{ roomId: "room" }]);
// @ts-expect-error: the service makes the room
await client.startCall("alice", { roomId: "room" });
// @ts-expect-error: a call returns an issued token, which is frozen
call.token = "";

import assert from "node:assert/strict";
import { test } from "node:test";

import { engines } from "zego-express-engine-webrtc";

import { until } from "./until.js";

globalThis.auth = { getAccessToken: async () => process.env.BEARER };
await import("./web.js");
const [engine] = engines;

test("the room is entered with a token from the service", () => {
  const [{ roomID, token, user }] = engine.logins;
  assert.deepEqual([roomID, user], ["call_0123", { userID: "alice", userName: "Alice" }]);
  assert.match(token, /^04/);
  assert.equal(engine.appID, Number(process.env.APP_ID));
  assert.deepEqual(engine.rooms, ["call_0123"]);
});

test("the token is renewed when it is about to expire", async () => {
  engine.emit("tokenWillExpire", "call_0123");
  await until(() => engine.renewals.length === 1);
  assert.notEqual(engine.renewals[0].token, engine.logins[0].token);
});

test("a refused token is replaced, and the user logs in again", async () => {
  engine.lose("call_0123", "RECONNECT_FAILED", 1102016);
  await until(() => engine.rooms.length === 1);
  const tokens = [engine.logins[0], engine.renewals[0], engine.logins[1]].map(({ token }) => token);
  assert.equal(new Set(tokens).size, 3);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { kits } from "@zegocloud/zego-uikit-prebuilt";

import { until } from "./until.js";

globalThis.auth = { getAccessToken: async () => process.env.BEARER };
globalThis.document = { getElementById: (id) => ({ id }) };
await import("./uikit.js");
const [kit] = kits;

const detailsIn = (kitToken) => JSON.parse(atob(kitToken.split("#")[1]));

test("UIKit is created with a kit token for the room", () => {
  assert.match(kit.kitToken, /^04[^#]+#/);
  assert.deepEqual(detailsIn(kit.kitToken), {
    userID: "alice",
    roomID: "call_0123",
    userName: "Alice",
    appID: Number(process.env.APP_ID),
  });
  assert.deepEqual(kit.config.container, { id: "call" });
});

test("it gets another kit token before the first one expires", async (t) => {
  kit.config.onJoinRoom();
  t.after(kit.config.onLeaveRoom);
  kit.config.onTokenWillExpire();
  await until(() => kit.renewals.length > 0);
  assert.equal(kit.renewals.length, 1);
  assert.deepEqual(detailsIn(kit.renewals[0]), detailsIn(kit.kitToken));
  assert.notEqual(kit.renewals[0], kit.kitToken);
});

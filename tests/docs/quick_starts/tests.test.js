import assert from "node:assert/strict";
import { test } from "node:test";

import { TestEngine } from "zego-token-service-client/testing";

import { until } from "./until.js";

let engine;
const { on } = TestEngine.prototype;
TestEngine.prototype.on = function (...listener) {
  engine = this; // the snippet's engine
  return on.apply(this, listener);
};
await import("./tests.js");

test("the binding has logged in again, with another token", () => {
  const [first, second] = engine.logins;
  assert.notEqual(first.token, second.token);
  assert.deepEqual(engine.rooms, ["call_0123"]);
});

test("the events that the text names have their effects", async () => {
  engine.emit("tokenWillExpire", "call_0123");
  await until(() => engine.renewals.length === 1);
  engine.lose("call_0123", "KICKOUT", 1102022);
  assert.deepEqual(engine.rooms, []);
});

import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { createTestTokens, TestEngine } from "../testing.js";
import { createTokenSource } from "../token-source.js";
import { World } from "./support/world.js";

/** An app under test, as a developer writes it. */
function start(t, options) {
  const world = new World();
  const { platform } = world;
  const tokens = createTestTokens({ platform, ...options });
  const source = createTokenSource({ fetchToken: tokens, fetchCall: tokens, platform });
  t.after(() => source.close());
  const engine = new TestEngine(7, "wss://example.com/ws", { platform });
  const states = [];
  engine.on("roomStateChanged", (room, state, code) => states.push([room, state, code]));
  return { world, source, engine, states };
}

suite("tokens for tests", () => {
  test("have what the request and the options say, and differ", async (t) => {
    const { source } = start(t, { userId: "bob", appId: 7, lifetimeSeconds: 600 });
    const first = await source.token({ roomId: "room", privileges: ["login"], streamIds: ["a"] });
    const { token, requestId, ...rest } = first;
    assert.deepEqual(rest, {
      appId: 7,
      userId: "bob",
      roomId: "room",
      privileges: { login: true, publish: false },
      streamIds: ["a"],
      issuedAt: 1_700_000_000,
      expiresAt: 1_700_000_600,
      renewAt: 1_700_000_540,
    });
    assert.notEqual((await source.token()).token, token);
    assert.equal((await source.token()).roomId, null);
  });

  test("can start calls", async (t) => {
    const { source } = start(t);
    const call = await source.startCall({ callees: ["bob"] });
    assert.deepEqual([call.callees, call.eventAccepted], [["bob"], true]);
    assert.equal(call.roomId, `call_${call.callId}`);
    assert.deepEqual((await source.startCall()).eventAccepted, null);
  });
});

suite("the engine for tests", () => {
  test("logs in, renews, and announces the expiry", async (t) => {
    const { world, source, engine, states } = start(t, { lifetimeSeconds: 600 });
    source.bindTo(engine, { roomId: "room" });
    const { token } = await source.token({ roomId: "room" });
    await engine.loginRoom("room", token, { userID: "alice" });
    await world.pass(0);
    assert.deepEqual(states, [
      ["room", "LOGINING", 0],
      ["room", "LOGINED", 0],
    ]);
    engine.emit("tokenWillExpire", "room");
    await world.pass(1);
    assert.equal(engine.renewals.length, 1);
    await world.pass(600);
    assert.equal(engine.renewals.length, 2);
  });

  test("refuses a token, and the binding logs in with another", async (t) => {
    const { world, source, engine, states } = start(t);
    source.bindTo(engine, { roomId: "room" });
    const { token } = await source.token({ roomId: "room" });
    engine.verdict = (given) => (given === token ? 20014 : 0);
    await assert.rejects(engine.loginRoom("room", token, { userID: "alice" }), { code: 20014 });
    await world.pass(1);
    assert.deepEqual(engine.rooms, ["room"]);
    assert.deepEqual(
      states.map(([, state]) => state),
      ["LOGINING", "LOGIN_FAILED", "LOGINING", "LOGINED"],
    );
  });

  test("ignores a renewal with the token that it has, as the SDK does", async (t) => {
    const { source, engine } = start(t);
    const { token } = await source.token({ roomId: "room" });
    assert.equal(engine.renewToken(token, "room"), false);
    await engine.loginRoom("room", token, { userID: "alice" });
    assert.equal(engine.renewToken(token, "room"), true);
    assert.deepEqual([engine.renewals, engine.ignored], [[], [{ roomID: "room", token }]]);
  });

  test("leaves its rooms and forgets its listeners when it is destroyed", async (t) => {
    const { engine, world } = start(t);
    engine.enableMultiRoom(true);
    for (const room of ["a", "b"]) {
      await engine.loginRoom(room, `04${btoa("\0".repeat(90))}`, { userID: "alice" });
    }
    engine.destroyEngine();
    assert.deepEqual([engine.rooms, engine.listenerCount], [[], 0]);
    await world.pass(0);
    assert.equal(world.timers, 0);
  });

  test("follows the fake timers of node:test, as an app's tests would use them", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
    const engine = new TestEngine();
    const rooms = [];
    engine.on("tokenWillExpire", (room) => rooms.push(room));
    const { token } = await createTestTokens()({ roomId: "room", lifetimeSeconds: 60 });
    await engine.loginRoom("room", token, { userID: "alice" });
    t.mock.timers.tick(29_999);
    assert.deepEqual(rooms, []);
    t.mock.timers.tick(1);
    t.mock.timers.tick(0);
    assert.deepEqual(rooms, ["room"]);
    engine.logoutRoom();
  });
});

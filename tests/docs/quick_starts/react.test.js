// The hook runs in React itself, with a renderer that needs no page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { act, createElement, StrictMode } from "react";
import { create } from "react-test-renderer";
import { ZegoExpressEngine } from "zego-express-engine-webrtc";
import { createTokenSource } from "zego-token-service-client";
import { useRoom } from "zego-token-service-client/react";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;
globalThis.auth = { getAccessToken: async () => process.env.BEARER };

/** The client's wait before it retries a renewal. */
const NEXT_RENEWAL_MS = 20_000;

function start(t, getBearer = () => process.env.BEARER, platform = globalThis) {
  const engine = new ZegoExpressEngine(1234567890, "wss://example.com/ws");
  const source = createTokenSource({ url: process.env.API, getBearer, platform });
  t.after(() => source.close());
  const seen = { errors: new Set() };
  const Room = ({ id }) => {
    const { state, error } = useRoom(engine, source, { roomId: id, userName: "Alice" });
    Object.assign(seen, { state, error });
    if (error) seen.errors.add(error);
    return null;
  };
  const inRoom = (id) => createElement(StrictMode, null, createElement(Room, { id }));
  return { engine, source, seen, inRoom };
}

const mount = (element) => act(async () => create(element, { unstable_isStrictMode: true }));

/** Waits for the state, and lets React do its work meanwhile. */
async function becomes(seen, expected) {
  while (seen.state !== expected) await act(() => new Promise(setImmediate));
}

for (const isCached of [false, true]) {
  test(`StrictMode's two mounts are one login, with a ${isCached ? "cached" : "new"} token`, async (t) => {
    const { engine, source, seen, inRoom } = start(t);
    if (isCached) await source.token({ roomId: "call_1" });
    await mount(inRoom("call_1"));
    await becomes(seen, "LOGINED");
    assert.equal(engine.logins.length, 1);
    assert.equal(engine.listenerCount, 3);
    assert.equal(seen.errors.size, 0);
  });
}

test("an unmount leaves the room and no listeners", async (t) => {
  const { engine, seen, inRoom } = start(t);
  const root = await mount(inRoom("call_1"));
  await becomes(seen, "LOGINED");
  await act(async () => root.unmount());
  assert.deepEqual([engine.rooms, engine.listenerCount], [[], 0]);
});

test("no login follows if the token arrives after the unmount", async (t) => {
  let giveBearer;
  const { engine, source, inRoom } = start(t, () => new Promise((resolve) => (giveBearer = resolve)));
  const root = await mount(inRoom("call_1"));
  const token = source.token({ roomId: "call_1" }); // keeps the hook's request alive
  await act(async () => root.unmount());
  giveBearer(process.env.BEARER);
  assert.match((await token).token, /^04/);
  assert.deepEqual([engine.logins, engine.listenerCount], [[], 0]);
});

test("a change of room leaves the old room and enters the new one", async (t) => {
  const { engine, seen, inRoom } = start(t);
  const root = await mount(inRoom("call_1"));
  await becomes(seen, "LOGINED");
  await act(async () => root.update(inRoom("call_2")));
  await becomes(seen, "LOGINED");
  assert.deepEqual(engine.rooms, ["call_2"]);
  assert.deepEqual(
    engine.logins.map(({ roomID }) => roomID),
    ["call_1", "call_2"],
  );
});

test("a token that ZEGO refuses is replaced", async (t) => {
  const { engine, seen, inRoom } = start(t);
  engine.verdict = () => (engine.logins.length === 1 ? 1102016 : 0);
  await mount(inRoom("call_1"));
  await becomes(seen, "LOGINED");
  assert.equal(engine.logins.length, 2);
  assert.equal(seen.error, null);
});

test("leaving a room before its token arrives does not affect another room", async (t) => {
  let bearer = process.env.BEARER;
  const { engine, seen, inRoom } = start(t, () => bearer);
  const first = await mount(inRoom("call_1"));
  await becomes(seen, "LOGINED");
  bearer = new Promise(() => {});
  const second = await mount(inRoom("call_2"));
  await act(async () => second.unmount());
  assert.deepEqual(engine.rooms, ["call_1"]);
  await act(async () => first.unmount());
  assert.deepEqual([engine.rooms, engine.listenerCount], [[], 0]);
});

test("an error disappears when a renewal succeeds", async (t) => {
  let isDown = false;
  const getBearer = () => {
    if (isDown) throw new Error("down");
    return process.env.BEARER;
  };
  let timePasses;
  const { Date, Math, clearTimeout, fetch, performance } = globalThis;
  const setTimeout = (callback, ms) =>
    ms === NEXT_RENEWAL_MS ? (timePasses = callback) : globalThis.setTimeout(callback, ms);
  const platform = { Date, Math, clearTimeout, fetch, performance, setTimeout };
  const { engine, seen, inRoom } = start(t, getBearer, platform);
  await mount(inRoom("call_1"));
  await becomes(seen, "LOGINED");
  isDown = true;
  engine.emit("tokenWillExpire", "call_1");
  while (!seen.error) await act(() => new Promise(setImmediate));
  assert.equal(seen.error.code, "bearer_unavailable");
  isDown = false;
  engine.emit("tokenWillExpire", "call_1");
  timePasses();
  while (seen.error) await act(() => new Promise(setImmediate));
  assert.equal(engine.renewals.length, 1);
});

test("a room that is not granted is an error with a code", async (t) => {
  const { engine, seen, inRoom } = start(t);
  await mount(inRoom("of_another"));
  while (!seen.error) await act(() => new Promise(setImmediate));
  assert.equal(seen.error.code, "not_granted");
  assert.deepEqual([engine.logins, seen.state], [[], "LOGOUT"]);
});

test("without a room, an engine or a source it does nothing until there is one", async (t) => {
  const { engine, source, seen, inRoom } = start(t);
  const Nowhere = () => Object.assign(seen, useRoom(null, null, { roomId: "call_1" })) && null;
  await mount(createElement(Nowhere));
  const root = await mount(inRoom(null));
  assert.deepEqual([seen.state, seen.error, engine.logins], ["LOGOUT", null, []]);
  await act(async () => root.update(inRoom("call_1")));
  await becomes(seen, "LOGINED");
  await act(async () => root.update(inRoom(undefined)));
  assert.deepEqual([seen.state, engine.rooms], ["LOGOUT", []]);
  source.close();
});

test("a misspelled option and a closed source are reported", async (t) => {
  const { engine, source, seen, inRoom } = start(t);
  assert.throws(() => useRoom(engine, source, { roomID: "call_1" }), /^TypeError: useRoom needs/);
  source.close();
  await mount(inRoom("call_1"));
  while (!seen.error) await act(() => new Promise(setImmediate));
  assert.equal(seen.error.code, "closed");
  assert.deepEqual(engine.logins, []);
});

test("its token is what the options say, and another render is no other login", async (t) => {
  const { engine, source } = start(t);
  const asked = [];
  const spied = { ...source, token: (request) => asked.push(request) && source.token(request) };
  const seen = {};
  const Room = ({ render }) => {
    const options = { roomId: "call_1", privileges: ["login"], roomConfig: { userUpdate: true } };
    Object.assign(seen, useRoom(engine, spied, options), { render });
    return null;
  };
  const root = await mount(createElement(Room, { render: 1 }));
  await becomes(seen, "LOGINED");
  await act(async () => root.update(createElement(Room, { render: 2 })));
  assert.deepEqual([engine.logins.length, seen.render], [1, 2]);
  assert.deepEqual(engine.logins[0].config, { userUpdate: true });
  assert.deepEqual(asked.map(({ signal, ...request }) => request), [
    { roomId: "call_1", privileges: ["login"] },
  ]);
});

test("the component of the document shows the state and the error", async () => {
  const { Call } = await import("./react.js");
  const texts = (root) => [root.toJSON().children].flat().join("");
  const root = await mount(createElement(Call, { roomId: "call_0123", userName: "Alice" }));
  assert.match(texts(root), /^(Connecting …|In the call)$/);
  while (texts(root) !== "In the call") await act(() => new Promise(setImmediate));
  await act(async () => root.update(createElement(Call, { roomId: "of_another", userName: "Alice" })));
  while (texts(root) !== "No call: not_granted") await act(() => new Promise(setImmediate));
  await act(async () => root.unmount());
});

import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { Engine } from "./support/engine.js";
import { hang, issued, problem } from "./support/server.js";
import { start } from "./support/start.js";

const CALL_ID = "0".repeat(32);
const ROOM = `call_${CALL_ID}`;

async function startCalls(t, options) {
  const started = await start(t, options);
  const { world, source } = started;
  const call = (request) => world.settle(source.startCall(request));
  const failure = (request) => world.failure(source.startCall(request));
  return { ...started, call, failure };
}

suite("a call", () => {
  test("has a new room and a token for it, frozen", async (t) => {
    const { server, call } = await startCalls(t);
    const { token, ...rest } = await call({ callees: ["bob", "carol"] });
    assert.match(token, /^04[A-Za-z0-9+/]+=*$/);
    assert.deepEqual(rest, {
      callId: CALL_ID,
      callees: ["bob", "carol"],
      eventAccepted: true,
      roomId: ROOM,
      appId: 1234567890,
      userId: "alice",
      privileges: { login: true, publish: true },
      streamIds: null,
      issuedAt: 1_700_000_000,
      expiresAt: 1_700_007_200,
      renewAt: 1_700_006_900,
      requestId: "request-1",
    });
    const [{ method, path, headers, body }] = server.requests;
    assert.equal(`${method} ${path} ${body}`, 'POST /v1/calls {"callees":["bob","carol"]}');
    assert.equal(headers.authorization, "Bearer bearer-of-alice");
  });

  test("is frozen and has the requested privileges", async (t) => {
    const { server, call } = await startCalls(t);
    const made = await call({ privileges: ["login"], streamIds: ["a"], lifetimeSeconds: 600 });
    assert.deepEqual(server.bodies, [
      { privileges: ["login"], stream_ids: ["a"], lifetime_seconds: 600 },
    ]);
    assert.equal(made.privileges.publish, false);
    for (const part of [made, made.privileges, made.streamIds, made.callees]) {
      assert(Object.isFrozen(part));
    }
  });

  test("without callees has no event", async (t) => {
    const { call } = await startCalls(t);
    const { callees, eventAccepted } = await call();
    assert.deepEqual([callees, eventAccepted], [[], null]);
  });

  test("has a random key, which its retries repeat", async (t) => {
    const { server, call } = await startCalls(t);
    server.answer(problem(503, "secret_unavailable"));
    await call();
    await call();
    const [first, retry, other] = server.requests.map(({ headers }) => headers["idempotency-key"]);
    assert.match(first, /^[0-9a-f]{32}$/);
    assert.equal(retry, first);
    assert.notEqual(other, first);
  });

  test("may have a key of the app", async (t) => {
    const { server, source, call } = await startCalls(t);
    await call({ idempotencyKey: "order-7" });
    assert.equal(server.requests[0].headers["idempotency-key"], "order-7");
    for (const idempotencyKey of ["", "two words", "é", "x".repeat(256), 7]) {
      await assert.rejects(source.startCall({ idempotencyKey }), {
        name: "TypeError",
        message: "idempotencyKey must be 1 to 255 visible ASCII characters",
      });
    }
    assert.equal(server.requests.length, 1);
  });

  test("has a new room each time, also if several start together", async (t) => {
    const { server, source, world } = await startCalls(t);
    const calls = await world.settle(Promise.all([source.startCall(), source.startCall()]));
    assert.equal(new Set(calls.map(({ roomId }) => roomId)).size, 2);
    assert.equal(server.requests.length, 2);
  });

  test("has its token cached and renewed like the token of a room", async (t) => {
    const { server, world, call, token } = await startCalls(t);
    const made = await call({ privileges: ["login"] });
    const request = { roomId: ROOM, privileges: ["login"] };
    assert.equal(await token(request), made);
    await world.pass(6900);
    const next = await token(request);
    assert.notEqual(next.token, made.token);
    assert.deepEqual(server.bodies[1], { room_id: ROOM, privileges: ["login"] });
  });

  test("has its token renewed by a binding to its room", async (t) => {
    const { world, source, call } = await startCalls(t);
    const { roomId, userId, token } = await call();
    const engine = new Engine(world);
    source.bindTo(engine, { roomId });
    await engine.loginRoom(roomId, token, { userID: userId });
    await world.pass(6 * 3600);
    assert.equal(engine.renewals.length, 3);
  });

  test("is retried after a temporary failure, and with a new bearer token after a 401", async (t) => {
    const getBearer = ({ refresh }) => (refresh ? "fresh" : "stale");
    const { server, call } = await startCalls(t, { getBearer });
    server.answer(problem(503, "secret_unavailable"), problem(401, "bearer_expired"));
    await call();
    const sent = server.requests.map(({ headers }) => headers.authorization);
    assert.deepEqual(sent, ["Bearer stale", "Bearer stale", "Bearer fresh"]);
  });

  test("is not retried after a final refusal", async (t) => {
    const { server, failure } = await startCalls(t);
    server.answer(problem(403, "not_granted"));
    const error = await failure();
    assert.deepEqual([error.code, error.requestId], ["not_granted", "request-of-a-problem"]);
    assert.equal(server.requests.length, 1);
  });

  test("rejects a roomId and unknown fields", async (t) => {
    const { server, source } = await startCalls(t);
    await assert.rejects(source.startCall({ roomId: ROOM }), /startCall has no option roomId/);
    await assert.rejects(
      source.startCall({ room: ROOM }),
      /has no option room. There are: privileges, /,
    );
    assert.equal(server.requests.length, 0);
  });

  const wrong = {
    "no call id": { call_id: undefined },
    "no room": { room_id: null },
    "a JWT": { token: "eyJ.a.b" },
    "an AppID as a string": { app_id: "1234567890" },
    "no callees": { callees: undefined },
    "no event": { event_accepted: undefined },
  };
  for (const [name, changes] of Object.entries(wrong)) {
    test(`is not made from a response with ${name}`, async (t) => {
      const { server, failure } = await startCalls(t);
      server.answer(issued(changes), issued(changes));
      const error = await failure();
      assert.deepEqual([error.code, error.status], ["bad_answer", 201]);
      assert.equal(server.requests.length, 2);
    });
  }

  test("times out at the deadline", async (t) => {
    const { server, world, failure } = await startCalls(t, { deadlineMs: 12_000 });
    server.answer(hang, hang);
    assert.equal((await failure()).code, "timeout");
    assert.equal(server.requests.length, 2);
    assert.equal(world.elapsedMs, 12_000);
  });

  test("can be cancelled by its signal or by close", async (t) => {
    const { server, world, source, token } = await startCalls(t);
    const caller = new AbortController();
    server.answer(hang, hang);
    const given = source.startCall({ signal: caller.signal });
    const closed = source.startCall();
    await world.quiet();
    caller.abort();
    assert.equal((await world.failure(given)).code, "aborted");
    assert.equal((await token({ roomId: "room" })).roomId, "room");
    source.close();
    assert.equal((await world.failure(closed)).code, "closed");
    assert.equal((await world.failure(source.startCall())).code, "closed");
    assert.equal(world.timers, 0);
  });
});

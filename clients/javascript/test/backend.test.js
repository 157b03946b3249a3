import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { inspect } from "node:util";

import { createTokenSource, TokenError } from "../token-source.js";
import { Engine } from "./support/engine.js";
import { Server, tokenOf } from "./support/server.js";
import { World } from "./support/world.js";

/**
 * A source of an app's backend. Each of `answers` responds to one request, then the backend passes
 * on what the service says.
 */
function start(t, { answers = [], ...options } = {}) {
  const world = new World();
  const service = new Server(world);
  const asked = [];
  const times = [];
  const respond = (document) => async (request, ask) => {
    asked.push(request);
    times.push(world.elapsedMs / 1000);
    const answer = answers.shift() ?? ((document) => document);
    return answer(document(request), ask);
  };
  const fetchToken = respond(({ roomId }) => service.issue({ room_id: roomId }));
  const fetchCall = respond(({ callees }) => service.call({ callees }));
  const { platform } = world;
  const source = createTokenSource({ fetchToken, fetchCall, platform, ...options });
  t.after(() => source.close());
  return {
    world,
    source,
    asked,
    answers,
    waits: () => times.slice(1).map((time, n) => time - times[n]),
    token: (request) => world.settle(source.token(request)),
    failure: (request) => world.failure(source.token(request)),
  };
}

/** What a backend's endpoint sends, as the page's fetch returns it. */
const sent =
  (status = 200, changes = {}, headers = {}) =>
  (document) =>
    Response.json({ ...document, ...changes }, { status, headers });

/** A problem of the service that the backend passes on. */
const problem = (status, code, headers = {}) => {
  const document = {
    status,
    code,
    detail: `Of ${code}.`,
    request_id: "r1",
    retryable: status > 499,
  };
  const type = { "content-type": "application/problem+json" };
  return () => new Response(JSON.stringify(document), { status, headers: { ...type, ...headers } });
};

const inThisClientsWords = ({ token, privileges, ...said }) => ({
  token,
  appId: said.app_id,
  userId: said.user_id,
  roomId: said.room_id,
  privileges,
  streamIds: said.stream_ids,
  issuedAt: said.issued_at,
  expiresAt: said.expires_at,
  renewAt: said.renew_at,
  requestId: said.request_id,
});

suite("a token of an app's backend", () => {
  const forms = {
    "the service's document": (document) => document,
    "this client's document": inThisClientsWords,
    "the response of fetch": sent(),
    "the response of fetch in this client's words": (document) =>
      Response.json(inThisClientsWords(document)),
  };
  for (const [name, answer] of Object.entries(forms)) {
    test(`may come as ${name}`, async (t) => {
      const { token } = start(t, { answers: [answer] });
      const { token: text, ...rest } = await token({ roomId: "room" });
      assert.match(text, /^04/);
      assert.deepEqual(rest, {
        appId: 1234567890,
        userId: "alice",
        roomId: "room",
        privileges: { login: true, publish: true },
        streamIds: null,
        issuedAt: 1_700_000_000,
        expiresAt: 1_700_007_200,
        renewAt: 1_700_006_900,
        requestId: "request-1",
      });
    });
  }

  test("is requested with what the app requested, and nothing else", async (t) => {
    const { asked, token } = start(t);
    await token({ roomId: "room", privileges: ["login"], streamIds: ["a"], lifetimeSeconds: 600 });
    await token({ roomId: "room", refusedWith: 1102016 });
    assert.deepEqual(asked, [
      { roomId: "room", privileges: ["login"], streamIds: ["a"], lifetimeSeconds: 600 },
      { roomId: "room", refusedWith: 1102016 },
    ]);
  });

  test("is cached, shared and renewed like one of the service", async (t) => {
    const { world, source, asked, token } = start(t);
    const both = [source.token({ roomId: "room" }), source.token({ roomId: "room" })];
    const [first, second] = await world.settle(Promise.all(both));
    assert.equal(first, second);
    assert.equal(await token({ roomId: "room" }), first);
    assert.equal(asked.length, 1);
    await world.pass(6900);
    assert.notEqual((await token({ roomId: "room" })).token, first.token);
  });

  test("is renewed by a binding, and replaced if ZEGO refuses it", async (t) => {
    const { world, source, asked, token } = start(t);
    const engine = new Engine(world);
    source.bindTo(engine, { roomId: "room" });
    const { token: text } = await token({ roomId: "room" });
    await engine.loginRoom("room", text, { userID: "alice" });
    await world.pass(7000);
    assert.equal(engine.renewals.length, 1);
    engine.lose("room", "KICKOUT", 20014);
    await world.pass(1);
    assert.deepEqual(engine.rooms, ["room"]);
    assert.equal(asked.at(-1).refusedWith, 20014);
  });

  test("is renewed automatically", async (t) => {
    const { world, source } = start(t);
    const given = [];
    source.autoRenew({ roomId: "room", onToken: ({ token }) => given.push(token) });
    await world.pass(7000);
    assert.equal(new Set(given).size, 2);
  });

  test("ends with its signal if nothing waits for it, and in time", async (t) => {
    let given;
    const answers = [(_, { signal }) => new Promise(() => (given = signal))];
    const { world, source, failure } = start(t, {
      answers: [...answers, ...answers],
      maxRetries: 0,
    });
    const controller = new AbortController();
    const asked = source.token({ signal: controller.signal });
    await world.quiet();
    controller.abort();
    assert.equal((await world.failure(asked)).code, "aborted");
    assert.equal(given.aborted, true);
    assert.equal((await failure()).code, "timeout");
  });
});

suite("a refusal by an app's backend", () => {
  test("may be a problem of the service", async (t) => {
    const { asked, failure } = start(t, { answers: [problem(403, "not_granted")] });
    const { code, status, detail, requestId } = await failure();
    assert.deepEqual([code, status, requestId], ["not_granted", 403, "r1"]);
    assert.equal(detail, "Of not_granted.");
    assert.equal(asked.length, 1);
  });

  test("may be a problem of the service as parsed JSON", async (t) => {
    const answers = [() => problem(403, "not_granted")().json()];
    const { code, status, requestId } = await start(t, { answers }).failure();
    assert.deepEqual([code, status, requestId], ["not_granted", 403, "r1"]);
  });

  test("is retried as one of the service, after Retry-After", async (t) => {
    const later = problem(503, "secret_unavailable", { "retry-after": "7" });
    const { waits, token } = start(t, { answers: [later, sent(502), sent(429)] });
    await token();
    assert.deepEqual(waits(), [7.25, 0.5, 1]);
  });

  test("with 401 is retried once, and says that the session is to be renewed", async (t) => {
    const refreshed = [];
    const refuse = (_, { refresh }) => {
      refreshed.push(refresh);
      return new Response("", { status: 401 });
    };
    const { code, status, detail } = await start(t, { answers: [refuse, refuse] }).failure();
    assert.deepEqual(refreshed, [false, true]);
    assert.deepEqual([code, status], ["gateway_error", 401]);
    assert.equal(detail, "fetchToken got the status 401, and no problem of the service.");
  });

  for (const [name, thrown, code, status, tries] of [
    ["no response of fetch", new TypeError("Failed to fetch"), "network_error", undefined, 6],
    ["an error", new Error("no session"), "fetch_token_failed", undefined, 2],
    ["nothing", undefined, "fetch_token_failed", undefined, 2],
    [
      "a final error",
      Object.assign(new Error("no"), { retryable: false }),
      "fetch_token_failed",
      undefined,
      1,
    ],
    ["a status", Object.assign(new Error("no"), { status: 403 }), "gateway_error", 403, 1],
    [
      "a status inside",
      Object.assign(new Error("no"), { response: { status: 503 } }),
      "gateway_error",
      503,
      6,
    ],
    [
      "a refusal",
      new TokenError("not_friends", { detail: "Not friends." }),
      "not_friends",
      undefined,
      1,
    ],
  ]) {
    test(`may be thrown: ${name}`, async (t) => {
      const answers = Array.from({ length: 7 }, () => () => Promise.reject(thrown));
      const { asked, failure } = start(t, { answers });
      const error = await failure();
      assert(error instanceof TokenError);
      assert.deepEqual([error.code, error.status, asked.length], [code, status, tries]);
      if (error !== thrown) assert.equal(error.cause?.message, thrown?.message);
    });
  }
});

suite("a response of an app's backend", () => {
  const wrong = {
    undefined: [() => undefined, /^fetchToken must return the service's response: that of fetch,/],
    "the token alone": [({ token }) => token, /^fetchToken must return the service's response/],
    "a text": [(document) => JSON.stringify(document), /^fetchToken must return the service's/],
    "a response whose body was read": [
      async (document) => {
        const response = Response.json(document);
        await response.json();
        return response;
      },
      /^fetchToken must return the service's response/,
    ],
    "a list": [(document) => [document], /^fetchToken must return the service's response/],
    "a response inside": [
      (data) => ({ data, status: 200 }),
      /^fetchToken must return the service's/,
    ],
    "a response without headers": [
      (document) => ({ ok: true, status: 200, text: async () => JSON.stringify(document) }),
      /^fetchToken must return the service's/,
    ],
    "an HTML page": [() => new Response("<!doctype html>"), /^The response is an HTML page\. \(/],
    "a JWT": [sent(200, { token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln" }), /token is a JWT/],
    "a token without a room": [sent(200, { room_id: null }), /not for the requested room/],
    "a token of another room": [sent(200, { room_id: "b" }), /not for the requested room/],
    "no times": [({ token }) => ({ token }), /app_id must be a whole number/],
    "an expired token": [
      sent(200, {}, { date: "Wed, 15 Nov 2023 00:13:20 GMT" }),
      /the token has expired\. Do not cache tokens\./,
    ],
  };
  for (const [name, [answer, says]] of Object.entries(wrong)) {
    test(`may not be ${name}`, async (t) => {
      const { failure } = start(t, { answers: [answer], maxRetries: 0 });
      const error = await failure({ roomId: "a" });
      assert.equal(error.code, "bad_answer");
      assert.match(error.message, says);
    });
  }

  test("may be one of a fetch whose bodies are not web streams, such as node-fetch", async (t) => {
    const answer = (document) => {
      const { ok, status, headers } = Response.json(document);
      const text = async () => JSON.stringify(document);
      return { ok, status, headers, text, body: { on: () => {} } };
    };
    const { token } = start(t, { answers: [answer], maxRetries: 0 });
    assert.equal((await token({ roomId: "a" })).roomId, "a");
  });

  test("may not repeat a token", async (t) => {
    const { world, failure, token, answers } = start(t);
    const { token: first } = await token();
    answers.push(sent(200, { token: first }), sent(200, { token: first }));
    const { code, detail } = await failure({ refresh: true });
    assert.equal(code, "repeated_token");
    assert.equal(detail, "fetchToken returned the same token again: do not cache.");
    assert(world.elapsedMs > 0);
  });

  test("with an expired token is not reported as a wrong secret", async (t) => {
    const { world, source, token } = start(t);
    const engine = new Engine(world);
    const errors = [];
    source.bindTo(engine, { roomId: "room", onError: (error) => errors.push(error) });
    engine.verdict = () => 1102018;
    const { token: text } = await token({ roomId: "room" });
    await world.failure(engine.loginRoom("room", text, { userID: "alice" }));
    await world.pass(1);
    assert.deepEqual(
      errors.map(({ code }) => code),
      ["token_refused"],
    );
    assert.match(errors[0].detail, /finds a new token expired too: 1102018\. A backend .+ caches/);
  });

  test("shows no token in an error", async (t) => {
    const token = tokenOf(1_800_000_000, 7);
    const answers = [
      (document) => ({ ...document, token, app_id: "1" }),
      () => Promise.reject(new SyntaxError(`Unexpected token '0', "${token}" is not valid JSON`)),
      () => Promise.reject({ message: token, name: token, code: token }),
      sent(422, { detail: token, code: "x" }),
      () => new Response(token),
    ];
    const { failure } = start(t, { answers: [...answers], maxRetries: 0 });
    for (const _ of answers) {
      const seen = inspect(await failure(), { depth: 9, showHidden: true });
      assert(!seen.includes(token.slice(2, 12)), seen);
    }
  });
});

suite("a call of an app's backend", () => {
  test("is made by fetchCall, which gets the key of the call", async (t) => {
    const { world, source, asked, token } = start(t, { answers: [sent(503)] });
    const call = await world.settle(source.startCall({ callees: ["bob"], privileges: ["login"] }));
    const [{ idempotencyKey, ...request }, again] = asked;
    assert.deepEqual(request, { callees: ["bob"], privileges: ["login"] });
    assert.match(idempotencyKey, /^[0-9a-f]{32}$/);
    assert.equal(again.idempotencyKey, idempotencyKey);
    assert.deepEqual([call.callees, call.eventAccepted], [["bob"], true]);
    assert.equal(await token({ roomId: call.roomId, privileges: ["login"] }), call);
  });

  test("may come in this client's words", async (t) => {
    const answer = ({ call_id, callees, event_accepted, ...document }) => ({
      ...inThisClientsWords(document),
      callId: call_id,
      callees,
      eventAccepted: event_accepted,
    });
    const { world, source } = start(t, { answers: [answer] });
    const { callId, roomId } = await world.settle(source.startCall());
    assert.equal(roomId, `call_${callId}`);
  });

  test("needs fetchCall", async (t) => {
    const { source } = start(t, { fetchCall: undefined });
    const message = "startCall needs the option fetchCall of createTokenSource";
    await assert.rejects(source.startCall(), { name: "TypeError", message });
  });
});

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { inspect } from "node:util";

import { Engine } from "./support/engine.js";
import { gateway, issued, problem, text } from "./support/server.js";
import { start } from "./support/start.js";

const BEARER = "opaque_bearer_that_must_stay_hidden";
const TOKEN = `04${"SECRET".repeat(20)}`;

/** Every text that a value can show. */
function seenOf(value) {
  const hidden = inspect(value, { depth: 9, showHidden: true, getters: true });
  return [hidden, String(value), JSON.stringify(value), value.stack, value.message, value.cause];
}

/** The output written during some work. */
async function writtenDuring(t, work) {
  const written = [];
  for (const stream of [process.stdout, process.stderr]) {
    t.mock.method(stream, "write", (chunk) => written.push(String(chunk)) > 0);
  }
  try {
    await work();
  } finally {
    t.mock.restoreAll();
  }
  return written;
}

suite("neither token nor bearer", () => {
  const echoes = {
    "a response that is cut short": text(201, "application/json", `{"token": "${TOKEN}`),
    "a response with wrong types": issued({ token: TOKEN, app_id: BEARER, user_id: "" }),
    "a page that repeats the request": text(200, "text/html", `<pre>${BEARER} ${TOKEN}</pre>`),
    "a gateway that repeats the bearer token": gateway(403, BEARER, { "retry-after": BEARER }),
    "a problem that repeats the bearer token": problem(422, BEARER, {
      detail: `Not with ${BEARER}.`,
      request_id: BEARER,
    }),
    "a page instead of a problem": text(401, "application/problem+json", `${BEARER}${TOKEN}`),
    "a problem that repeats a token": problem(422, "x", { detail: `Not with ${TOKEN}.` }),
    "a problem that repeats a part": problem(422, "x", { detail: `Not ${BEARER.slice(3, 12)}.` }),
    "a problem that repeats a half at a time": problem(422, BEARER.slice(0, 17), {
      detail: BEARER.slice(17),
      request_id: BEARER.slice(0, 33),
      help: `https://tokens.example.com/${BEARER.slice(9)}`,
    }),
    "a gateway that repeats a part": gateway(403, "", { "apigw-requestid": BEARER.slice(2, 20) }),
  };
  const parts = Array.from({ length: BEARER.length - 7 }, (_, at) => BEARER.slice(at, at + 8));
  for (const [name, answer] of Object.entries(echoes)) {
    test(`is in the error of ${name}`, async (t) => {
      const { server, failure } = await start(t, { getBearer: () => BEARER, maxRetries: 0 });
      server.answer(answer, answer);
      const seen = inspect(seenOf(await failure()));
      for (const secret of [...parts, "SECRET"]) assert(!seen.includes(secret), seen);
    });
  }

  test("hides a text that only looks long", async (t) => {
    const { server, failure } = await start(t, { getBearer: () => BEARER, maxRetries: 0 });
    const detail = "The issuer is https://login.example.com/0c5e0a9d-6a0f-4f0e-9a51-2f9c1be3a001/v2.0.";
    server.answer(problem(403, "not_granted", { detail }));
    const error = await failure();
    assert.deepEqual([error.code, error.detail], ["not_granted", detail]);
  });

  for (const character of ["\n", "\x1b", "\x9b", "\u202e", "\u2028", "\u2069", "\ud800"]) {
    test(`and no ${JSON.stringify(character)} of a response is in an error`, async (t) => {
      const { server, failure } = await start(t, { maxRetries: 0 });
      const spoiled = { detail: `a${character}b`, request_id: `a${character}b` };
      server.answer(problem(422, "invalid_identifier", spoiled));
      const { code, detail, requestId } = await failure();
      assert.deepEqual(
        [code, detail, requestId],
        ["invalid_identifier", "The service refused the request.", undefined],
      );
    });
  }

  const fetches = {
    "a fetch that shows its request": (_, { headers }) => Promise.reject(new TypeError(inspect(headers))),
    "a body that shows its content": async () => ({
      text: () => Promise.reject(new Error(BEARER + TOKEN)),
    }),
  };
  for (const [name, fetch] of Object.entries(fetches)) {
    test(`is in the error of ${name}`, async (t) => {
      const { failure } = await start(t, { getBearer: () => BEARER, fetch, maxRetries: 0 });
      const seen = inspect(seenOf(await failure()));
      assert(!seen.includes(BEARER) && !seen.includes("SECRET"), seen);
    });
  }

  test("is in the error of a getBearer that shows or returns it in a wrong form", async (t) => {
    const bad = [
      () => Promise.reject(new Error(BEARER)),
      () => `${BEARER}\n`,
      () => `Bearer ${BEARER}`,
      () => ({ access_token: BEARER }),
    ];
    for (const getBearer of bad) {
      const { failure } = await start(t, { getBearer });
      assert(!inspect(seenOf(await failure())).includes(BEARER));
    }
  });

  test("is in the cause of an error, which keeps the rest", async (t) => {
    const parts = ["eyJhbGciOiJSUzI1NiJ9", "eyJzdWIiOiJhbGljZSJ9", "c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"];
    const jwt = parts.join("."); // in one piece, the scan for secrets would report it
    const inner = Object.assign(new Error(`connect ECONNREFUSED 10.0.0.7:443 ${BEARER}`), {
      code: "ECONNREFUSED",
      headers: { authorization: BEARER },
    });
    const thrown = new TypeError(`fetch failed at https://login.example.com/token?code=7 ${jwt}`, {
      cause: inner,
    });
    const old = thrown.stack;
    thrown.stack = old.replace("\n", `\n  of ${BEARER}\n`);
    const failed = {
      getBearer: { getBearer: () => Promise.reject(thrown), maxRetries: 0 },
      fetch: { getBearer: () => BEARER, fetch: () => Promise.reject(thrown), maxRetries: 0 },
    };
    for (const options of Object.values(failed)) {
      const { failure } = await start(t, options);
      const error = await failure();
      const { cause } = error;
      const seen = inspect([seenOf(error), seenOf(cause), JSON.stringify({ ...error, ...cause })]);
      for (const secret of [...parts, ...jwt.split(".")]) assert(!seen.includes(secret), seen);
      const url = "https://login.example.com/token?code=7";
      assert.equal(String(cause), `TypeError: fetch failed at ${url} [hidden]`);
      assert.match(cause.stack, /^TypeError: fetch failed at .+\n +at .+secrecy\.test\.js:\d+:\d+/);
      assert.equal(cause.cause.message, "connect ECONNREFUSED 10.0.0.7:443 [hidden]");
      assert.equal(cause.cause.code, "ECONNREFUSED");
      assert.deepEqual(Object.keys(error).includes("cause"), false);
      assert.equal(cause.cause.headers, undefined);
    }
  });

  test("is in the cause if Node tried several addresses, which has the first reason", async (t) => {
    const tried = [`connect ECONNREFUSED ::1:9 ${BEARER}`, "connect ECONNREFUSED 127.0.0.1:9"];
    const errors = tried.map((message) => new Error(message));
    const cause = Object.assign(new AggregateError(errors), { code: "ECONNREFUSED" });
    const fetch = () => Promise.reject(new TypeError("fetch failed", { cause }));
    const { failure } = await start(t, { getBearer: () => BEARER, fetch, maxRetries: 0 });
    const error = await failure();
    assert(!inspect(seenOf(error)).includes(BEARER));
    assert.equal(error.cause.cause.message, "connect ECONNREFUSED ::1:9 [hidden]");
    assert.equal(error.cause.cause.code, "ECONNREFUSED");
  });

  test("is in a source, a URL, a storage or any output", async (t) => {
    for (const name of ["localStorage", "sessionStorage", "indexedDB", "document", "caches"]) {
      Object.defineProperty(globalThis, name, {
        configurable: true,
        get: () => assert.fail(`${name} was used`),
      });
      t.after(() => delete globalThis[name]);
    }
    const { world, server, source, token } = await start(t, { getBearer: () => BEARER });
    const engine = new Engine(world);
    const tokens = [];
    const written = await writtenDuring(t, async () => {
      source.bindTo(engine, { roomId: "room" });
      const { token: first } = await token({ roomId: "room" });
      await engine.loginRoom("room", first, { userID: "alice" });
      tokens.push(first);
      await world.pass(7190);
      tokens.push(engine.tokenIn("room"));
      tokens.push((await world.settle(source.startCall())).token);
      server.answer(problem(403, "not_granted", { detail: BEARER }));
      await world.pass(7190);
    });
    assert.equal(new Set(tokens).size, 3);
    assert.match(written.join(), /not_granted/);
    const seen = inspect([written, seenOf(source), server.requests.map(({ path }) => path)]);
    for (const secret of [BEARER, ...tokens]) assert(!seen.includes(secret), seen);
  });
});

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { createTokenSource } from "../token-source.js";
import { issued, problem } from "./support/server.js";
import { start } from "./support/start.js";

const HOUR = 3600;

suite("a token", () => {
  test("is what the service issued, frozen", async (t) => {
    const { token } = await start(t);
    const request = {
      roomId: "room",
      privileges: ["login"],
      streamIds: ["camera"],
      lifetimeSeconds: HOUR,
    };
    const { token: text, ...rest } = await token(request);
    assert.match(text, /^04[A-Za-z0-9+/]+=*$/);
    assert.deepEqual(rest, {
      appId: 1234567890,
      userId: "alice",
      roomId: "room",
      privileges: { login: true, publish: false },
      streamIds: ["camera"],
      issuedAt: 1_700_000_000,
      expiresAt: 1_700_003_600,
      renewAt: 1_700_003_300,
      requestId: "request-1",
    });
    for (const part of [rest.privileges, rest.streamIds, await token(request)]) {
      assert(Object.isFrozen(part));
    }
  });

  test("is requested with the bearer token in a header and the rest in the body", async (t) => {
    const { server, token } = await start(t);
    await token({ roomId: "room", privileges: ["publish", "login"], lifetimeSeconds: 60 });
    const [{ method, path, headers, body }] = server.requests;
    assert.equal(`${method} ${path}`, "POST /v1/tokens");
    assert.equal(headers.authorization, "Bearer bearer-of-alice");
    assert.equal(headers["content-type"], "application/json");
    assert.deepEqual(JSON.parse(body), {
      room_id: "room",
      privileges: ["login", "publish"],
      lifetime_seconds: 60,
    });
  });

  test("is an identity token if no room is named", async (t) => {
    const { server, token } = await start(t);
    assert.equal((await token()).roomId, null);
    assert.deepEqual(server.bodies, [{}]);
  });

  test("is not requested with an unknown field", async (t) => {
    const { source, server } = await start(t);
    await assert.rejects(
      source.token({ roomID: "room" }),
      TypeError("a token request has no option roomID. Did you mean roomId?"),
    );
    for (const given of ["room", null, 7]) {
      await assert.rejects(
        source.token(given),
        /^TypeError: a token request: pass an object, not /,
      );
    }
    assert.throws(() => source.bindTo({ on() {} }), /bindTo: pass an object, not undefined/);
    assert.throws(() => source.autoRenew(), /autoRenew: pass an object, not undefined/);
    assert.throws(
      () => source.bindTo(undefined, {}),
      /needs a ZegoExpressEngine first, not undefined/,
    );
    assert.equal(server.requests.length, 0);
  });
});

suite("the cache", () => {
  test("returns the same token for equal requests, whatever their order", async (t) => {
    const { server, token } = await start(t);
    const first = await token({
      roomId: "room",
      privileges: ["login", "publish"],
      streamIds: ["a", "b"],
    });
    const second = await token({
      streamIds: ["b", "a"],
      privileges: ["publish", "login"],
      roomId: "room",
    });
    assert.equal(second, first);
    assert.equal(server.requests.length, 1);
  });

  test("keeps different requests apart", async (t) => {
    const { server, token } = await start(t);
    const requests = [
      {},
      { roomId: "a" },
      { roomId: "b" },
      { roomId: "a", privileges: ["login"] },
      { roomId: "a", streamIds: ["login"] },
      { roomId: "a", lifetimeSeconds: 60 },
    ];
    const tokens = new Set();
    for (const request of [...requests, ...requests]) tokens.add((await token(request)).token);
    assert.equal(tokens.size, requests.length);
    assert.equal(server.requests.length, requests.length);
  });

  test("is ignored with refresh", async (t) => {
    const { token } = await start(t);
    const first = await token({ roomId: "room" });
    const second = await token({ roomId: "room", refresh: true });
    assert.notEqual(second.token, first.token);
    assert.equal(await token({ roomId: "room" }), second);
  });

  test("drops one token or all on invalidate", async (t) => {
    const { source, server, token } = await start(t);
    await token({ roomId: "a" });
    await token({ roomId: "b" });
    source.invalidate({ roomId: "a" });
    await token({ roomId: "a" });
    await token({ roomId: "b" });
    assert.equal(server.requests.length, 3);
    source.invalidate();
    await token({ roomId: "a" });
    await token({ roomId: "b" });
    assert.equal(server.requests.length, 5);
  });

  test("drops expired tokens", async (t) => {
    setFlagsFromString("--expose-gc");
    const { world, token } = await start(t);
    const ofFirst = new WeakRef(await token({ roomId: "first" }));
    await world.pass(3 * HOUR);
    await token({ roomId: "second" });
    runInNewContext("gc")();
    assert.equal(ofFirst.deref(), undefined);
  });

  test("does not store a token that was requested before invalidate", async (t) => {
    const { source, world, token } = await start(t);
    const before = source.token({ roomId: "room" });
    source.invalidate({ roomId: "room" });
    const { token: old } = await world.settle(before);
    assert.notEqual((await token({ roomId: "room" })).token, old);
  });
});

suite("a renewal", () => {
  const clocks = {
    right: () => {},
    "three hours ahead": (world) => (world.skewMs = 3 * HOUR * 1000),
    "three hours behind": (world) => (world.skewMs = -3 * HOUR * 1000),
  };
  for (const [name, set] of Object.entries(clocks)) {
    test(`comes in time with a clock that is ${name}`, async (t) => {
      const { world, server, token } = await start(t);
      set(world);
      const { renewAt } = await token({ roomId: "room" });
      const seen = new Set();
      const hours = 8;
      for (let minute = 0; minute < hours * 60; minute += 1) {
        await world.pass(60);
        const { token: text, expiresAt } = await token({ roomId: "room" });
        seen.add(text);
        assert(expiresAt - world.serverTime >= 300, `${expiresAt - world.serverTime} s are left`);
      }
      assert.equal(renewAt, 1_700_006_900);
      assert.equal(seen.size, server.requests.length);
      assert.equal(server.requests.length, 5);
    });
  }

  test("comes at most a minute before renewAt, at random", async (t) => {
    for (const [random, spare] of [
      [0, 0],
      [0.5, 30],
      [1, 60],
    ]) {
      const { world, server, token } = await start(t);
      world.random = random;
      const { issuedAt, renewAt } = await token();
      await world.pass(renewAt - issuedAt - spare - 1);
      await token();
      assert.equal(server.requests.length, 1);
      await world.pass(1);
      await token();
      assert.equal(server.requests.length, 2);
    }
  });

  test("of a one-minute token comes at most 3 s before renewAt", async (t) => {
    const { world, server, token } = await start(t);
    world.random = 1;
    await token({ lifetimeSeconds: 60 });
    await world.pass(26);
    await token({ lifetimeSeconds: 60 });
    assert.equal(server.requests.length, 1);
    await world.pass(1);
    await token({ lifetimeSeconds: 60 });
    assert.equal(server.requests.length, 2);
  });

  test("comes in time even if the clock is set back", async (t) => {
    const { world, server, token } = await start(t);
    await token();
    world.skewMs = -3 * HOUR * 1000;
    await token();
    assert.equal(server.requests.length, 1);
    await world.pass(2 * HOUR - 300);
    await token();
    assert.equal(server.requests.length, 2);
  });

  test("comes only once if the clock is set forward", async (t) => {
    const { world, server, token } = await start(t);
    await token();
    world.skewMs = 3 * HOUR * 1000;
    await token();
    await token();
    assert.equal(server.requests.length, 2);
  });

  test("comes after a sleep that stopped the monotonic clock", async (t) => {
    const { world, server, token } = await start(t);
    await token();
    world.sleep(2 * HOUR);
    await token();
    assert.equal(server.requests.length, 2);
  });

  test("is requested once more if the service repeats the token", async (t) => {
    const { server, token } = await start(t);
    const first = await token();
    server.answer(issued({ token: first.token }));
    const second = await token({ refresh: true });
    assert.notEqual(second.token, first.token);
    assert.equal(server.requests.length, 3);
  });

  test("fails if the service repeats the token twice", async (t) => {
    const { source, server, token, failure } = await start(t);
    const { token: text } = await token();
    for (const forget of [() => {}, () => source.invalidate()]) {
      forget();
      server.answer(issued({ token: text }), issued({ token: text }));
      const error = await failure({ refresh: true });
      assert.equal(error.code, "repeated_token");
      assert.equal(error.status, 201);
    }
    assert.equal(server.requests.length, 5);
  });
});

suite("the API's base", () => {
  const getBearer = () => "bearer";
  const getbearer = getBearer;
  for (const url of [
    "https://tokens.example.com",
    "https://tokens.example.com/stage/",
    "http://localhost:8080",
    "http://api.localhost",
    "http://127.0.0.1:8080",
    "http://[::1]:8080",
    new URL("https://tokens.example.com"),
  ]) {
    test(`may be ${url}`, async () => {
      const asked = [];
      const fetch = async (address) => {
        asked.push(address);
        throw new TypeError("unreachable");
      };
      const source = createTokenSource({ url, getBearer, fetch, maxRetries: 0 });
      await assert.rejects(source.token(), { code: "network_error" });
      assert.deepEqual(asked, [`${String(url).replace(/\/$/, "")}/v1/tokens`]);
    });
  }

  for (const url of [
    "http://tokens.example.com",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "ftp://localhost",
    "https://user@tokens.example.com",
    "https://:password@tokens.example.com",
    "https://tokens.example.com/?stage=dev",
    "https://tokens.example.com/#top",
    "tokens.example.com",
    "/api",
    undefined,
  ]) {
    test(`may not be ${url}`, () => {
      const error = { name: "TypeError", message: /^url must / };
      assert.throws(() => createTokenSource({ url, getBearer }), error);
    });
  }

  for (const [options, says] of [
    [undefined, "createTokenSource needs url and getBearer, or fetchToken. Both are undefined."],
    [{ url: "https://a.example" }, "getBearer must be a function, not undefined"],
    [{ url: "https://a.example", getBearer: "eyJ" }, "getBearer must be a function, not a string"],
    [{ getbearer }, "createTokenSource has no option getbearer. Did you mean getBearer?"],
    [{ timeout: 5 }, "createTokenSource has no option timeout. Did you mean timeoutMs?"],
    [{ bearer: "eyJ" }, /^createTokenSource has no option bearer. There are: url, getBearer, /],
    [
      { url: undefined, getBearer },
      "url must be the API's base, not undefined: is its variable set in your build?",
    ],
    [{ url: `${undefined}`, getBearer }, /^url must be the API's base, not undefined: /],
    [{ url: "", getBearer }, /^url must be the API's base, not an empty string: /],
    [{ url: 8080, getBearer }, "url must be a string or a URL, not a number"],
    [{ url: "localhost:8080", getBearer }, /^url must begin with https:\/\/ or http:\/\//],
    [{ url: "/api", getBearer }, /^url must begin with https:\/\/ or http:\/\//],
    [
      { url: "https://a.example/v1/tokens", getBearer },
      "url must be the API's base: leave out /v1/tokens",
    ],
    [
      { url: "https://a.example/dev/api/v1/calls/initiate/", getBearer },
      "url must be the API's base: leave out /api/v1/calls/initiate/",
    ],
    [
      { fetchToken: getBearer, getBearer },
      "fetchToken replaces url, getBearer and fetch: pass either",
    ],
    [{ fetchToken: {} }, "fetchToken must be a function, not an object"],
    [{ url: "https://a.example", getBearer, fetchCall: getBearer }, /^fetchCall needs fetchToken/],
  ]) {
    test(`is explained if it is wrong: ${says}`, () => {
      assert.throws(() => createTokenSource(options), { name: "TypeError", message: says });
    });
  }

  for (const [name, values] of Object.entries({
    fetch: [5, "fetch", {}],
    timeoutMs: [0, -1, NaN, "1000", true],
    deadlineMs: [0, -1, NaN, "1000", true],
    maxRetries: [-1, 1.5, NaN, Infinity, "5", true],
  })) {
    test(`rejects an invalid ${name}; null means its default`, () => {
      const good = { url: "https://tokens.example.com", getBearer: () => "bearer" };
      for (const value of values) {
        const make = () => createTokenSource({ ...good, [name]: value });
        assert.throws(make, (error) => error instanceof TypeError && error.message.includes(name));
      }
      createTokenSource({ ...good, [name]: null }).close();
    });
  }

  test("uses the defaults for options that are null", async (t) => {
    const options = { timeoutMs: null, deadlineMs: null, maxRetries: null };
    const { server, token } = await start(t, options);
    server.answer(problem(503, "secret_unavailable"));
    assert((await token()).token);
  });
});

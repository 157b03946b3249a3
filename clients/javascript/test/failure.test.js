import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { createTokenSource } from "../token-source.js";
import { cutShort, gateway, hang, issued, problem, text } from "./support/server.js";
import { start } from "./support/start.js";

suite("a refused bearer token", () => {
  test("is replaced once by calling getBearer with refresh", async (t) => {
    const asked = [];
    const getBearer = ({ refresh }) => {
      asked.push(refresh);
      return refresh ? "fresh" : "stale";
    };
    const { server, token } = await start(t, { getBearer });
    server.answer(problem(401, "bearer_expired"));
    assert.equal((await token()).userId, "alice");
    assert.deepEqual(asked, [false, true]);
    const sent = server.requests.map(({ headers }) => headers.authorization);
    assert.deepEqual(sent, ["Bearer stale", "Bearer fresh"]);
  });

  test("is an error if the new one is refused too", async (t) => {
    const { server, failure } = await start(t);
    server.answer(problem(401, "bearer_expired"), problem(401, "bearer_unknown_key"));
    const error = await failure();
    assert.equal(error.code, "bearer_unknown_key");
    assert.equal(error.status, 401);
    assert.equal(server.requests.length, 2);
  });

  test("is refreshed only once, even if the service fails after that", async (t) => {
    const asked = [];
    const getBearer = async ({ refresh }) => `bearer-${asked.push(refresh)}`;
    const { server, token } = await start(t, { getBearer });
    server.answer(problem(401, "bearer_expired"), problem(503, "secret_unavailable"));
    await token();
    assert.deepEqual(asked, [false, true, false]);
  });

  test("is refreshed even if getBearer fails once", async (t) => {
    const asked = [];
    const getBearer = async ({ refresh }) => {
      asked.push(refresh);
      if (asked.length === 2) throw new TypeError("Failed to fetch");
      return refresh ? "fresh" : "stale";
    };
    const { server, token } = await start(t, { getBearer });
    server.answer(problem(401, "bearer_expired"));
    await token();
    assert.deepEqual(asked, [false, true, true]);
    assert.equal(server.requests.at(-1).headers.authorization, "Bearer fresh");
  });
});

suite("getBearer", () => {
  const unusable = "a string with white space or other characters that a header cannot carry.";
  const bad = {
    undefined: [undefined, "undefined. Is the user signed in?"],
    "undefined as a string": [`${undefined}`, 'the string "undefined". Is the user signed in?'],
    "a promise of null": [Promise.resolve(null), "null. Is the user signed in?"],
    "an empty string": ["", "an empty string. Is the user signed in?"],
    "two lines": ["secret\r\nx: y", unusable],
    "a string that is not ASCII": ["sécret", unusable],
    "a number": [7, "a number instead of a string."],
    "a function": [() => "secret", "a function. Call it."],
    "an object": [{ access_token: "secret" }, "an object. Return its access_token instead."],
    "a header": ["Bearer secret", 'a string with "Bearer " before the token. Leave that out.'],
  };
  for (const [name, [bearer, mistake]] of Object.entries(bad)) {
    test(`must not return ${name}`, async (t) => {
      const { server, failure } = await start(t, { getBearer: () => bearer });
      const error = await failure();
      assert.equal(error.code, "bearer_unavailable");
      assert.equal(error.detail, `getBearer returned ${mistake}`);
      assert.equal(error.retryable, false);
      assert.equal(server.requests.length, 0);
    });
  }

  test("may fail, and its message is in the cause only", async (t) => {
    const getBearer = () => Promise.reject(new RangeError("no session"));
    const { failure } = await start(t, { getBearer });
    const error = await failure();
    assert.equal(error.code, "bearer_unavailable");
    assert.equal(error.detail, "getBearer failed: RangeError. See error.cause.");
    assert.equal(error.cause.message, "no session");
  });

  test("may fail with a status, which is not the service's", async (t) => {
    const asked = [];
    const getBearer = ({ refresh }) => {
      asked.push(refresh);
      throw Object.assign(new Error("no session"), { status: 401 });
    };
    const { failure } = await start(t, { getBearer });
    const { status, detail } = await failure();
    assert.deepEqual([status, asked], [undefined, [false, false]]);
    assert.equal(detail, "getBearer failed: Error with status 401. See error.cause.");
  });

  test("may have no response from the identity provider, which CORS can cause", async (t) => {
    const { failure } = await start(t, { getBearer: () => fetch("http://127.0.0.1:1") });
    const { detail } = await failure();
    const hint = "A fetch fails like this offline, and if CORS settings omit this page.";
    assert.equal(detail, `getBearer failed: TypeError. ${hint} See error.cause.`);
  });

  for (const [what, thrown, detail] of [
    ["a string", "s3cret", "a string"],
    ["undefined", undefined, "undefined"],
    ["an error with an odd name", { name: Symbol("s3cret") }, "an object"],
    ["an error with the bearer token in its name", { name: "Bearer s3cret" }, "an object"],
  ]) {
    test(`may throw ${what}`, async (t) => {
      const { failure } = await start(t, { getBearer: () => Promise.reject(thrown) });
      const error = await failure();
      assert.equal(error.detail, `getBearer failed: ${detail}.`);
      assert.equal(error.cause, undefined);
    });
  }

  test("is called once more after it failed, and a valid token stays in use", async (t) => {
    let isDown = false;
    const asked = [];
    const getBearer = async ({ refresh }) => {
      asked.push(refresh);
      if (isDown) throw new TypeError("Failed to fetch");
      return "bearer";
    };
    const { world, token, failure } = await start(t, { getBearer });
    const present = await token();
    await world.pass(7200 - 200);
    isDown = true;
    assert.equal(await token(), present);
    assert.equal((await failure({ refresh: true })).retryable, true);
    assert.deepEqual(asked, Array(5).fill(false));
  });

  test("is called again if it failed while the machine was offline", async (t) => {
    let calls = 0;
    const getBearer = async () => {
      calls += 1;
      if (calls === 1) throw new TypeError("Failed to fetch");
      return "bearer";
    };
    const { world, source } = await start(t, { getBearer });
    world.goOffline();
    const asked = source.token();
    await world.quiet();
    world.goOnline();
    assert.equal((await world.settle(asked)).userId, "alice");
    assert.equal(calls, 2);
  });

  test("gets an aborted signal once no caller waits", async (t) => {
    let given;
    const getBearer = ({ signal }) => new Promise(() => (given = signal));
    const { world, source } = await start(t, { getBearer });
    const controller = new AbortController();
    const asked = source.token({ signal: controller.signal });
    await world.quiet();
    assert.equal(given.aborted, false);
    controller.abort();
    assert.equal((await world.failure(asked)).code, "aborted");
    assert.equal(given.aborted, true);
  });
});

suite("a refused request", () => {
  for (const [status, code] of [
    [400, "unknown_field"],
    [403, "not_granted"],
    [404, "route_not_found"],
    [413, "body_too_large"],
    [422, "lifetime_out_of_range"],
  ]) {
    test(`with ${status} is not retried`, async (t) => {
      const { server, failure } = await start(t);
      server.answer(problem(status, code, { retryable: true }));
      const error = await failure({ roomId: "room" });
      const { name, detail, requestId, retryable } = error;
      assert.deepEqual(
        { name, detail, requestId, retryable },
        {
          name: "TokenError",
          detail: `Of ${code}.`,
          requestId: "request-of-a-problem",
          retryable: false,
        },
      );
      assert.equal(error.code, code);
      assert.equal(error.status, status);
      assert.equal(error.help, `https://tokens.example.com/v1/problems#${code}`);
      assert.equal(error.message, `Of ${code}. (${code}, ${status}, request request-of-a-problem)`);
      assert.equal(server.requests.length, 1);
    });
  }

  test("of API Gateway has its status and the code gateway_error", async (t) => {
    const { server, failure } = await start(t);
    server.answer(gateway(403, "Forbidden"));
    const error = await failure();
    assert.equal(error.code, "gateway_error");
    assert.equal(error.status, 403);
    assert.equal(error.help, undefined);
    assert.equal(error.requestId, undefined);
    assert.equal(server.requests.length, 1);
  });

  test("of API Gateway has the request id in its header", async (t) => {
    const { server, failure } = await start(t);
    server.answer(gateway(403, "Forbidden", { "apigw-requestid": "JKJaXmPLvHcESHA=" }));
    assert.equal((await failure()).requestId, "JKJaXmPLvHcESHA=");
  });

  test("may have a code that is the name of an object's property", async (t) => {
    const { server, failure } = await start(t);
    server.answer(problem(403, "constructor"));
    const error = await failure();
    assert.deepEqual([error.code, error.retryable], ["constructor", false]);
  });

  test("without a valid problem document has the code gateway_error", async (t) => {
    const { server, failure } = await start(t);
    for (const body of [
      "<html>",
      "null",
      '{"code": {"a": 1}, "detail": 7}',
      '{"code": "NO\\nT"}',
    ]) {
      server.answer(text(403, "application/problem+json", body));
      const error = await failure();
      assert.equal(error.code, "gateway_error");
      assert.equal(
        error.detail,
        "The response came from API Gateway or a proxy, not from the token service.",
      );
    }
  });

  test("with a 404 of API Gateway asks whether url is right", async (t) => {
    const { server, failure } = await start(t);
    server.answer(gateway(404, "Not Found"));
    const { code, detail } = await failure();
    assert.equal(code, "gateway_error");
    const base = "Is url the API's base, the output ApiUrl, without a path?";
    assert.equal(detail, `The API has no such path. ${base}`);
  });

  test("does not change the cached tokens of other requests", async (t) => {
    const { server, token, failure } = await start(t);
    const first = await token({ roomId: "a" });
    server.answer(problem(403, "not_granted"));
    await failure({ roomId: "b" });
    assert.equal(await token({ roomId: "a" }), first);
  });
});

suite("an unavailable service", () => {
  const unavailable = {
    "throttled by API Gateway": gateway(429, "Too Many Requests"),
    "busy, according to API Gateway": gateway(503, "Service Unavailable"),
    "without its secret": problem(503, "secret_unavailable"),
    "behind a proxy that cannot reach it": text(502, "text/html", "<html>Bad Gateway"),
  };
  for (const [name, answer] of Object.entries(unavailable)) {
    test(`is retried: ${name}`, async (t) => {
      const { server, token } = await start(t);
      server.answer(answer, answer, answer);
      assert.equal((await token()).userId, "alice");
      assert.deepEqual(server.waits, [0.25, 0.5, 1]);
    });
  }

  test("is retried maxRetries times", async (t) => {
    for (const maxRetries of [0, 2]) {
      const { server, failure } = await start(t, { maxRetries });
      server.answer(...Array(1 + maxRetries).fill(problem(503, "secret_unavailable")));
      const error = await failure();
      assert.equal(error.code, "secret_unavailable");
      assert.equal(error.retryable, true);
      assert.equal(server.requests.length, 1 + maxRetries);
    }
    const { server, failure } = await start(t, { maxRetries: 0 });
    server.answer(problem(500, "internal_error"));
    await failure();
    assert.equal(server.requests.length, 1);
  });

  test("is retried with exponential backoff up to 8 s and full jitter", async (t) => {
    for (const random of [0, 1]) {
      const { world, server, failure } = await start(t, { maxRetries: 7, deadlineMs: 60_000 });
      world.random = random;
      server.answer(...Array(9).fill(gateway(429, "Too Many Requests")));
      await failure();
      assert.deepEqual(
        server.waits,
        [0.5, 1, 2, 4, 8, 8, 8].map((wait) => wait * random),
      );
    }
  });

  for (const [name, value] of [
    ["seconds", "7"],
    ["a date", "Tue, 14 Nov 2023 22:13:27 GMT"],
  ]) {
    test(`is retried after Retry-After, in ${name}`, async (t) => {
      const { world, server, token } = await start(t);
      world.skewMs = 3_600_000;
      const headers = { "retry-after": value, date: "Tue, 14 Nov 2023 22:13:20 GMT" };
      server.answer(problem(503, "secret_unavailable", { headers }));
      await token();
      assert.deepEqual(server.waits, [7.25]);
    });
  }

  test("is not retried if the wait would pass the deadline", async (t) => {
    const { world, server, failure } = await start(t);
    for (const [value, seconds] of [
      ["40", 40],
      ["99999", 3600],
    ]) {
      server.answer(problem(503, "secret_unavailable", { headers: { "retry-after": value } }));
      const error = await failure();
      assert.equal(error.code, "secret_unavailable");
      assert.equal(error.retryAfterSeconds, seconds);
    }
    assert.equal(server.requests.length, 2);
    assert.equal(world.elapsedMs, 0);
  });

  test("is retried by the client's clock if the response has no date", async (t) => {
    const { server, token } = await start(t);
    const headers = { "retry-after": "Tue, 14 Nov 2023 22:13:27 GMT" };
    const answer = problem(503, "secret_unavailable", { headers });
    server.answer((response) => answer(Object.assign(response, { sendDate: false })));
    await token();
    assert.deepEqual(server.waits, [7.25]);
  });

  test("is retried after a 401 that the service marks as retryable", async (t) => {
    const { server, token } = await start(t);
    const unknown = { retryable: true, headers: { "retry-after": "7" } };
    server.answer(
      problem(401, "bearer_unknown_key", unknown),
      problem(401, "bearer_unknown_key", unknown),
    );
    await token();
    assert.deepEqual(server.waits, [0, 7.25]);
  });

  test("is not retried if the problem is not retryable", async (t) => {
    const { server, failure } = await start(t);
    server.answer(problem(503, "secret_unavailable", { retryable: false }));
    assert.equal((await failure()).retryable, false);
    assert.equal(server.requests.length, 1);
  });

  test("is retried as usual if Retry-After is invalid", async (t) => {
    const { server, token } = await start(t);
    server.answer(problem(503, "secret_unavailable", { headers: { "retry-after": "soon" } }));
    await token();
    assert.deepEqual(server.waits, [0.25]);
  });

  for (const says of ["soon", "-5", "1.5", "in 5"]) {
    test(`has no retryAfterSeconds if Retry-After is ${says}`, async (t) => {
      const { server, failure } = await start(t, { maxRetries: 0 });
      server.answer(problem(503, "secret_unavailable", { headers: { "retry-after": says } }));
      assert.equal((await failure()).retryAfterSeconds, undefined);
    });
  }

  test("is retried once after a 500", async (t) => {
    for (const answer of [problem(500, "internal_error"), gateway(500, "Internal Server Error")]) {
      const { server, token, failure } = await start(t);
      server.answer(answer, answer);
      assert.equal((await failure()).status, 500);
      assert.equal(server.requests.length, 2);
      server.answer(answer);
      await token();
    }
  });

  test("leaves a token in use while it is valid for another minute", async (t) => {
    const { world, server, token, failure } = await start(t);
    const present = await token({ roomId: "room" });
    await world.pass(7200 - 200);
    server.answer(...Array(6).fill(problem(503, "secret_unavailable")));
    assert.equal(await token({ roomId: "room" }), present);
    await world.pass(200 - 60);
    assert.equal(server.requests.length, 7);
    server.answer(...Array(6).fill(problem(503, "secret_unavailable")));
    assert.equal((await failure({ roomId: "room" })).code, "secret_unavailable");
  });

  test("returns a valid token after 2 s, and caches the late response", async (t) => {
    const { world, server, token } = await start(t);
    const present = await token({ roomId: "room" });
    await world.pass(7200 - 200);
    server.answer(hang);
    const before = world.elapsedMs;
    assert.equal(await token({ roomId: "room" }), present);
    assert.equal(world.elapsedMs - before, 2000);
    assert.equal(server.requests.length, 2);
    await world.pass(10); // for one request
    const next = await token({ roomId: "room" });
    assert.notEqual(next.token, present.token);
    assert.equal(server.requests.length, 3);
  });

  test("does not return a token that was removed during the wait", async (t) => {
    const { world, server, source, token } = await start(t);
    const present = await token({ roomId: "room" });
    await world.pass(7200 - 200);
    server.answer(hang);
    const asked = source.token({ roomId: "room" });
    source.invalidate();
    assert.notEqual((await world.settle(asked)).token, present.token);
  });

  test("does not return an old token after refresh or a refusal", async (t) => {
    const { world, server, token, failure } = await start(t);
    await token({ roomId: "room" });
    server.answer(...Array(6).fill(problem(503, "secret_unavailable")));
    assert.equal((await failure({ roomId: "room", refresh: true })).code, "secret_unavailable");
    await world.pass(7200 - 200);
    server.answer(problem(403, "not_granted"));
    assert.equal((await failure({ roomId: "room" })).code, "not_granted");
  });
});

suite("a token that ZEGO refused", () => {
  test("is ignored if the code is null", async (t) => {
    const { server, token } = await start(t);
    const first = await token({ roomId: "room" });
    assert.equal(await token({ roomId: "room", refusedWith: null }), first);
    assert.equal(server.requests.length, 1);
  });

  test("is reported with its code and not returned again", async (t) => {
    const { server, token, failure } = await start(t);
    await token({ roomId: "room" });
    server.answer(...Array(6).fill(problem(503, "secret_unavailable")));
    await failure({ roomId: "room", refusedWith: 1102016 });
    assert.deepEqual(server.bodies[1], { room_id: "room", refused_with: 1102016 });
    server.answer(...Array(6).fill(problem(503, "secret_unavailable")));
    assert.equal((await failure({ roomId: "room" })).code, "secret_unavailable");
  });

  test("is not replaced by a request without the report", async (t) => {
    const { world, server, source, token } = await start(t);
    const before = source.token({ roomId: "room" });
    const reported = source.token({ roomId: "room", refusedWith: 50119 });
    const [old, fresh] = await world.settle(Promise.all([before, reported]));
    assert.notEqual(old.token, fresh.token);
    assert.equal(await token({ roomId: "room" }), fresh);
    assert.equal(server.requests.length, 2);
  });

  test("is reported once by simultaneous callers", async (t) => {
    const { world, server, source } = await start(t);
    const reports = [1, 2, 3].map(() => source.token({ roomId: "room", refusedWith: 20014 }));
    const later = source.token({ roomId: "room" });
    const tokens = await world.settle(Promise.all([...reports, later]));
    assert.equal(new Set(tokens).size, 1);
    assert.equal(server.requests.length, 1);
  });
});

suite("an invalid response", () => {
  const bad = {
    "a page of HTML": text(200, "text/html", "<!doctype html><title>Sign in to the Wi-Fi</title>"),
    "truncated JSON": text(201, "application/json", '{"token": "04AAAA'),
    null: text(201, "application/json", "null"),
    "an empty body": text(201, "application/json", ""),
    "a JWT": issued({ token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln" }),
    "a token in a list": issued({ token: ["04AAAA"] }),
    "an AppID as a string": issued({ app_id: "1234567890" }),
    "no user": issued({ user_id: undefined }),
    "another room": issued({ room_id: "another" }),
    "no room": issued({ room_id: null }),
    "privileges in a list": issued({ privileges: ["login"] }),
    "no privileges": issued({ privileges: null }),
    "one stream": issued({ stream_ids: "camera" }),
    "a stream without a name": issued({ stream_ids: ["camera", 7] }),
    "no stream ids": issued({ stream_ids: undefined }),
    "a time as a string": issued({ issued_at: "1700000000" }),
    "a time with a fraction": issued({ renew_at: 1700000000.5 }),
    "a renewal after the expiry": issued({ renew_at: 1_800_000_000 }),
    "a renewal before it was issued": issued({ renew_at: 1_600_000_000 }),
    "no request id": issued({ request_id: "" }),
  };
  for (const [name, answer] of Object.entries(bad)) {
    test(`contains ${name}`, async (t) => {
      const { server, token, failure } = await start(t);
      server.answer(answer, answer);
      const error = await failure({ roomId: "room" });
      assert.equal(error.code, "bad_answer");
      assert.equal(server.requests.length, 2);
      server.answer(answer);
      assert.equal((await token({ roomId: "room" })).roomId, "room");
    });
  }

  for (const [name, changes, says] of [
    ["a JWT", { token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln" }, /token is a JWT/],
    ["another text", { token: "05AAAA" }, /token is not a Token04, which begins with "04"/],
    ["no user", { user_id: null }, /: user_id must be a string\./],
    ["a wrong stream", { stream_ids: [7] }, /stream_ids must be a list of strings or null/],
    ["no privilege", { privileges: { login: true } }, /must be an object with login and publish/],
    ["times in a wrong order", { renew_at: 1 }, /expires_at are not in this order/],
    ["another room", { room_id: "another" }, /^The token is not for the requested room\. /],
  ]) {
    test(`is explained if it has ${name}`, async (t) => {
      const { server, failure } = await start(t, { maxRetries: 0 });
      server.answer(issued(changes));
      assert.match((await failure({ roomId: "room" })).message, says);
    });
  }

  test("is explained if it is a page or no JSON", async (t) => {
    const { server, failure } = await start(t, { maxRetries: 0 });
    const base = "Is url the API's base, the output ApiUrl, without a path?";
    server.answer(text(200, "text/html", "\n<!doctype html>"), text(200, "text/html", "Hello"));
    assert.equal((await failure()).detail, `The response is an HTML page. ${base}`);
    assert.equal((await failure()).detail, "The response is not a JSON object, or was cut short.");
  });

  test("is not read to its end if it is too long", async (t) => {
    const { world, server, failure } = await start(t, { maxRetries: 0 });
    server.answer((response, _, world) => {
      hang(response, _, world);
      response.writeHead(201, { "content-type": "application/json" });
      response.write("x".repeat(300_000)); // and no end
    });
    const { code, detail } = await failure();
    assert.equal(code, "bad_answer");
    assert.equal(detail, "The response is invalid: it has more than 262144 characters.");
    while (world.hanging > 0) await world.quiet();
  });

  test("is retried if it was cut short", async (t) => {
    const { server, token } = await start(t);
    server.answer(cutShort, cutShort);
    await token();
    assert.equal(server.requests.length, 3);
  });

  test("may be a redirect, which the bearer token does not follow", async (t) => {
    const { server, failure } = await start(t, { maxRetries: 0 });
    server.answer((response) => response.writeHead(307, { location: "/elsewhere" }).end());
    assert.equal((await failure()).code, "network_error");
    assert.deepEqual(
      server.requests.map(({ path }) => path),
      ["/v1/tokens"],
    );
  });
});

suite("an offline machine", () => {
  test("is retried once online if getBearer needs the network", async (t) => {
    let isDown = true;
    const getBearer = async () => (isDown ? Promise.reject(new Error("down")) : "bearer");
    const { world, source } = await start(t, { getBearer });
    world.goOffline();
    const asked = source.token();
    await world.pass(3);
    isDown = false;
    world.goOnline();
    assert.equal((await world.settle(asked)).userId, "alice");
  });

  test("retries as soon as it is online", async (t) => {
    const { world, server, source } = await start(t);
    world.goOffline();
    const asked = source.token();
    await world.pass(0.1);
    assert.equal(server.requests.length, 0);
    world.goOnline();
    await world.settle(asked);
    assert.equal(server.requests[0].atMs, 100);
    assert.equal(world.timers, 0);
  });

  test("retries after a backoff if there is no online event", async (t) => {
    const { world, server, token } = await start(t);
    const { platform } = world;
    world.goOffline();
    platform.setTimeout(() => world.goOnline(), 2_000);
    platform.addEventListener = undefined;
    await token();
    assert.equal(server.requests[0].atMs, 3_750);
  });

  test("gives up after the last retry", async (t) => {
    const { world, failure } = await start(t);
    world.goOffline();
    const error = await failure();
    assert.equal(error.code, "network_error");
    assert.equal(error.retryable, true);
    assert.equal(world.elapsedMs, 7_750);
  });

  test("still waits for Retry-After when it is online again", async (t) => {
    const { world, server, source } = await start(t);
    server.answer(problem(503, "secret_unavailable", { headers: { "retry-after": "5" } }));
    const asked = source.token();
    await world.pass(1);
    world.goOnline();
    await world.settle(asked);
    assert.deepEqual(server.waits, [5.25]);
  });

  test("leaves no listener and no timer behind", async (t) => {
    const { world, source } = await start(t);
    const listeners = new Set();
    world.platform.addEventListener = (_, listener, { signal }) => {
      listeners.add(listener);
      signal.addEventListener("abort", () => listeners.delete(listener));
    };
    world.goOffline();
    await world.failure(source.token());
    assert.equal(listeners.size, 0);
    assert.equal(world.timers, 0);
  });
});

suite("no response", () => {
  const allow = "or CORS settings that omit this page. To allow it:";
  for (const [name, parts, says] of [
    ["without a page", {}, /^No response from http:\S+: no server runs there\. \(/],
    ["offline", { navigator: { onLine: false } }, /^This machine is offline\. \(/],
    [
      "from a local stack",
      { location: { origin: "http://localhost:5173" } },
      new RegExp(`${allow} make run RUN_ARGS='--allow-origin http://localhost:5173'\\. `),
    ],
    ["for a file", { location: { origin: "null" } }, /without an origin cannot be allowed: serve it/],
  ]) {
    test(`${name} is explained`, async (t) => {
      const { world, server, source } = await start(t, { maxRetries: 0 });
      Object.assign(world.platform, parts);
      server.answer((response) => response.destroy());
      assert.match((await world.failure(source.token())).message, says);
    });
  }

  test("from a deployment is explained", async (t) => {
    const url = "https://tokens.example.com";
    const { world } = await start(t);
    const location = { origin: "https://app.example.com" };
    const fetch = () => Promise.reject(new TypeError("Failed to fetch"));
    const platform = { ...world.platform, location, fetch };
    const options = { url, getBearer: () => "bearer", maxRetries: 0, platform };
    const error = await world.failure(createTokenSource(options).token());
    const needs = "the stack parameter AllowedOrigins needs https://app.example.com.";
    const reason = "offline, or a wrong or redirecting url";
    assert.equal(error.detail, `No response from ${url}: ${reason}, ${allow} ${needs}`);
    assert.equal(error.cause.message, "Failed to fetch");
  });
});

suite("a timeout", () => {
  test("of one request is followed by a retry", async (t) => {
    const { world, server, token } = await start(t);
    server.answer(hang);
    await token();
    assert.deepEqual(server.waits, [10.25]);
    assert.equal(world.timers, 0);
  });

  test("of all attempts together is the deadline", async (t) => {
    const { world, server, failure } = await start(t);
    server.answer(hang, hang, hang, hang);
    const error = await failure();
    assert.equal(error.code, "timeout");
    assert.equal(error.retryable, true);
    assert.equal(world.elapsedMs, 30_000);
    assert.equal(server.requests.length, 3);
  });

  test("may be longer than a timer allows", async (t) => {
    const { server } = await start(t);
    const longest = { timeoutMs: 2 ** 31, deadlineMs: 2 ** 31 };
    const source = createTokenSource({ url: server.url, getBearer: () => "bearer", ...longest });
    assert.equal((await source.token()).userId, "alice");
  });

  test("includes getBearer", async (t) => {
    const getBearer = () => new Promise(() => {});
    const { world, failure } = await start(t, { getBearer, deadlineMs: 5_000 });
    assert.equal((await failure()).code, "timeout");
    assert.equal(world.elapsedMs, 5_000);
  });

  test("ends a fetch that ignores its signal", async (t) => {
    const fetch = () => new Promise(() => {});
    const { failure } = await start(t, { fetch, timeoutMs: 1_000, maxRetries: 0 });
    assert.equal((await failure()).code, "timeout");
  });
});

suite("callers", () => {
  test("share the request in progress", async (t) => {
    const { world, server, source } = await start(t);
    const asked = [
      source.token({ roomId: "room", privileges: ["login", "publish"] }),
      source.token({ roomId: "room", privileges: ["publish", "login"] }),
      source.token({ roomId: "room", privileges: ["login", "publish"], refresh: true }),
    ];
    const tokens = await world.settle(Promise.all(asked));
    assert.equal(new Set(tokens).size, 1);
    assert.equal(server.requests.length, 1);
  });

  test("share its failure, and the next call sends a new request", async (t) => {
    const { world, server, source, token } = await start(t);
    server.answer(problem(403, "not_granted"));
    const asked = Promise.allSettled([source.token(), source.token()]);
    const codes = (await world.settle(asked)).map(({ reason }) => reason.code);
    assert.deepEqual(codes, ["not_granted", "not_granted"]);
    await token();
    assert.equal(server.requests.length, 2);
  });

  test("cancel only their own call", async (t) => {
    const { world, server, source } = await start(t);
    const controller = new AbortController();
    const impatient = source.token({ signal: controller.signal });
    const patient = source.token();
    controller.abort();
    const error = await world.failure(impatient);
    assert.equal(error.code, "aborted");
    assert.equal(error.retryable, false);
    assert.equal((await world.settle(patient)).userId, "alice");
    assert.equal(server.requests.length, 1);
  });

  test("end the request when the last of them cancels", async (t) => {
    const { world, server, source, token } = await start(t);
    server.answer(hang);
    const controllers = [new AbortController(), new AbortController()];
    const asked = controllers.map(({ signal }) => source.token({ signal }));
    const ended = Promise.allSettled(asked);
    await world.quiet();
    controllers[0].abort();
    await world.quiet();
    assert.equal(world.hanging, 1);
    controllers[1].abort();
    await world.settle(ended);
    assert.equal(world.hanging, 0);
    assert.equal(world.timers, 0);
    await token();
    assert.equal(server.requests.length, 2);
  });

  test("with an aborted signal send nothing", async (t) => {
    const { server, token, failure } = await start(t);
    await token();
    assert.equal((await failure({ signal: AbortSignal.abort() })).code, "aborted");
    assert.equal(server.requests.length, 1);
  });

  test("may cancel within getBearer without an unhandled rejection", async (t) => {
    const controller = new AbortController();
    const getBearer = () => {
      controller.abort();
      return "bearer-of-alice";
    };
    const { world, failure } = await start(t, { getBearer });
    assert.equal((await failure({ signal: controller.signal })).code, "aborted");
    await world.quiet(); // an unhandled rejection would fail the test here
  });

  test("may cancel while a retry is waiting", async (t) => {
    let bearers = 0;
    const getBearer = () => `bearer-${(bearers += 1)}`;
    const { world, server, source } = await start(t, { getBearer });
    server.answer(gateway(429, "Too Many Requests", { "retry-after": "20" }));
    const controller = new AbortController();
    const asked = source.token({ signal: controller.signal });
    await world.pass(1);
    controller.abort();
    assert.equal((await world.failure(asked)).code, "aborted");
    await world.pass(60);
    assert.equal(server.requests.length, 1);
    assert.equal(bearers, 1);
  });
});

suite("a closed source", () => {
  test("ends all requests and returns no tokens", async (t) => {
    const { world, server, source, token, failure } = await start(t);
    await token({ roomId: "a" });
    server.answer(hang);
    const asked = source.token({ roomId: "b" });
    await world.quiet();
    source.close();
    source.close();
    assert.equal((await world.failure(asked)).code, "closed");
    assert.equal((await failure({ roomId: "a" })).code, "closed");
    assert.throws(() => source.bindTo({}, { roomId: "a" }), { code: "closed" });
    await world.quiet();
    assert.equal(world.hanging, 0);
    assert.equal(world.timers, 0);
  });
});

import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { Engine } from "./support/engine.js";
import { gateway, hang, issued, problem, tokenOf } from "./support/server.js";
import { start } from "./support/start.js";

/** A binding with another request than the login's: here the SDK's event comes first. */
const OTHER = { lifetimeSeconds: 1200 };

/** An engine in its own world, with a room that is bound. */
async function call(t, { binding = {}, ...options } = {}) {
  const parts = await start(t, options);
  const { world, source, token } = parts;
  const engine = new Engine(world);
  const errors = [];
  const request = { roomId: "room", lifetimeSeconds: 600 };
  const onError = (error) => errors.push(error);
  const unbind = source.bindTo(engine, { ...request, userName: "Alice", onError, ...binding });
  const enter = async () => {
    const { token: text, userId } = await token(request);
    const [{ reason }] = await Promise.allSettled([
      engine.loginRoom("room", text, { userID: userId, userName: "Alice" }),
    ]);
    await world.pass(0);
    return reason?.code ?? 0;
  };
  return { ...parts, engine, errors, codes: () => errors.map(({ code }) => code), unbind, enter };
}

/** ZEGO refuses every token that it has seen so far, as after a reset of the ServerSecret. */
function resetSecret(engine) {
  const old = new Set(engine.logins.map(({ token }) => token));
  engine.verdict = (token) => (old.has(token) || old.size === 0 ? (old.add(token), 1102016) : 0);
}

suite("a bound room", () => {
  test("gets a new token on the SDK's event that its token will expire", async (t) => {
    const { world, engine, errors, enter } = await call(t, { binding: OTHER });
    await enter();
    const first = engine.tokenIn("room");
    await world.pass(569);
    assert.equal(engine.renewals.length, 0);
    await world.pass(2);
    assert.equal(engine.renewals.length, 1);
    assert.notEqual(engine.tokenIn("room"), first);
    await world.pass(1000);
    assert.equal(engine.renewals.length, 1);
    assert.deepEqual([engine.ignored, errors], [[], []]);
  });

  test("gets a new token even if the cached one is still fresh", async (t) => {
    const { world, engine, server, enter } = await call(t);
    server.answer(issued({ token: tokenOf(world.serverTime + 60, 99) })); // it claims 600 s
    await enter();
    await world.pass(31);
    assert.equal(engine.renewals.length, 1);
    assert.deepEqual(engine.ignored, []);
  });

  test("is renewed once if the SDK repeats its event", async (t) => {
    const { world, engine, server, enter } = await call(t, { binding: OTHER });
    await enter();
    server.answer(hang);
    await world.pass(571);
    engine.renewToken(tokenOf(world.serverTime + 31, 99), "room");
    await world.pass(30);
    assert.equal(engine.renewals.length, 2);
    assert.deepEqual(engine.ignored, []);
  });

  test("is renewed after the service repeated the token once", async (t) => {
    const { world, engine, server, enter } = await call(t);
    await enter();
    server.answer(issued({ token: engine.tokenIn("room") }));
    await world.pass(580);
    assert.equal(engine.renewals.length, 1);
    assert.deepEqual(engine.ignored, []);
  });

  test("is renewed after the service was unavailable for minutes", async (t) => {
    const { world, engine, server, codes, enter } = await call(t);
    await enter();
    server.answer(...Array(14).fill(problem(503, "secret_unavailable")));
    await world.pass(570);
    await world.pass(120);
    assert.deepEqual(codes(), ["secret_unavailable", "secret_unavailable"]);
    assert.equal(engine.renewals.length, 1);
  });

  test("is renewed after Retry-After, not earlier", async (t) => {
    const { world, engine, server, codes, enter } = await call(t, { binding: OTHER });
    await enter();
    server.answer(problem(503, "secret_unavailable", { headers: { "retry-after": "300" } }));
    await world.pass(570 + 299);
    assert.deepEqual(codes(), ["secret_unavailable"]);
    assert.equal(server.requests.length, 2);
    await world.pass(1);
    assert.equal(engine.renewals.length, 1);
  });

  test("is renewed after getBearer failed for a while", async (t) => {
    let isDown = false;
    const getBearer = async () => (isDown ? Promise.reject(new Error("down")) : "bearer");
    const { world, engine, codes, enter } = await call(t, { getBearer });
    engine.behindSeconds = 3 * 3600;
    await enter();
    isDown = true;
    await world.pass(515);
    isDown = false;
    await world.pass(20);
    assert.deepEqual(codes(), ["bearer_unavailable"]);
    assert.equal(engine.renewals.length, 1);
  });

  test("calls onRenewed for each accepted renewal, even if it throws", async (t) => {
    const renewed = [];
    const onRenewed = (issued) => {
      renewed.push(issued.token);
      throw new Error("in the app");
    };
    const { world, engine, errors, enter } = await call(t, { binding: { onRenewed } });
    await enter();
    await world.pass(2 * 514);
    assert.equal(renewed.length, 2);
    engine.renewToken = () => false;
    await world.pass(514);
    assert.deepEqual(
      renewed,
      engine.renewals.map(({ token }) => token),
    );
    assert.deepEqual(
      errors.map(({ code }) => code),
      ["sdk_error"],
    );
  });

  test("is renewed as soon as the machine is online again", async (t) => {
    const { world, engine, codes, enter } = await call(t, { binding: OTHER });
    await enter();
    world.goOffline();
    await world.pass(570 + 20);
    assert.deepEqual(codes(), ["network_error"]);
    world.goOnline();
    await world.quiet();
    assert.equal(engine.renewals.length, 1);
  });

  test("is no longer renewed after a final refusal, which is reported", async (t) => {
    const { world, engine, server, codes, enter } = await call(t, { binding: OTHER });
    await enter();
    server.answer(problem(403, "not_granted"));
    await world.pass(3600);
    assert.deepEqual(codes(), ["not_granted"]);
    assert.equal(engine.renewals.length, 0);
    assert.equal(server.requests.length, 2);
  });

  test("does not give its token to another room if the user leaves", async (t) => {
    const parts = await start(t);
    const { world, server, source, token } = parts;
    const engine = new Engine(world, { isMultiRoom: true });
    for (const roomId of ["a", "b"]) {
      source.bindTo(engine, { roomId });
      const { token: text } = await token({ roomId, lifetimeSeconds: 7200 });
      await engine.loginRoom(roomId, text, { userID: "alice" });
    }
    const before = engine.tokenIn("b");
    await world.pass(7200 - 31);
    server.answer(hang, hang);
    await world.pass(2);
    engine.logoutRoom("a");
    await world.pass(15);
    assert.deepEqual(engine.rooms, ["b"]);
    assert.notEqual(engine.tokenIn("b"), before);
    assert.deepEqual(
      engine.renewals.map(({ roomID }) => roomID),
      ["b"],
    );
    assert.equal(engine.tokenIn("b"), (await token({ roomId: "b" })).token);
  });

  test("reports a token that the SDK does not accept", async (t) => {
    const { world, engine, codes, enter } = await call(t, { binding: OTHER });
    await enter();
    for (const renewToken of [
      () => false,
      () => {
        throw new Error("inside the SDK");
      },
    ]) {
      engine.renewToken = renewToken;
      await world.pass(571);
      engine.logoutRoom("room");
      await world.pass(1);
      await enter();
    }
    assert.deepEqual(codes(), ["sdk_error", "sdk_error"]);
  });

  test("may be one of two on an engine", async (t) => {
    const { world, source, token } = await start(t);
    const engine = new Engine(world, { isMultiRoom: true });
    const lifetimes = { a: 600, b: 1200 };
    for (const [roomId, lifetimeSeconds] of Object.entries(lifetimes)) {
      source.bindTo(engine, { roomId, lifetimeSeconds });
      const { token: text } = await token({ roomId, lifetimeSeconds });
      await engine.loginRoom(roomId, text, { userID: "alice" });
    }
    await world.pass(1201);
    const rooms = engine.renewals.map(({ roomID }) => roomID);
    assert.deepEqual(rooms, ["a", "a", "b"]);
  });
});

suite("the token of a room", () => {
  for (const behindSeconds of [0, 3 * 3600]) {
    test(`is renewed before it expires if the SDK's clock is ${behindSeconds} s behind`, async (t) => {
      const { world, server, engine, errors, enter } = await call(t);
      engine.behindSeconds = behindSeconds;
      await enter();
      await world.pass(512);
      assert.equal(engine.renewals.length, 0);
      await world.pass(2);
      assert.equal(engine.renewals.length, 1);
      await world.pass(3 * 514);
      assert.equal(engine.renewals.length, 4);
      assert.equal(server.requests.length, 5);
      assert.deepEqual([engine.ignored, errors], [[], []]);
    });
  }

  test("is renewed before it expires after the first renewal on the SDK's event", async (t) => {
    const { world, engine, enter } = await call(t, { binding: OTHER });
    await enter();
    await world.pass(571);
    engine.behindSeconds = 3 * 3600;
    await world.pass(1048);
    assert.equal(engine.renewals.length, 1);
    await world.pass(2);
    assert.equal(engine.renewals.length, 2);
  });

  test("is renewed after another login with the cached one", async (t) => {
    const { world, server, engine, enter } = await call(t);
    await enter();
    await world.pass(100);
    engine.logoutRoom("room");
    await world.pass(1);
    await enter();
    assert.equal(server.requests.length, 1);
    await world.pass(411);
    assert.equal(engine.renewals.length, 0);
    await world.pass(2);
    assert.equal(engine.renewals.length, 1);
  });

  test("is not renewed while the user is not in the room", async (t) => {
    const ends = {
      unbind: ({ unbind }) => unbind(),
      close: ({ source }) => source.close(),
      logout: ({ engine }) => engine.logoutRoom("room"),
      kickout: ({ engine }) => engine.lose("room", "KICKOUT", 1102022),
    };
    for (const [name, end] of Object.entries(ends)) {
      const parts = await call(t);
      await parts.enter();
      end(parts);
      parts.engine.logoutRoom("room");
      await parts.world.pass(1);
      assert.equal(parts.world.timers, 0, name);
      await parts.world.pass(3600);
      assert.equal(parts.server.requests.length, 1, name);
    }
    const { world, server, token } = await call(t);
    await token({ roomId: "room", lifetimeSeconds: 600 });
    await world.pass(3600);
    assert.equal(server.requests.length, 1);
  });

  test("is not requested twice while a renewal is in progress", async (t) => {
    const { world, server, engine, enter } = await call(t);
    server.answer(issued({ token: tokenOf(world.serverTime + 540, 99) }), hang); // the SDK's event comes at 510
    await enter();
    await world.pass(514);
    assert.equal(server.requests.length, 2);
    await world.pass(30);
    assert.equal(engine.renewals.length, 1);
  });

  for (const isRefused of [false, true]) {
    test(`does not reach the engine after unbind, ${isRefused ? "at a login" : "at a renewal"}`, async (t) => {
      for (let turns = 0; turns < 60; turns += 1) {
        const { world, engine, unbind, enter } = await call(t);
        await enter();
        const { fetch } = world.platform;
        let hasEnded = false;
        const end = async () => {
          for (let turn = 0; turn < turns; turn += 1) await null;
          unbind();
          hasEnded = true;
        };
        world.platform.fetch = async (...request) => {
          const answer = await fetch(...request);
          const reader = answer.body.getReader();
          const read = async () => {
            const part = await reader.read();
            if (part.done) end();
            return part;
          };
          answer.body.getReader = () => ({ read });
          return answer;
        };
        let isLate = false;
        engine.renewToken = engine.loginRoom = () => {
          isLate = hasEnded;
          return true;
        };
        if (isRefused) engine.lose("room", "KICKOUT", 1102016);
        await world.pass(514);
        assert.deepEqual([hasEnded, isLate], [true, false], `${turns} turns after the response`);
      }
    });
  }

  test("is no longer renewed once the app ends the binding during a renewal", async (t) => {
    const { world, engine, unbind, enter } = await call(t);
    await enter();
    engine.renewToken = () => {
      unbind();
      return true;
    };
    await world.pass(514);
    engine.logoutRoom("room");
    await world.pass(1);
    assert.equal(world.timers, 0);
  });

  test("that is never fresh is renewed every 20 s at most", async (t) => {
    const { world, server, engine, enter } = await call(t);
    const now = world.serverTime;
    for (let serial = 0; serial < 9; serial += 1) {
      const times = { issued_at: now, renew_at: now };
      server.answer(issued({ token: tokenOf(now + 600, serial), ...times }));
    }
    await enter();
    await world.pass(61);
    assert.equal(engine.renewals.length, 3);
  });

  test("does not keep a process running", async (t) => {
    const { world, enter } = await call(t);
    const { setTimeout, clearTimeout } = world.platform;
    const unheld = [];
    world.platform.setTimeout = (callback, ms) => ({
      timer: setTimeout(callback, ms),
      unref: () => unheld.push(ms),
    });
    world.platform.clearTimeout = (held) => clearTimeout(held?.timer);
    await enter();
    assert.deepEqual(unheld, [570_000, 60_000]); // the engine's timer and the binding's
    await world.pass(60);
    assert.deepEqual(unheld, [570_000, 60_000, 60_000]);
  });

  for (const [when, behind] of Object.entries({ "from the start": 0, "during the call": 100 })) {
    test(`is not renewed over and over if the SDK's clock is ahead ${when}`, async (t) => {
      const { world, engine, server, errors, enter } = await call(t);
      if (!behind) engine.behindSeconds = -3 * 3600;
      await enter();
      await world.pass(behind);
      engine.behindSeconds = -3 * 3600;
      await world.pass(3600);
      // One every 513 s before expiry, and one for the SDK's first event.
      assert(engine.renewals.length >= 6 && engine.renewals.length <= 8);
      assert.equal(server.requests.length, 1 + engine.renewals.length);
      assert.deepEqual(errors, []);
      assert(engine.tokenIn("room"));
    });
  }

  test("is renewed on the SDK's event after a login with another request's token", async (t) => {
    const { world, engine, enter } = await call(t, { binding: OTHER });
    await enter();
    await world.pass(571);
    assert.equal(engine.renewals.length, 1);
    engine.lose("room", "KICKOUT", 0);
    await world.pass(1);
    await enter();
    await world.pass(571);
    assert.equal(engine.renewals.length, 2);
  });

  test("is renewed after a login during a pending renewal", async (t) => {
    const { world, engine, server, enter } = await call(t, { binding: OTHER });
    await enter();
    server.answer(problem(503, "secret_unavailable", { headers: { "retry-after": "300" } }));
    await world.pass(571);
    engine.lose("room", "KICKOUT", 0);
    await world.pass(1);
    await enter();
    await world.pass(571);
    assert.equal(engine.renewals.length, 1);
  });

  test("is requested once if the SDK repeats its event during Retry-After", async (t) => {
    const { world, engine, server, enter } = await call(t, { binding: OTHER });
    await enter();
    server.answer(problem(503, "secret_unavailable", { headers: { "retry-after": "300" } }));
    await world.pass(570);
    for (let asked = 0; asked < 5; asked += 1) {
      engine.renewToken(tokenOf(world.serverTime + 31, 90 + asked), "room");
      await world.pass(2);
    }
    assert.equal(server.requests.length, 2);
  });

  test("is renewed in time even if the SDK did not accept the last one", async (t) => {
    const { world, engine, codes, enter } = await call(t);
    engine.behindSeconds = 3 * 3600;
    await enter();
    const { renewToken } = engine;
    engine.renewToken = () => ((engine.renewToken = renewToken), false);
    await world.pass(514);
    assert.deepEqual([codes(), engine.renewals.length], [["sdk_error"], 0]);
    await world.pass(514);
    assert.equal(engine.renewals.length, 1);
  });

  test("is renewed soon after the machine slept", async (t) => {
    const { world, engine, enter } = await call(t);
    await enter();
    await world.pass(100);
    world.sleep(7000);
    await world.pass(60);
    assert(engine.renewals.length >= 1);
  });
});

suite("a token that ZEGO refuses", () => {
  for (const code of [1102016, 20014, 50119]) {
    test(`with ${code} is reported, and the next login has a new one`, async (t) => {
      const { world, server, engine, errors, enter } = await call(t, {
        binding: { roomConfig: { userUpdate: true } },
      });
      const refused = new Set();
      engine.verdict = (token) =>
        refused.size && !refused.has(token) ? 0 : (refused.add(token), code);
      assert.equal(await enter(), code);
      await world.pass(1);
      assert.deepEqual(
        server.bodies.map((body) => body.refused_with),
        [undefined, code],
      );
      const [, { token, ...login }] = engine.logins;
      assert.deepEqual(login, {
        roomID: "room",
        user: { userID: "alice", userName: "Alice" },
        config: { userUpdate: true },
      });
      assert(!refused.has(token));
      assert.deepEqual(engine.rooms, ["room"]);
      assert.deepEqual(errors, []);
    });
  }

  test("twice in a row is reported, and no login follows", async (t) => {
    const { world, server, engine, errors, codes, enter } = await call(t);
    engine.verdict = () => 1102016;
    await enter();
    await world.pass(3600);
    assert.deepEqual(codes(), ["token_refused"]);
    assert.equal(errors[0].detail, "ZEGO refuses a new token too: 1102016. Tell the service's operators.");
    assert.equal(engine.logins.length, 2);
    assert.equal(server.requests.length, 2);
  });

  test("twice in a row is not used for the next login", async (t) => {
    const { world, server, engine, codes, enter } = await call(t);
    engine.verdict = () => 1102016;
    await enter();
    await world.pass(600 / 2);
    const refused = new Set(engine.logins.map(({ token }) => token));
    engine.verdict = (token) => (refused.has(token) ? 1102016 : 0);
    assert.equal(await enter(), 0);
    assert.equal(server.requests.length, 3);
    assert.deepEqual(codes(), ["token_refused"]);
  });

  test("is replaced once the service is available; each failure is reported", async (t) => {
    const { world, server, engine, codes, enter } = await call(t, { maxRetries: 0 });
    resetSecret(engine);
    const wait = { headers: { "retry-after": "25" } };
    const down = [problem(503, "secret_unavailable", wait), problem(503, "secret_unavailable")];
    server.answer(issued(), ...down);
    await enter();
    await world.pass(50);
    assert.deepEqual(codes(), ["secret_unavailable", "secret_unavailable"]);
    assert.deepEqual(server.waits.slice(1), [25, 20]);
    assert.deepEqual(
      server.bodies.map((body) => body.refused_with),
      [undefined, 1102016, 1102016, 1102016],
    );
    assert.deepEqual(engine.rooms, ["room"]);
  });

  test("is not replaced once the app has logged in itself", async (t) => {
    const { world, server, engine, codes, enter } = await call(t, { maxRetries: 0 });
    resetSecret(engine);
    server.answer(issued(), problem(503, "secret_unavailable"));
    await enter();
    await world.pass(1);
    assert.equal(await enter(), 0);
    await world.pass(100);
    assert.deepEqual(codes(), ["secret_unavailable"]);
    assert.equal(engine.logins.length, 2);
    assert.equal(server.requests.length, 3);
  });

  test("is reported again after a successful login", async (t) => {
    const { world, server, engine, errors, enter } = await call(t);
    resetSecret(engine);
    await enter();
    await world.pass(1);
    assert.deepEqual(engine.rooms, ["room"]);
    resetSecret(engine);
    engine.lose("room", "RECONNECT_FAILED", 1102016);
    await world.pass(1);
    assert.deepEqual(engine.rooms, ["room"]);
    assert.equal(server.requests.length, 3);
    assert.deepEqual(errors, []);
  });

  test("because it expired is replaced without a report to the service", async (t) => {
    for (const reason of ["RECONNECT_FAILED", "KICKOUT"]) {
      const { world, server, engine, errors, enter } = await call(t);
      await enter();
      engine.lose("room", reason, 1102018);
      await world.pass(1);
      assert.deepEqual(server.bodies[1], { room_id: "room", lifetime_seconds: 600 });
      assert.equal(engine.logins.length, 2);
      assert.deepEqual(engine.rooms, ["room"]);
      assert.deepEqual(errors, []);
    }
  });

  test("in another room changes nothing here", async (t) => {
    const { world, server, engine } = await call(t);
    engine.verdict = () => 1102016;
    await assert.rejects(engine.loginRoom("another", "04AAAA", { userID: "alice" }));
    await world.pass(1);
    assert.equal(server.requests.length, 0);
  });

  test("is not replaced after a final refusal, and the next login has a new one", async (t) => {
    const { world, server, engine, codes, enter } = await call(t);
    resetSecret(engine);
    const untilThen = [issued(), problem(403, "not_granted")];
    server.answer(...untilThen);
    await enter();
    await world.pass(1);
    assert.deepEqual(codes(), ["not_granted"]);
    assert.equal(await enter(), 0); // with another token
    assert.deepEqual(engine.rooms, ["room"]);
  });
});

suite("a lost room", () => {
  for (const [reason, code] of [
    ["KICKOUT", 1102022],
    ["RECONNECT_FAILED", 1100002],
    ["LOGOUT", 0],
  ]) {
    test(`by ${reason} ${code} is not logged in to again`, async (t) => {
      const { world, server, engine, errors, enter } = await call(t);
      await enter();
      engine.lose("room", reason, code);
      await world.pass(3600);
      assert.equal(server.requests.length, 1);
      assert.equal(engine.logins.length, 1);
      assert.deepEqual(errors, []);
    });
  }

  test("is not logged in to again after the user left it", async (t) => {
    const { world, server, engine, enter } = await call(t);
    engine.verdict = () => 1102016;
    server.answer(issued(), hang);
    await enter();
    await world.pass(1);
    engine.logoutRoom("room");
    await world.pass(3600);
    assert.equal(engine.logins.length, 1);
  });

  test("for another reason at the new login is reported, and is not a refusal", async (t) => {
    const { world, engine, errors, codes, enter } = await call(t);
    const verdicts = [1102016, 1002031, 1102016, 0];
    engine.verdict = () => verdicts.shift();
    await enter();
    await world.pass(1);
    assert.deepEqual(codes(), ["sdk_error"]);
    assert.equal(errors[0].detail, "The new login failed: 1002031.");
    await enter();
    await world.pass(1);
    assert.deepEqual(engine.rooms, ["room"]);
  });
});

suite("the end of a binding", () => {
  test("removes the listeners and ends a pending renewal", async (t) => {
    for (const end of ["unbind", "close"]) {
      const { world, server, source, engine, errors, unbind, enter } = await call(t, {
        binding: OTHER,
      });
      await enter();
      server.answer(hang);
      await world.pass(571);
      assert.equal(world.hanging, 1);
      if (end === "close") source.close();
      else [1, 2].forEach(() => unbind());
      await world.quiet();
      assert.equal(world.hanging, 0);
      assert.equal(engine.listenerCount, 0);
      await world.pass(3600);
      assert.equal(engine.renewals.length, 0);
      assert.deepEqual(errors, []);
    }
  });

  test("comes when the same room is bound again", async (t) => {
    const { world, source, server } = await start(t);
    const engine = new Engine(world);
    const errors = [];
    const binding = { roomId: "room", onError: (error) => errors.push(error) };
    const endFirst = source.bindTo(engine, binding);
    source.bindTo(engine, binding);
    const { token, userId } = await world.settle(source.token({ roomId: "room" }));
    engine.verdict = (given) => (given === token ? 1102016 : 0);
    await world.failure(engine.loginRoom("room", token, { userID: userId }));
    await world.pass(1);
    assert.deepEqual(errors, []);
    assert.equal(engine.logins.length, 2);
    assert.equal(server.requests.length, 2);
    endFirst(); // it must not end the second
    assert.equal(engine.listenerCount, 2);
  });

  test("may come from onError", async (t) => {
    const binding = { onError: () => unbind() };
    const { world, server, unbind, enter } = await call(t, { binding, maxRetries: 0 });
    await enter();
    server.answer(gateway(503, "Service Unavailable"));
    await world.pass(571);
    assert.equal(server.requests.length, 2);
    assert.equal(world.timers, 0);
  });

  test("may come while a retry is waiting", async (t) => {
    const { world, server, engine, unbind, enter } = await call(t, {
      binding: OTHER,
      maxRetries: 0,
    });
    await enter();
    server.answer(gateway(503, "Service Unavailable"));
    await world.pass(571);
    unbind();
    await world.pass(3600);
    assert.equal(server.requests.length, 2);
    assert.equal(world.timers, 0);
    assert.equal(engine.renewals.length, 0);
  });
});

suite("a binding", () => {
  test("must have a roomId and no unknown field", async (t) => {
    const { world, source } = await start(t);
    const engine = new Engine(world);
    for (const binding of [
      {},
      { roomId: "" },
      { roomID: "room" },
      { roomId: "room", user: "alice" },
    ]) {
      assert.throws(() => source.bindTo(engine, binding), TypeError);
    }
    assert.equal(engine.listenerCount, 0);
  });

  test("keeps errors of onError away from the SDK", async (t) => {
    const wrong = [
      () => {
        throw new Error("in the app");
      },
      () => Promise.reject(new Error("in the app")),
    ];
    for (const onError of wrong) {
      const { world, server, enter } = await call(t, { binding: { ...OTHER, onError } });
      await enter();
      server.answer(problem(403, "not_granted"));
      await world.pass(571);
      assert.equal(server.requests.length, 2);
    }
  });

  test("writes errors to the console without onError", async (t) => {
    const { mock } = t.mock.method(console, "error", () => {});
    const { world, server, enter } = await call(t, { binding: { onError: undefined } });
    await enter();
    server.answer(problem(403, "not_granted"));
    await world.pass(571);
    assert.deepEqual(
      mock.calls.map(({ arguments: [error] }) => error.code),
      ["not_granted"],
    );
  });
});

import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { gateway, problem } from "./support/server.js";
import { start } from "./support/start.js";

const REQUEST = { roomId: "room", lifetimeSeconds: 600 };

/** A token that is kept renewed, and what came of it. */
async function renewing(t, { isCached = true, onToken = () => {}, ...options } = {}) {
  const parts = await start(t, options);
  const { world, source, token } = parts;
  const first = isCached ? await token(REQUEST) : undefined;
  const given = [];
  const errors = [];
  const renewal = source.autoRenew({
    ...REQUEST,
    onToken(issued) {
      given.push(issued);
      return onToken(issued);
    },
    onError: (error) => errors.push(error),
  });
  await world.quiet();
  return { ...parts, first, given, renewal, codes: () => errors.map(({ code }) => code) };
}

suite("a token that is kept renewed", () => {
  test("is handed over when the cache gives another", async (t) => {
    const { world, token, first, given } = await renewing(t);
    await world.pass(512);
    assert.deepEqual(given, []);
    await world.pass(2);
    assert.equal(given.length, 1);
    assert.notEqual(given[0].token, first.token);
    assert.equal(await token(REQUEST), given[0]);
    await world.pass(3 * 514);
    assert.equal(new Set(given.map((issued) => issued.token)).size, 4);
  });

  test("is fetched where there is none yet", async (t) => {
    const { world, server, given } = await renewing(t, { isCached: false });
    assert.equal(given.length, 1);
    assert.deepEqual(server.bodies, [{ room_id: "room", lifetime_seconds: 600 }]);
    await world.pass(514);
    assert.equal(given.length, 2);
  });

  test("is renewed at once when the SDK wants it", async (t) => {
    const { world, server, first, given, renewal } = await renewing(t);
    const { renew } = renewal; // as it is handed to an SDK
    renew();
    await world.pass(1);
    assert.equal(given.length, 1);
    assert.notEqual(given[0].token, first.token);
    await world.pass(512 - 1);
    assert.equal(server.requests.length, 2);
  });

  test("is asked for again while the service is out of order", async (t) => {
    const { world, server, given, renewal, codes } = await renewing(t, { maxRetries: 0 });
    server.answer(gateway(503, "Service Unavailable"));
    renewal.renew();
    await world.pass(19);
    assert.deepEqual([codes(), given], [["gateway_error"], []]);
    await world.pass(1);
    assert.equal(given.length, 1);
  });

  test("is asked for no more when it is refused", async (t) => {
    const { world, server, given, codes } = await renewing(t);
    server.answer(problem(403, "not_granted"));
    await world.pass(3600);
    assert.deepEqual([codes(), given], [["not_granted"], []]);
    assert.equal(server.requests.length, 2);
  });

  for (const [name, onToken] of Object.entries({
    "says no": () => false,
    "says no later": async () => false,
    throws: () => {
      throw new Error("inside the SDK");
    },
    "fails later": () => Promise.reject(new Error("inside the SDK")),
  })) {
    test(`is told as not taken where the app's onToken ${name}`, async (t) => {
      const { world, codes } = await renewing(t, { onToken });
      await world.pass(514);
      assert.deepEqual(codes(), ["sdk_error"]);
    });
  }

  test("is left alone once it is stopped, or the source is closed", async (t) => {
    for (const end of [({ renewal }) => renewal.stop(), ({ source }) => source.close()]) {
      const parts = await renewing(t);
      end(parts);
      end(parts);
      parts.renewal.renew();
      await parts.world.pass(3600);
      assert.equal(parts.server.requests.length, 1);
      assert.equal(parts.world.timers, 0);
    }
  });

  test("needs somebody to take it, and a request that exists", async (t) => {
    const { server, source } = await start(t);
    assert.throws(() => source.autoRenew({ ...REQUEST }), /onToken must be a function/);
    assert.throws(() => source.autoRenew({ onToken() {}, room: "room" }), /has no field room/);
    source.close();
    assert.throws(() => source.autoRenew({ ...REQUEST, onToken() {} }), { code: "closed" });
    assert.equal(server.requests.length, 0);
  });
});

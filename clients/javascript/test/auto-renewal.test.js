import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { gateway, issued, problem } from "./support/server.js";
import { start } from "./support/start.js";

const REQUEST = { roomId: "room", lifetimeSeconds: 600 };

/** An automatic renewal with the tokens and errors that its callbacks got. */
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

suite("an automatically renewed token", () => {
  test("is passed on when the cached one is no longer fresh", async (t) => {
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

  test("is fetched at once if none is cached", async (t) => {
    const { world, server, given } = await renewing(t, { isCached: false });
    assert.equal(given.length, 1);
    assert.deepEqual(server.bodies, [{ room_id: "room", lifetime_seconds: 600 }]);
    await world.pass(514);
    assert.equal(given.length, 2);
  });

  test("is renewed at once when renew is called", async (t) => {
    const { world, server, first, given, renewal } = await renewing(t);
    const { renew } = renewal; // without its object, as an SDK calls it
    renew();
    await world.pass(1);
    assert.equal(given.length, 1);
    assert.notEqual(given[0].token, first.token);
    await world.pass(512 - 1);
    assert.equal(server.requests.length, 2);
  });

  test("is requested again while the service is unavailable", async (t) => {
    const { world, server, given, renewal, codes } = await renewing(t, { maxRetries: 0 });
    server.answer(gateway(503, "Service Unavailable"));
    renewal.renew();
    await world.pass(19);
    assert.deepEqual([codes(), given], [["gateway_error"], []]);
    await world.pass(1);
    assert.equal(given.length, 1);
  });

  test("is requested again while the service does not know a new key of the provider", async (t) => {
    const { world, server, given, renewal, codes } = await renewing(t);
    const unknown = { retryable: true, headers: { "retry-after": "30" } };
    // Once with the old bearer token, and once with a new one.
    server.answer(
      problem(401, "bearer_unknown_key", unknown),
      problem(401, "bearer_unknown_key", unknown),
    );
    renewal.renew();
    await world.pass(29);
    assert.deepEqual([codes(), given], [["bearer_unknown_key"], []]);
    await world.pass(1);
    assert.equal(given.length, 1);
  });

  test("is no longer requested if a key stays unknown", async (t) => {
    const { world, server, given, codes } = await renewing(t);
    server.answer(problem(401, "bearer_unknown_key"), problem(401, "bearer_unknown_key"));
    await world.pass(3600);
    assert.deepEqual([codes(), given], [["bearer_unknown_key"], []]);
    assert.equal(server.requests.length, 3);
  });

  test("is no longer requested after a final refusal", async (t) => {
    const { world, server, given, codes } = await renewing(t);
    server.answer(problem(403, "not_granted"));
    await world.pass(3600);
    assert.deepEqual([codes(), given], [["not_granted"], []]);
    assert.equal(server.requests.length, 2);
  });

  for (const [name, onToken] of Object.entries({
    "returns false": () => false,
    "resolves to false": async () => false,
    throws: () => {
      throw new Error("inside the SDK");
    },
    rejects: () => Promise.reject(new Error("inside the SDK")),
  })) {
    test(`is reported as not accepted if onToken ${name}`, async (t) => {
      const { world, codes } = await renewing(t, { onToken });
      await world.pass(514);
      assert.deepEqual(codes(), ["sdk_error"]);
      await world.pass(514);
      assert.deepEqual(codes(), ["sdk_error", "sdk_error"], "the next one comes in time");
    });
  }

  test("is passed on even if onToken has not finished with the last one", async (t) => {
    const { world, given } = await renewing(t, { onToken: () => new Promise(() => {}) });
    await world.pass(2 * 514);
    assert.equal(given.length, 2);
  });

  test("is not requested again while a new one is fresh, even if the SDK asks", async (t) => {
    const parts = await renewing(t, { onToken: () => parts.renewal.renew() });
    const { world, server, renewal, given } = parts;
    renewal.renew();
    await world.pass(500);
    renewal.renew();
    await world.pass(1);
    assert.deepEqual([given.length, server.requests.length], [1, 2]);
    await world.pass(20);
    assert.deepEqual([given.length, server.requests.length], [2, 3]);
  });

  test("is requested again if the last one was not accepted", async (t) => {
    const parts = await renewing(t, { onToken: () => parts.given.length > 1 });
    const { world, given, renewal } = parts;
    for (let asked = 0; asked < 3; asked += 1) {
      renewal.renew();
      await world.pass(1);
    }
    assert.equal(given.length, 2);
  });

  test("is requested once, however often renew is called meanwhile", async (t) => {
    const { world, server, given, renewal } = await renewing(t);
    server.answer(problem(503, "secret_unavailable", { headers: { "retry-after": "300" } }));
    renewal.renew();
    for (let asked = 0; asked < 5; asked += 1) {
      await world.pass(1);
      renewal.renew();
    }
    assert.equal(server.requests.length, 2);
    await world.pass(300);
    assert.equal(given.length, 1);
  });

  test("is renewed again soon if the cache was cleared when it arrived", async (t) => {
    const { world, server, source, given, renewal } = await renewing(t);
    server.answer((...parts) => (source.invalidate(), issued()(...parts)));
    renewal.renew();
    await world.pass(1);
    assert.equal(given.length, 1);
    await world.pass(20);
    assert.equal(given.length, 2);
    await world.pass(514);
    assert.equal(given.length, 3);
  });

  test("is fetched at once if the cached one has expired", async (t) => {
    const { world, source, token, given, server } = await renewing(t);
    source.autoRenew({ ...REQUEST, roomId: "other", onToken() {} }).stop();
    await token({ roomId: "third", lifetimeSeconds: 600 });
    world.sleep(4000);
    const before = server.requests.length;
    source.autoRenew({ roomId: "third", lifetimeSeconds: 600, onToken: (one) => given.push(one) });
    await world.quiet();
    assert.equal(server.requests.length, before + 1);
  });

  test("is renewed soon after the machine slept", async (t) => {
    const { world, given } = await renewing(t);
    await world.pass(100);
    world.sleep(7000);
    await world.pass(60);
    assert(given.length >= 1);
  });

  test("is no longer renewed after stop or close", async (t) => {
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

  test("requires onToken and a valid request", async (t) => {
    const { server, source } = await start(t);
    assert.throws(() => source.autoRenew({ ...REQUEST }), /onToken must be a function/);
    assert.throws(() => source.autoRenew({ onToken() {}, room: "room" }), /has no option room\. Did you mean roomId\?/);
    source.close();
    assert.throws(() => source.autoRenew({ ...REQUEST, onToken() {} }), { code: "closed" });
    assert.equal(server.requests.length, 0);
  });
});

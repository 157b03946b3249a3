// The snippet has the addresses of `make run`; the stack of the tests has others.

import assert from "node:assert/strict";
import { test } from "node:test";

const { fetch } = globalThis;
const { API, IDENTITY_PROVIDER } = process.env;
const PORTS = { 8080: API, 8081: IDENTITY_PROVIDER };
globalThis.fetch = (url, init) => {
  const { port, pathname } = new URL(url);
  return fetch(PORTS[port] + pathname, init);
};
const { source } = await import("./local-stack.js");

test("the page signs in at the local identity provider and gets a token", async () => {
  const { token, userId, roomId } = await source.token({ roomId: "call_0123" });
  assert.match(token, /^04/);
  assert.deepEqual([userId, roomId], ["alice", "call_0123"]);
});

test("the page calls another user", async () => {
  const { callees, eventAccepted } = await source.startCall({ callees: ["bob"] });
  assert.deepEqual([callees, eventAccepted], [["bob"], true]);
});

// The backend is the local stack, and the page's fetch adds the session: a bearer token here.

import assert from "node:assert/strict";
import { test } from "node:test";

const { fetch } = globalThis;
const sent = [];

/** What a backend does with the page's request: it passes the service's response on. */
globalThis.fetch = (path, { method, headers, body, signal }) => {
  const request = JSON.parse(body);
  sent.push([method, path, request]);
  const { roomId: room_id, idempotencyKey, ...others } = request;
  const route = { "/zego-token": "/v1/tokens", "/calls": "/v1/calls" }[path];
  return fetch(process.env.API + route, {
    method,
    headers: {
      ...headers,
      authorization: `Bearer ${process.env.BEARER}`,
      ...(idempotencyKey && { "idempotency-key": idempotencyKey }),
    },
    body: JSON.stringify({ room_id, ...others }),
    signal,
  });
};
const { source } = await import("./own-backend.js");

test("the page gets its token from the backend, once", async () => {
  const { token, roomId, userId } = await source.token({ roomId: "call_0123" });
  assert.match(token, /^04/);
  assert.deepEqual([roomId, userId], ["call_0123", "alice"]);
  assert.equal((await source.token({ roomId: "call_0123" })).token, token);
  assert.deepEqual(sent, [["POST", "/zego-token", { roomId: "call_0123" }]]);
});

test("a refusal of the service reaches the page with its code and request id", async () => {
  const error = await source.token({ roomId: "of_another" }).catch((error) => error);
  assert.deepEqual([error.code, error.status], ["not_granted", 403]);
  assert.match(error.requestId, /./);
});

test("a call is made by the backend too", async () => {
  const { roomId, callId, callees } = await source.startCall({ callees: ["bob"] });
  assert.equal(roomId, `call_${callId}`);
  assert.deepEqual(callees, ["bob"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { tokenFor } from "./node.js";

test("a backend gets a token for its user", async () => {
  const issued = await tokenFor("alice", "call_0123");
  assert.match(issued.token, /^04/);
  assert.deepEqual([issued.user_id, issued.room_id], ["alice", "call_0123"]);
});

test("a refusal of the service has its code, its detail and the request's id", async () => {
  await assert.rejects(tokenFor("not an id", "call_0123"), /^Error: invalid_identifier: .+ \(422, (?!null).+\)$/);
});

test("a refusal of API Gateway has its message and the request's id", async (t) => {
  const key = process.env.AWS_SECRET_ACCESS_KEY;
  t.after(() => (process.env.AWS_SECRET_ACCESS_KEY = key));
  process.env.AWS_SECRET_ACCESS_KEY = "another";
  await assert.rejects(tokenFor("alice", "call_0123"), /^Error: gateway_error: Forbidden \(403, (?!null).+\)$/);
});

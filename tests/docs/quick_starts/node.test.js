import assert from "node:assert/strict";
import { test } from "node:test";

import { TokenClient, TokenServiceError } from "zego-token-service-client/node";

import { tokenFor } from "./node.js";

const client = (options) =>
  new TokenClient(process.env.API, { region: process.env.AWS_DEFAULT_REGION, ...options });

test("a backend gets a token for its user", async () => {
  const issued = await tokenFor("alice", "call_0123");
  assert.match(issued.token, /^04/);
  assert.deepEqual([issued.userId, issued.roomId], ["alice", "call_0123"]);
});

test("a refusal of the service has its code, its detail, its field and the request's id", async () => {
  const error = await tokenFor("not an id", "call_0123").catch((error) => error);
  assert.equal(error.code, "invalid_identifier");
  assert.deepEqual([error.status, error.field, error.retryable], [422, "user_id", false]);
  assert.equal(error.help, `${process.env.API}/v1/problems#invalid_identifier`);
  assert.match(error.message, /^invalid_identifier: .+ \(status 422, request (?!unknown).+\)$/);
});

test("a refusal of API Gateway says what to check, with the request's id", async () => {
  const credentials = { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: "another" };
  const error = await client({ credentials })
    .token("alice")
    .catch((error) => error);
  assert.match(
    error.message,
    /^gateway_forbidden: Check .+ \(status 403, request (?!unknown).+\)$/,
  );
});

test("a batch has a token or an error for each user", async () => {
  const requests = [{ userId: "alice", roomId: "call_0123" }, { userId: "not an id" }];
  const [issued, error] = await client().tokens(requests);
  assert.deepEqual([issued.userId, issued.roomId], ["alice", "call_0123"]);
  assert(error instanceof TokenServiceError);
  assert.deepEqual(
    [error.code, error.field, error.requestId],
    ["invalid_identifier", "user_id", issued.requestId],
  );
});

test("credentials that cannot be sent are named and not shown", async () => {
  const credentials = async () => ({ accessKeyId: "id", secretAccessKey: "key\n" });
  const error = await client({ credentials })
    .token("alice")
    .catch((error) => error);
  assert.match(
    error.message,
    /^credentials_unavailable: .+: secretAccessKey is missing, or not printable ASCII$/,
  );
  const failing = () =>
    Promise.reject(Object.assign(new Error("key"), { name: "CredentialsProviderError" }));
  const failed = await client({ credentials: failing })
    .token("alice")
    .catch((error) => error);
  assert.equal(
    failed.message,
    "credentials_unavailable: no AWS credentials to sign with: CredentialsProviderError",
  );
});

test("a call has a room and an accepted event; the same key is the same call", async () => {
  const options = { callees: ["bob"], idempotencyKey: "invitation-1" };
  const call = await client().startCall("alice", options);
  assert.deepEqual([call.userId, call.roomId], ["alice", `call_${call.callId}`]);
  assert.deepEqual([call.callees, call.eventAccepted], [["bob"], true]);
  const again = await client().startCall("alice", options);
  const another = await client().startCall("alice");
  assert.deepEqual([again.callId, another.callId === call.callId], [call.callId, false]);
  assert.deepEqual([another.callees, another.eventAccepted], [[], null]);
});

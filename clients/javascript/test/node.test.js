/** The client for Node backends. Most cases are those of the Python client. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { TokenClient, TokenServiceError } from "../node.js";
import { cases, documentOf, serving } from "./support/scripted.js";

const BEARER = "bearer-of-the-backend";
const GRANTED = { issued: {} };
const CREDENTIALS = {
  accessKeyId: "invented-key-id",
  secretAccessKey: "made-up-secret-access-key",
  sessionToken: "invented-session-token",
};

/** A client whose waits take no time and have the longest possible jitter. */
function clientOf(url, options = {}) {
  const waits = [];
  let nowMs = 0;
  const client = new TokenClient(url, {
    bearer: BEARER,
    clock: () => nowMs,
    sleep: async (ms) => {
      waits.push(ms / 1000);
      nowMs += ms;
    },
    random: () => 1,
    ...options,
  });
  return { client, waits };
}

async function failure(promise) {
  const error = await promise.then(assert.fail, (error) => error);
  assert(error instanceof TokenServiceError, error);
  return error;
}

/** The fields of an error, in the words of the cases. */
function shown(error) {
  const isNoAnswer = error.code === "network_error" || error.code === "timeout";
  return {
    code: isNoAnswer ? "no_answer" : error.code,
    detail: error.detail,
    status: error.status,
    field: error.field ?? null,
    help: error.help ?? null,
    request_id: error.requestId ?? null,
    retryable: error.retryable,
    retry_after_seconds: error.retryAfterSeconds ?? null,
  };
}

function assertShows(error, expected) {
  const said = shown(error);
  assert.deepEqual(
    Object.fromEntries(Object.keys(expected).map((name) => [name, said[name]])),
    expected,
  );
}

const about = (wait) => Math.round(wait * 1000) / 1000;

for (const { name, reply } of cases.retried) {
  test(`it retries a temporary failure: ${name}`, async (t) => {
    const { url, received } = await serving(t, reply, GRANTED);
    const { client, waits } = clientOf(url);
    const issued = await client.token("bob", { roomId: "call_1" });
    assert.equal(issued.token, cases.documents.issued.token);
    assert.deepEqual([received.length, waits], [2, [0.2]]);
  });
}

for (const { name, reply, error: expected } of cases.final) {
  test(`it reports another failure at once: ${name}`, async (t) => {
    const { url, received } = await serving(t, reply, GRANTED);
    const { client, waits } = clientOf(url);
    const error = await failure(client.token("bob", { roomId: "call_1" }));
    assertShows(error, expected);
    assert.deepEqual([received.length, error.retryable, waits], [1, false, []]);
  });
}

for (const { name, reply } of cases.granted) {
  test(`it reads what the service grants: ${name}`, async (t) => {
    const { url, received } = await serving(t, reply);
    const issued = await clientOf(url).client.token("bob", { roomId: "call_1" });
    const expected = documentOf("issued", reply.issued);
    assert.deepEqual(
      { ...issued },
      {
        token: expected.token,
        appId: expected.app_id,
        userId: "bob",
        roomId: "call_1",
        privileges: { login: true, publish: true },
        streamIds: expected.stream_ids,
        issuedAt: expected.issued_at,
        expiresAt: expected.expires_at,
        renewAt: expected.renew_at,
        requestId: expected.request_id,
      },
    );
    const [{ method, url: path, headers, body }] = received;
    assert.deepEqual([method, path], ["POST", "/v1/tokens"]);
    assert.equal(headers.authorization, `Bearer ${BEARER}`);
    assert.deepEqual(body, { user_id: "bob", room_id: "call_1" });
  });
}

for (const each of cases.waits) {
  test(`attempts and waits have limits: ${each.name}`, async (t) => {
    const { url, received } = await serving(t, ...each.replies);
    const options = {};
    if ("attempts" in each) options.attempts = each.attempts;
    if ("patience_seconds" in each) options.patienceMs = 1000 * each.patience_seconds;
    const { client, waits } = clientOf(url, options);
    const asked = client.token("bob", { roomId: "call_1" });
    if (each.error) assertShows(await failure(asked), each.error);
    else await asked;
    assert.equal(received.length, each.requests);
    assert.deepEqual(waits.map(about), each.waits);
  });
}

for (const { headers, seconds } of cases.retry_after) {
  test(`Retry-After has seconds or a date: ${JSON.stringify(headers).slice(0, 48)}`, async (t) => {
    const { url } = await serving(t, { status: 429, gateway: "Too Many Requests", headers });
    const error = await failure(clientOf(url, { attempts: 1 }).client.token("bob"));
    assert.equal(error.retryAfterSeconds ?? null, seconds);
  });
}

for (const { name, results, got, error: expected } of cases.batches) {
  test(`a batch has a result per request: ${name}`, async (t) => {
    const without = { request_id: "(missing)" };
    const document = {
      request_id: "made-up",
      results: results.map(({ status, token, problem }) => ({
        status,
        ...(token && { token: documentOf("issued", { ...without, ...token }) }),
        ...(problem && { problem: documentOf("problem", { ...without, ...problem }) }),
      })),
    };
    const { url, received } = await serving(t, { status: 200, text: JSON.stringify(document) });
    const request = { userId: "bob", roomId: "call_1" };
    const asked = clientOf(url).client.tokens([request, request].values());
    if (expected) {
      assertShows(await failure(asked), { code: "bad_answer", detail: expected });
      return;
    }
    const found = await asked;
    assert.deepEqual(
      found.map((each) => each.roomId ?? each.code),
      got,
    );
    assert(found.every(({ requestId }) => requestId === "made-up"));
    assert.doesNotMatch(inspect(found), new RegExp(BEARER));
    assert.equal(received[0].url, "/v1/tokens/batch");
    assert.deepEqual(received[0].body.requests[1], { user_id: "bob", room_id: "call_1" });
  });
}

// --- Calls ---------------------------------------------------------------------------------------

const CALL = { call_id: "0123", callees: ["carol"], event_accepted: true };

test("a call names its callees, and its retries have one key", async (t) => {
  const busy = { status: 503, problem: { retryable: true } };
  const { url, received } = await serving(t, busy, { issued: CALL });
  const call = await clientOf(url).client.startCall("bob", {
    callees: new Set(["carol"]),
    lifetimeSeconds: 60,
  });
  assert.deepEqual(
    [call.callId, call.roomId, call.callees, call.eventAccepted],
    ["0123", "call_1", ["carol"], true],
  );
  const [first, second] = received;
  assert.deepEqual(
    [first.url, first.body],
    ["/v1/calls", { user_id: "bob", callees: ["carol"], lifetime_seconds: 60 }],
  );
  assert.match(first.headers["idempotency-key"], /^[\x21-\x7e]{16,255}$/);
  assert.equal(second.headers["idempotency-key"], first.headers["idempotency-key"]);
});

test("two calls have different keys, unless the app gives one", async (t) => {
  const { url, received } = await serving(t, {
    issued: { ...CALL, callees: [], event_accepted: null },
  });
  const { client } = clientOf(url);
  for (const options of [{}, {}, { idempotencyKey: "invitation-7" }]) {
    const call = await client.startCall("bob", options);
    assert.equal(call.eventAccepted, null);
  }
  const keys = received.map(({ headers }) => headers["idempotency-key"]);
  assert.notEqual(keys[0], keys[1]);
  assert.equal(keys[2], "invitation-7");
});

test("a call without its own fields is a bad response", async (t) => {
  const { url } = await serving(t, { issued: { ...CALL, event_accepted: "yes" } });
  const error = await failure(clientOf(url).client.startCall("bob"));
  assertShows(error, {
    code: "bad_answer",
    detail: "the response is invalid: event_accepted has the wrong type",
  });
});

// --- Requests that are not sent ------------------------------------------------------------------

for (const [message, ask] of [
  [/has no field roomID/, (client) => client.token("bob", { roomID: "call_1" })],
  [
    /privileges must be a list, not a string/,
    (client) => client.token("bob", { privileges: "login" }),
  ],
  [
    /callees must be a list, not a string/,
    (client) => client.startCall("bob", { callees: "carol" }),
  ],
  [
    /callees must be a list, not an object/,
    (client) => client.startCall("bob", { callees: { 0: "carol" } }),
  ],
  [/do not pass roomId/, (client) => client.startCall("bob", { roomId: "call_1" })],
  [
    /idempotencyKey must be 1 to 255/,
    (client) => client.startCall("bob", { idempotencyKey: "a\nb" }),
  ],
  [/userId must be a string/, (client) => client.token(undefined)],
  [/a request must be an object/, (client) => client.tokens(["bob"])],
  [/userId must be a string/, (client) => client.tokens([{ roomId: "call_1" }])],
]) {
  test(`a mistake in a request is a TypeError: ${message.source}`, async (t) => {
    const { url, received } = await serving(t, GRANTED);
    await assert.rejects(ask(clientOf(url).client), { name: "TypeError", message });
    assert.equal(received.length, 0);
  });
}

for (const [message, url, options] of [
  [/must be the API's base/, "tokens.example.com", {}],
  [/https; http is allowed for localhost only/, "http://tokens.example.com", {}],
  [/must not contain a user, a query or a fragment/, "https://tokens.example.com/?a", {}],
  [/timeoutMs/, undefined, { timeoutMs: 0 }],
  [/attempts/, undefined, { attempts: 1.5 }],
  [/patienceMs/, undefined, { patienceMs: -1 }],
  [/bearer must be a string, or a function/, undefined, { bearer: 7 }],
  [/bearer cannot be combined/, undefined, { region: "eu-central-1" }],
  [/no AWS region is set/, undefined, { bearer: undefined }],
  [/not the name of an AWS region/, undefined, { bearer: undefined, region: "a b" }],
]) {
  test(`an invalid setting is a TypeError: ${message.source}`, (t) => {
    for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION"]) {
      const kept = process.env[name];
      delete process.env[name];
      t.after(() => kept !== undefined && (process.env[name] = kept));
    }
    const make = () =>
      new TokenClient(url ?? "https://tokens.example.com", { bearer: BEARER, ...options });
    assert.throws(make, { name: "TypeError", message });
  });
}

// --- What proves who the backend is --------------------------------------------------------------

test("it keeps a bearer token, and asks for another after a 401 only", async (t) => {
  const expired = { status: 401, problem: { code: "bearer_expired" } };
  const { url, received } = await serving(t, expired, GRANTED);
  const bearers = ["first", "second", "third"];
  const { client } = clientOf(url, { bearer: async () => bearers.shift() });
  await client.token("bob", { roomId: "call_1" });
  await Promise.all([1, 2].map(() => client.token("bob", { roomId: "call_1" })));
  const sent = received.map(({ headers }) => headers.authorization);
  assert.deepEqual(sent, ["Bearer first", "Bearer second", "Bearer second", "Bearer second"]);
});

test("requests at the same time share one new bearer token", async (t) => {
  const { url } = await serving(t, GRANTED);
  let asked = 0;
  const { client } = clientOf(url, { bearer: async () => `bearer-${(asked += 1)}` });
  await Promise.all([1, 2, 3].map(() => client.token("bob", { roomId: "call_1" })));
  assert.equal(asked, 1);
});

for (const [detail, bearer] of [
  [
    "bearer() failed: TypeError",
    () => {
      throw new TypeError("secret-of-the-app");
    },
  ],
  ["bearer() returned undefined instead of string", () => undefined],
  ['it begins with "Bearer ". Leave that out', () => "Bearer secret-of-the-app"],
  ["it is not printable ASCII, or contains a space or a newline", () => "secret-of-the-app\n"],
  ["it is empty", () => ""],
]) {
  test(`an unusable bearer token is an error that does not show it: ${detail}`, async (t) => {
    const { url, received } = await serving(t, GRANTED);
    const error = await failure(clientOf(url, { bearer }).client.token("bob"));
    assertShows(error, {
      code: "credentials_unavailable",
      detail: `no bearer token to send: ${detail}`,
    });
    assert.doesNotMatch(inspect(error, { showHidden: true, depth: 9 }), /secret-of-the-app/);
    assert.equal(received.length, 0);
  });
}

test("without the signer's package the error says how to install it", async (t) => {
  const { url } = await serving(t, GRANTED);
  const options = { bearer: undefined, region: "eu-central-1", credentials: CREDENTIALS };
  const error = await failure(clientOf(url, options).client.token("bob"));
  assert.equal(error.code, "credentials_unavailable");
  assert.match(error.detail, /npm install @smithy\/signature-v4/);
});

// --- Bounds and secrecy --------------------------------------------------------------------------

test("a silent server is a timeout", async (t) => {
  const { url } = await serving(t, "silence");
  const error = await failure(clientOf(url, { timeoutMs: 50, attempts: 1 }).client.token("bob"));
  assertShows(error, {
    code: "no_answer",
    retryable: true,
    detail: "127.0.0.1 did not respond in time.",
  });
});

test("a server that stops in the middle is a timeout", async (t) => {
  const head =
    "HTTP/1.1 201 Created\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\n{";
  const never = async () => new Promise(() => {});
  const { url } = await serving(t, never);
  const fetch = async (_url, { signal }) =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(Buffer.from(head));
          signal.addEventListener("abort", () => controller.error(signal.reason));
        },
      }),
    );
  const error = await failure(
    clientOf(url, { timeoutMs: 50, attempts: 1, fetch }).client.token("bob"),
  );
  assert.equal(error.code, "timeout");
});

/** Node's codes: https://nodejs.org/api/tls.html#x509-certificate-error-codes and undici's. */
for (const [code, reason] of [
  ["ECONNREFUSED", /^127\.0\.0\.1: cannot be reached\. Is the URL right\?$/],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", /^127\.0\.0\.1: TLS failed\..+NODE_EXTRA_CA_CERTS/],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /^127\.0\.0\.1: TLS failed\./],
  ["UND_ERR_SOCKET", /^127\.0\.0\.1: sent no complete response\.$/],
  [undefined, /^127\.0\.0\.1: sent no complete response\.$/],
]) {
  test(`a missing response has a reason: ${code}`, async () => {
    const refused = Object.assign(new TypeError("fetch failed"), { cause: { code } });
    const { client, waits } = clientOf("http://127.0.0.1", {
      fetch: () => Promise.reject(refused),
    });
    const error = await failure(client.token("bob"));
    assert.equal(error.code, "network_error");
    assert.match(error.detail, reason);
    assert.equal(waits.length, 2);
  });
}

test("a response is read only up to a size", async (t) => {
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  const fetch = async () => new Response(endless, { status: 201 });
  const error = await failure(
    clientOf("http://localhost", { fetch, attempts: 1 }).client.token("bob"),
  );
  assert.equal(error.code, "bad_answer");
  assert.match(error.detail, /larger than any/);
  assert(sent < 8 * 1024 * 1024);
});

test("console.log shows a result without its token, and JSON has it for the app", async (t) => {
  const { url } = await serving(t, GRANTED);
  const { client } = clientOf(url);
  const issued = await client.token("bob", { roomId: "call_1" });
  assert.match(inspect(issued), /call_1/);
  assert.doesNotMatch(inspect({ issued }), /04QUJD/);
  assert.equal(JSON.parse(JSON.stringify(issued)).token, issued.token);
  assert.doesNotMatch(inspect(client, { showHidden: true, depth: 9 }), new RegExp(BEARER));
});

for (const reply of [
  { status: 403, problem: { detail: `Not ${BEARER}.` } },
  { status: 403, gateway: `Forbidden for ${BEARER}` },
  { status: 502, type: "text/plain", text: cases.documents.issued.token },
  { issued: { user_id: "eve" } },
  { raw: `HTTP/1.1 201 Created\r\nContent-Length: 9999\r\n\r\n${cases.documents.issued.token}` },
]) {
  test(`no error shows a token or a bearer token: ${JSON.stringify(reply).slice(0, 40)}`, async (t) => {
    const { url } = await serving(t, reply);
    const error = await failure(clientOf(url).client.token("bob", { roomId: "call_1" }));
    const said =
      inspect(error, { showHidden: true, depth: 9 }) + JSON.stringify(error) + error.stack;
    assert.doesNotMatch(said, /bearer-of-the-backend|04QUJD/);
  });
}

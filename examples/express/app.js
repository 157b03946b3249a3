/**
 * Connects the sessions of an app to tokens for ZEGO's SDKs, and calls to their callees' pages.
 *
 * The service trusts this backend for every user that the access policy lets it name, so this app
 * takes the user from its own session, never from a request. Its memory is lost when it ends, and
 * is that of one process: a real app has a session store and a database.
 */

import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { fileURLToPath } from "node:url";

import express from "express";
import { TokenClient, TokenServiceError } from "zego-token-service-client/node";

const { ZEGO_TOKENS_URL, INCOMING_CALL_KEYS, PORT = "3000" } = process.env;
if (!ZEGO_TOKENS_URL || !INCOMING_CALL_KEYS) {
  throw new Error("Set ZEGO_TOKENS_URL and INCOMING_CALL_KEYS: README.md says how.");
}
/** Finds AWS credentials as the AWS SDK does. */
const client = new TokenClient(ZEGO_TOKENS_URL);

const app = express();
app.disable("x-powered-by");
app.use(express.json());

// --- Sessions: replace this with those of your app ----------------------------------------------

const sessions = new Map();

/** Starts a session. There is no password: this is a demonstration. */
app.post("/login", (request, response) => {
  const { user } = request.body ?? {};
  if (!/^[a-z]{1,32}$/.test(user)) return response.status(422).end();
  const session = randomUUID();
  sessions.set(session, user);
  response.cookie("session", session, { httpOnly: true, sameSite: "strict" }).status(204).end();
});

function signedIn(request, response, next) {
  const [, session] = /(?:^|; )session=([\w-]+)/.exec(request.headers.cookie ?? "") ?? [];
  request.user = sessions.get(session);
  if (request.user) next();
  else response.status(401).json({ detail: "Sign in first." });
}

// --- Tokens and calls ---------------------------------------------------------------------------

/** Until when (Unix seconds) a user may get tokens for a room. */
const mayEnter = new Map();
const keyOf = (...parts) => parts.join(" ");

function remember(ends, keys, end) {
  for (const [key, old] of ends) if (old < Date.now() / 1000) ends.delete(key);
  for (const key of keys) ends.set(key, end);
}

/** A token for the user of the session, for a room of a call with that user. */
app.post("/zego-token", signedIn, async (request, response) => {
  const { roomId, privileges, streamIds, lifetimeSeconds, refusedWith } = request.body ?? {};
  if (!(mayEnter.get(keyOf(roomId, request.user)) > Date.now() / 1000)) {
    return response.status(403).json({ detail: "You are not in this call." });
  }
  const asked = { roomId, privileges, streamIds, lifetimeSeconds, refusedWith };
  const issued = await client.token(request.user, asked);
  remember(mayEnter, [keyOf(roomId, request.user)], issued.expiresAt);
  response.status(201).json(issued);
});

/** Calls other users. This app lets every user call every other; decide that for yours. */
app.post("/calls", signedIn, async (request, response) => {
  const { callees, idempotencyKey } = request.body ?? {};
  if (!Array.isArray(callees)) return response.status(422).json({ detail: "callees is missing." });
  const call = await client.startCall(request.user, { callees, idempotencyKey });
  const members = [request.user, ...call.callees];
  remember(
    mayEnter,
    members.map((user) => keyOf(call.roomId, user)),
    call.expiresAt,
  );
  response.status(201).json(call);
});

// --- Incoming calls -----------------------------------------------------------------------------

/** The open pages of each user. */
const pages = new Map();

const digest = (text) => createHash("sha256").update(text).digest();
/** Two during a rotation of the key, separated by a space. */
const incomingCallKeys = INCOMING_CALL_KEYS.split(" ").filter(Boolean).map(digest);

/** Until when a callee's pages do not show a call again. */
const shown = new Map();

/** The event of a call: at least once, in any order. It opens no room to anyone. */
app.post("/incoming-call", (request, response) => {
  const given = digest(request.get("x-incoming-call-key") ?? "");
  const matches = incomingCallKeys.filter((key) => timingSafeEqual(key, given));
  if (matches.length === 0) return response.status(401).json({ detail: "The key is wrong." });
  const { call_id, room_id, caller, callees, expires_at } = request.body.detail;
  const message = JSON.stringify({ call_id, room_id, caller, expires_at });
  for (const callee of callees) {
    if (shown.has(keyOf(call_id, callee))) continue; // the event is a repeat
    remember(shown, [keyOf(call_id, callee)], expires_at);
    for (const page of pages.get(callee) ?? []) {
      page.write(`event: incoming-call\ndata: ${message}\n\n`);
    }
  }
  response.status(204).end();
});

/** Sends the calls of the session's user to a page, while it is open. */
app.get("/events", signedIn, (request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(": connected\n\n");
  const open = pages.get(request.user) ?? new Set();
  pages.set(request.user, open.add(response));
  const alive = setInterval(() => response.write(": alive\n\n"), 15_000);
  response.on("close", () => {
    clearInterval(alive);
    open.delete(response);
  });
});

// --- The page -----------------------------------------------------------------------------------

const PAGE = fileURLToPath(new URL("../page/index.html", import.meta.url));
const CLIENT = fileURLToPath(import.meta.resolve("zego-token-service-client"));
/** The repository may be in a folder whose name begins with a dot. */
const FILES = { dotfiles: "allow" };
app.get("/", (_request, response) => response.sendFile(PAGE, FILES));
app.get("/token-source.js", (_request, response) => response.sendFile(CLIENT, FILES));

/** Tells the page whether to retry. The reason is for this backend's log. */
app.use((error, _request, response, _next) => {
  if (!(error instanceof TokenServiceError)) {
    const { status = 500 } = error; // Express has one for a body that is not JSON
    if (status === 500) console.error(error);
    return response.status(status).json({ detail: "The request failed." });
  }
  console.warn(`no token: ${error.message}`);
  const { code, retryable, requestId: request_id } = error;
  const detail = "The backend got no token. Its log has the reason.";
  response.status(retryable ? 503 : 403).type("application/problem+json");
  response.send(JSON.stringify({ code, detail, retryable, request_id }));
});

const server = app.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`http://localhost:${server.address().port}`);
});

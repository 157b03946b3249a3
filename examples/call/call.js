/**
 * A call between two people with ZEGO's web SDK and tokens of the local stack. `make run ZEGO=mine`
 * serves it as /call/; docs/first-call.md is the tutorial.
 *
 * It replaces three things that your app has: the sign-in, the message that someone calls (here the
 * events of the stack's page), and the import from "zego-token-service-client".
 */
import { createTokenSource } from "../token-source.js";

/** The SDK and what it needs: file and hash, its name for the others, and its global variable. */
const CDN = "https://cdn.jsdelivr.net/npm/";
const SDK = [
  ["long@5.2.0/umd/index.js", "sha384-i73xSRzONvgVpRLytDluxJDWg6DuiRAgg1iexaKAop2ReXW077OKmeeHA1sVftMp", "long", "Long"],
  ["protobufjs@7.4.0/dist/minimal/protobuf.min.js", "sha384-7mZnkURnn4KSuoPdkqoE9ZWkH/a0JfkUB91NkO6nQ+NSDc2GsM9KYqoFLF6D1p2F", "protobufjs/minimal", "protobuf"],
  ["localforage@1.10.0/dist/localforage.min.js", "sha384-MTDrIlFOzEqpmOxY6UIA/1Zkh0a64UlmJ6R0UrZXqXCPx99siPGi8EmtQjIeCcTH", "localforage", "localforage"],
  ["zego-express-logger@1.5.0/ZegoExpressLogger.js", "sha384-AJ7fDUx893TrJT20wcpU7HQWyh7vof3ceHVgyRJVW43hZy/ThRNs00JjIkiOfjOZ", "zego-express-logger", "window"],
  ["zego-express-engine-webrtc@3.12.0/ZegoExpressWebRTC.js", "sha384-UbzuETSIJyULo2NxPGkhatfOMMd5YgJR0hgdcYV0cUH9umK4qe3vPGiQHaflXYPn", "zego-express-engine-webrtc", "window"],
];
/** How long a call rings, and how long ZEGO may take to let a user in. */
const RING_MS = 60_000;
const LOGIN_MS = 20_000;

const $ = (id) => document.getElementById(id);
const say = (text) => ($("status").textContent = text);
const warn = (text = "") => ($("problem").textContent = text);

let stack, codes, source, me;
/** The call that this page is in, and the one that rings. */
let call = null;
let ringing = null;
/** Whether the page has read what happened before it was opened. */
let isLive = false;

async function start() {
  [stack, codes] = await Promise.all(["/stack", "/codes"].map(async (path) => (await fetch(path)).json()));
  if (stack.zego !== "mine") {
    say("This page makes real calls, so it needs your own ZEGO project.");
    warn("The stack runs with the stand-in for ZEGO, which carries no sound and no picture. Stop it, and start it with: make run ZEGO=mine");
    return;
  }
  try {
    if (!window.ZegoExpressEngine) for (const part of SDK) await load(...part);
  } catch (error) {
    say("ZEGO's web SDK is not loaded.");
    warn(`${error.message} Check that your browser reaches it, then reload this page.`);
    return;
  }
  $("server").placeholder = `wss://webliveroom${stack.app_id}-api.zegocloud.com/ws`; // as in ZEGO's UIKit
  const name = new URLSearchParams(location.search).get("as");
  if (name) return signIn(name);
  say("Sign in as alice here, and as bob in a second window.");
  $("sign-in").hidden = false;
}

async function load(file, integrity, name, variable) {
  const script = Object.assign(document.createElement("script"), { src: CDN + file, integrity, crossOrigin: "anonymous" });
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${script.src} cannot be loaded, or is not the expected file.`));
    document.head.append(script);
  });
  window[name] = window[variable];
}

/** Your app has a session instead. The development identity provider has one password for all. */
async function logIn(username) {
  const body = new URLSearchParams({ grant_type: "password", username, password: stack.password });
  const response = await fetch(`${stack.identity_provider}/token`, { method: "POST", body });
  return (await response.json()).access_token;
}

async function signIn(name) {
  source = createTokenSource({ url: stack.api, getBearer: () => logIn(name) });
  me = name;
  history.replaceState(null, "", `?as=${encodeURIComponent(name)}`);
  document.title = `${name}: a call`;
  $("sign-in").hidden = true;
  const events = new EventSource("/events");
  events.addEventListener("incoming-call", ({ data }) => ring(JSON.parse(data)));
  events.addEventListener("up-to-date", () => (isLive = true));
  events.addEventListener("signal", ({ data }) => signalled(JSON.parse(data)));
  idle(`You are ${me}.`);
}

function idle(text) {
  say(text);
  $("dial").hidden = false;
  $("incoming").hidden = $("call").hidden = true;
  $("callee").value ||= me === "alice" ? "bob" : "alice";
}

// --- Ringing ---------------------------------------------------------------------------------------

function ring({ call_id: callId, room_id: roomId, caller, callees, called_at: calledAt }) {
  const left = calledAt * 1000 + RING_MS - Date.now();
  if (!callees.includes(me) || left <= 0 || call || ringing?.callId === callId) return; // it may come twice
  ringing = { callId, roomId, caller };
  $("caller").textContent = `${caller} calls you.`;
  $("incoming").hidden = false;
  setTimeout(() => ringing?.callId === callId && stopRinging(`You missed a call from ${caller}.`), left);
}

function stopRinging(text) {
  const { callId } = ringing;
  ringing = null;
  $("incoming").hidden = true;
  if (text) say(text);
  return callId;
}

/** Tells the other's page. Your app uses its own server for this. */
function signal(callId, said) {
  const body = JSON.stringify({ call_id: callId, user_id: me, said });
  fetch("/signal", { method: "POST", headers: { "content-type": "application/json" }, body, keepalive: true });
}

function signalled({ call_id: callId, user_id: userId, said }) {
  if (said === "joined" && userId !== me) return;
  if (ringing?.callId === callId) stopRinging(isLive && userId !== me && `${userId} has hung up.`);
  if (call?.callId === callId && userId !== me) leave(said === "declined" ? `${userId} has declined.` : `${userId} has hung up.`);
}

// --- The call --------------------------------------------------------------------------------------

async function dial(callee) {
  say(`Calling ${callee}.`);
  await attempt(async () => {
    const issued = await source.startCall({ callees: [callee] });
    if (!issued.eventAccepted) warn(`The stack could not tell ${callee} about the call.`);
    await enter(issued, issued.callId, callee);
    const { left } = call;
    const unanswered = setTimeout(() => $("remote").srcObject || say(`${callee} has not accepted.`), RING_MS);
    left.signal.addEventListener("abort", () => clearTimeout(unanswered));
  });
}

async function accept() {
  const { callId, roomId, caller } = ringing;
  stopRinging();
  signal(callId, "joined"); // other windows of this user stop ringing
  await attempt(async () => enter(await source.token({ roomId }), callId, caller));
}

/** Runs a step. If the token service refuses it, says why. */
async function attempt(step) {
  warn();
  $("dial").hidden = true;
  try {
    await step();
  } catch (error) {
    leave("The call has ended.");
    warn(error.message);
  }
}

async function enter(issued, callId, other) {
  const { appId, roomId, userId, token } = issued;
  const engine = new ZegoExpressEngine(appId, $("server").value.trim() || $("server").placeholder);
  call = { callId, other, engine, stream: null };
  $("other").textContent = other;
  $("call").hidden = false;
  const slow = setTimeout(() => {
    warn("ZEGO does not let you in. Compare the server address with ZEGO's console (hang up to change it), and check that your network allows WebSockets.");
  }, LOGIN_MS);
  const { signal: left } = (call.left = new AbortController());
  left.addEventListener("abort", () => clearTimeout(slow));

  engine.on("roomStateChanged", (_room, state, code) => {
    if (left.aborted) return;
    if (state === "LOGINING") say("Entering the room at ZEGO.");
    if (state === "RECONNECTING") say("The connection is lost. ZEGO's SDK reconnects.");
    if (state === "LOGINED" || state === "RECONNECTED") {
      clearTimeout(slow);
      warn();
      say(`You are in the room. Waiting for ${other}.`);
      publish(call).catch((error) => warn(error.message ?? error.msg));
    }
    if (["LOGIN_FAILED", "RECONNECT_FAILED", "KICKOUT"].includes(state)) {
      clearTimeout(slow);
      say("You are not in the room.");
      warn(meaningOf(code));
    }
  });
  engine.on("roomStreamUpdate", async (_room, change, [{ streamID }]) => {
    if (change !== "ADD") return;
    $("remote").srcObject = await engine.startPlayingStream(streamID);
    say(`You are talking with ${other}.`);
  });
  engine.on("roomUserUpdate", (_room, change, users) => {
    if (change === "DELETE" && users.some(({ userID }) => userID === other)) leave(`${other} has left.`);
  });

  // Renews the token; if ZEGO refuses it, gets another one and logs in again.
  const config = { userUpdate: true }; // for roomUserUpdate
  const onError = ({ message }) => warn(`${$("problem").textContent} ${message}`);
  call.unbind = source.bindTo(engine, { roomId, userName: me, roomConfig: config, onError });
  engine.loginRoom(roomId, token, { userID: userId, userName: me }, config).catch(() => {
    // roomStateChanged has the code, and bindTo may be logging in again
  });
}

async function publish(mine) {
  if (mine.stream) return; // after a reconnection
  for (const camera of [{ audio: true, video: true }, { audio: true, video: false }]) {
    mine.stream ??= await mine.engine.createStream({ camera }).catch(() => null);
  }
  if (!mine.stream) {
    warn(`${mine.other} cannot see or hear you: this browser has no camera and no microphone, or you did not allow them for this page. Allow both in the address bar, and call again.`);
  } else if (mine === call) {
    $("local").srcObject = mine.stream;
    mine.engine.startPublishingStream(crypto.randomUUID(), mine.stream);
  } else {
    mine.engine.destroyStream(mine.stream); // hung up meanwhile
  }
}

function meaningOf(code) {
  const known = codes[code];
  return known ? `ZEGO refused (${code}): ${known.meaning} ${known.remedy}` : `ZEGO's web SDK reports the code ${code}. To see what it means: zego-token explain ${code}`;
}

function leave(text) {
  const mine = call;
  call = null;
  if (mine) {
    mine.left.abort();
    mine.unbind();
    if (mine.stream) mine.engine.destroyStream(mine.stream);
    mine.engine.logoutRoom();
    mine.engine.destroyEngine();
  }
  $("remote").srcObject = $("local").srcObject = null;
  idle(text);
}

function hangUp() {
  signal(call.callId, "ended");
  warn();
  leave("You have hung up.");
}

$("sign-in").onsubmit = (event) => (event.preventDefault(), signIn($("name").value.trim()));
$("dial").onsubmit = (event) => (event.preventDefault(), dial($("callee").value.trim()));
$("accept").onclick = accept;
$("decline").onclick = () => signal(stopRinging("You have declined."), "declined");
$("hang-up").onclick = hangUp;
addEventListener("pagehide", () => call && hangUp());
start().catch(() => warn("The stack does not respond. Check that make run is running, then reload this page."));

/** A server on loopback that sends scripted responses, then those of the service. */

import { createServer } from "node:http";
import { once } from "node:events";

export class Server {
  /** The requests received, each with its time in the world's milliseconds. */
  requests = [];
  #world;
  #script = [];
  #issued = 0;
  #http = createServer((request, response) => this.#respond(request, response));

  constructor(world) {
    this.#world = world;
  }

  static async start(t, world) {
    const server = new Server(world);
    server.#http.listen(0, "127.0.0.1");
    await once(server.#http, "listening");
    t.after(() => {
      server.#http.close();
      server.#http.closeAllConnections();
    });
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.#http.address().port}`;
  }

  get bodies() {
    return this.requests.map(({ body }) => JSON.parse(body));
  }

  /** The seconds from each request to the next, by the world's clock. */
  get waits() {
    const times = this.requests.map(({ atMs }) => atMs / 1000);
    return times.slice(1).map((time, n) => time - times[n]);
  }

  /** Adds responses to send, in order; after them it issues tokens. */
  answer(...answers) {
    this.#script.push(...answers);
  }

  async #respond(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url: path, headers } = request;
    const body = Buffer.concat(chunks).toString();
    this.requests.push({ method, path, headers, body, atMs: this.#world.elapsedMs });
    const answer = this.#script.shift() ?? issued();
    const document = path.endsWith("/calls") ? "call" : "issue";
    answer(response, this[document](JSON.parse(body)), this.#world);
  }

  /** A new token, as the service issues it. */
  issue({ room_id = null, privileges, stream_ids = null, lifetime_seconds = 7200 }) {
    this.#issued += 1;
    const issuedAt = this.#world.serverTime;
    const expiresAt = issuedAt + lifetime_seconds;
    return {
      token: tokenOf(expiresAt, this.#issued),
      app_id: 1234567890,
      user_id: "alice",
      room_id,
      privileges: {
        login: privileges?.includes("login") ?? true,
        publish: privileges?.includes("publish") ?? true,
      },
      stream_ids,
      issued_at: issuedAt,
      expires_at: expiresAt,
      renew_at: expiresAt - Math.max(30, Math.min(300, Math.floor(lifetime_seconds / 10))),
      request_id: `request-${this.#issued}`,
    };
  }

  /** A new room and a token for it, as the service returns them. */
  call({ callees = [], ...body }) {
    const call_id = String(this.#issued).padStart(32, "0");
    const issued = this.issue({ ...body, room_id: `call_${call_id}` });
    return { ...issued, call_id, callees, event_accepted: callees.length > 0 || null };
  }
}

/** A string that ZEGO's SDK reads as a Token04: its expiry, then bytes that only ZEGO can read. */
export function tokenOf(expiresAt, number) {
  const binary = Buffer.alloc(90, number);
  binary.writeBigInt64BE(BigInt(expiresAt));
  return `04${binary.toString("base64")}`;
}

/** A response with a token; `changes` replace fields. */
export const issued =
  (changes = {}) =>
  (response, document) =>
    send(response, 201, "application/json", { ...document, ...changes });

/** A refusal of the service. */
export const problem =
  (status, code, { headers = {}, ...changes } = {}) =>
  (response) => {
    const document = { status, code, detail: `Of ${code}.`, request_id: "request-of-a-problem" };
    const retryable = status >= 500;
    const help = `https://tokens.example.com/v1/problems#${code}`;
    send(
      response,
      status,
      "application/problem+json",
      { ...document, retryable, help, ...changes },
      headers,
    );
  };

/** A refusal of API Gateway. */
export const gateway =
  (status, message, headers = {}) =>
  (response) =>
    send(response, status, "application/json", { message }, headers);

/** A response with any text. */
export const text = (status, type, body) => (response) => send(response, status, type, body);

/** No response at all. */
export const hang = (response, _, world) => {
  world.hanging += 1;
  response.on("close", () => (world.hanging -= 1));
};

/** A response that is cut short. */
export const cutShort = (response, document) => {
  const whole = JSON.stringify(document);
  response.writeHead(201, { "content-type": "application/json", "content-length": whole.length });
  response.write(whole.slice(0, 60), () => response.destroy());
};

function send(response, status, type, body, headers = {}) {
  response.writeHead(status, { "content-type": type, ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

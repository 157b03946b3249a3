/** A server on loopback that sends the responses of tests/clients/cases.json, byte for byte. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, STATUS_CODES } from "node:http";
import { createServer as createTcpServer } from "node:net";

const FILE = new URL("../../../../tests/clients/cases.json", import.meta.url);
export const cases = JSON.parse(await readFile(FILE, "utf8"));

/** @returns a document of the cases with changes, without the values that are "(missing)" */
export function documentOf(kind, changes = {}) {
  const merged = Object.entries({ ...cases.documents[kind], ...changes });
  return Object.fromEntries(merged.filter(([, value]) => value !== "(missing)"));
}

/** The bytes that a case describes. */
function bytesOf({ raw, status = 201, type, text, headers = {}, issued, problem, gateway }) {
  if (raw !== undefined) return raw;
  let body = text;
  if (issued) body = JSON.stringify(documentOf("issued", issued));
  if (problem) body = JSON.stringify({ ...documentOf("problem", problem), status });
  if (gateway) body = JSON.stringify({ message: gateway });
  const named = {
    "Content-Length": Buffer.byteLength(body),
    "Content-Type": type ?? (problem ? "application/problem+json" : "application/json"),
    Connection: "close",
    ...headers,
  };
  const lines = Object.entries(named).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, "", body].join("\r\n");
}

/** Sends each response once, in order, and repeats the last one. */
export async function serving(t, ...replies) {
  const received = [];
  const parser = createServer((request, response) => respond(request, response));
  const server = createTcpServer((socket) => parser.emit("connection", socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const sockets = new Set();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => {})));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  async function respond(request) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url, headers } = request;
    const reply = replies[Math.min(received.length, replies.length - 1)];
    received.push({ method, url, headers, body: JSON.parse(Buffer.concat(chunks).toString()) });
    if (reply === "silence") return;
    const bytes = typeof reply === "object" ? bytesOf(reply) : await reply();
    request.socket.end(bytes);
  }

  return { url: `http://127.0.0.1:${server.address().port}/`, received };
}

// Uses the types of openapi-typescript with openapi-fetch, and prints each response as its type has it.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Refusal<Status extends keyof paths["/v1/tokens"]["post"]["responses"]> =
  paths["/v1/tokens"]["post"]["responses"][Status] extends { content: { "application/problem+json": infer Problem } }
    ? Problem
    : never;

declare const process: { env: Record<string, string> };
declare const console: { log(text: string): void };

const headers = { authorization: `Bearer ${process.env.BEARER}` };
const signedIn = createClient<paths>({ baseUrl: process.env.API, headers });
const stranger = createClient<paths>({ baseUrl: process.env.API });
const throttled = createClient<paths>({ baseUrl: process.env.THROTTLED_API, headers });

const code: Refusal<422>["code"] = "lifetime_out_of_range";
// @ts-expect-error  another status has this code
const another: Refusal<422>["code"] = "bearer_expired";
// @ts-expect-error  no request has this field
const unknown: components["schemas"]["TokenRequest"] = { colour: 1 };
void [code, another, unknown];

for (const [client, body] of [
  [signedIn, { room_id: "call_1" }],
  [stranger, { room_id: "call_1" }],
  [signedIn, { room_id: "board_room" }],
  [signedIn, { lifetime_seconds: 10 }],
  [throttled, { room_id: "call_1" }],
] as const) {
  const { data, error, response } = await client.POST("/v1/tokens", { body });
  const told = data ? data.privileges : error && "code" in error ? error.code : error?.message;
  console.log(JSON.stringify([response.status, told]));
}
const { data } = await signedIn.POST("/api/v1/calls/initiate", { body: {} });
console.log(JSON.stringify([201, data?.zegoRoom.roomId.slice(0, 5)]));
const begin = () =>
  signedIn.POST("/v1/calls", {
    body: { callees: ["bob"] },
    params: { header: { "Idempotency-Key": "made-up-key" } },
  });
const [first, again] = [(await begin()).data, (await begin()).data];
console.log(JSON.stringify([first?.callees, first?.event_accepted, first?.call_id === again?.call_id]));

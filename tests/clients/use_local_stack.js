// A frontend for the local stack. It reads {api, bearer} and prints what it got.

import { text } from "node:stream/consumers";

import { createTokenSource, kitToken, TokenError } from "../../clients/javascript/token-source.js";

const { api, bearer } = JSON.parse(await text(process.stdin));
const asked = [];
let present = `${bearer.slice(0, -4)}AAAA`; // with a wrong signature
const source = createTokenSource({
  url: api,
  getBearer({ refresh }) {
    asked.push(refresh);
    if (refresh) present = bearer;
    return present;
  },
});

const request = { roomId: "call_1", privileges: ["publish", "login"], lifetimeSeconds: 600 };
const first = await source.token(request);
const cached = await source.token(request);
const fresh = await source.token({ ...request, refusedWith: 1102016 });
const identity = await source.token();
const call = await source.startCall();
const ofCall = await source.token({ roomId: call.roomId });
const renewed = await source.token({ roomId: call.roomId, refresh: true });
const refusal = await source.token({ roomId: "of_another" }).catch((error) => error);
source.close();

const kit = kitToken(first, { userName: "Alice Ångström" });
const problem = refusal instanceof TokenError && { ...refusal, message: refusal.message };
const isCached = cached === first && ofCall === call;
console.log(
  JSON.stringify({ asked, first, isCached, fresh, identity, call, renewed, kit, problem }),
);

/** Starts a token source and its server in their own world. */

import { createTokenSource } from "../../token-source.js";
import { Server } from "./server.js";
import { World } from "./world.js";

export async function start(t, options = {}) {
  const world = new World();
  const server = await Server.start(t, world);
  const { platform } = world;
  const getBearer = () => "bearer-of-alice";
  const source = createTokenSource({ url: server.url, getBearer, platform, ...options });
  t.after(() => source.close());
  const token = (request) => world.settle(source.token(request));
  const failure = (request) => world.failure(source.token(request));
  return { world, server, source, token, failure };
}

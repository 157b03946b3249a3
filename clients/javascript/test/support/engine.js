/** The test engine in a world, whose clock the tests can set behind the service's. */

import { TestEngine } from "../../testing.js";

export class Engine extends TestEngine {
  /** How far the client's clock, which it uses, is behind the service's. */
  behindSeconds = 0;

  constructor(world, { isMultiRoom = false } = {}) {
    const now = () => 1000 * (world.serverTime - this.behindSeconds);
    super(1234567890, "wss://example.com/ws", {
      platform: {
        Date: { now },
        setTimeout: (...timer) => world.platform.setTimeout(...timer),
        clearTimeout: (timer) => world.platform.clearTimeout(timer),
      },
    });
    this.enableMultiRoom(isMultiRoom);
  }
}

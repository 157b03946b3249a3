// Replaces zego-express-engine-webrtc with the fake of the client's tests.

import { Engine } from "./engine.js";

export const engines = [];

export class ZegoExpressEngine extends Engine {
  /** Emits tokenWillExpire for the last token at once. */
  expire = undefined;

  constructor(appId, server) {
    const platform = {
      setTimeout: (callback, ms) => (ms > 0 ? (this.expire = callback) : setTimeout(callback)),
      clearTimeout: () => {},
    };
    super({ platform, serverTime: Date.now() / 1000 });
    Object.assign(this, { appId, server });
    engines.push(this);
  }
}

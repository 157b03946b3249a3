// In the place of zego-express-engine-webrtc: the fake of the client's own tests, made as the SDK is.

import { Engine } from "./engine.js";

export const engines = [];

export class ZegoExpressEngine extends Engine {
  /** Says tokenWillExpire for the last token, without the wait for it. */
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

// Replaces zego-express-engine-webrtc with the client's engine for tests.

import { TestEngine } from "zego-token-service-client/testing";

export const engines = [];

export class ZegoExpressEngine extends TestEngine {
  constructor(...given) {
    super(...given);
    engines.push(this);
  }
}

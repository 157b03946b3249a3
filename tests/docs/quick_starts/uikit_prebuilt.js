// Replaces @zegocloud/zego-uikit-prebuilt and records what it gets.

export const kits = [];

export class ZegoUIKitPrebuilt {
  static GroupCall = "GroupCall";
  renewals = [];

  static create(kitToken) {
    const kit = new ZegoUIKitPrebuilt();
    kit.kitToken = kitToken;
    kits.push(kit);
    return kit;
  }

  joinRoom(config) {
    this.config = config;
  }

  renewToken(kitToken) {
    this.renewals.push(kitToken);
    return false; // as with ZIM, even if it succeeded
  }
}

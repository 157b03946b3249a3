// In the place of @zegocloud/zego-uikit-prebuilt: what it is given.

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
    return false; // as with ZIM, whatever comes of it
  }
}

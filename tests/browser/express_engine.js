/**
 * Replaces ZEGO's web SDK in pages of tests: its logins go to a stand-in's rooms, and its streams
 * are empty. `zegoRooms` is that stand-in's address. It has only what examples/call uses.
 */
window.ZegoExpressEngine = class {
  #listeners = {};
  #session = null;
  #events = null;
  #others = [];

  constructor(appID, server) {
    Object.assign(this, { appID, server });
    window.engines = [...(window.engines ?? []), this];
  }

  on(event, callback) {
    (this.#listeners[event] ??= []).push(callback);
  }

  off(event, callback) {
    this.#listeners[event] = (this.#listeners[event] ?? []).filter((each) => each !== callback);
  }

  #emit(event, ...details) {
    for (const callback of this.#listeners[event] ?? []) callback(...details);
  }

  async #post(path, content) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${zegoRooms}/v1/rooms/${path}`, { method: "POST", headers, body: JSON.stringify(content) });
    return response.json();
  }

  async loginRoom(roomID, token, { userID }) {
    this.#emit("roomStateChanged", roomID, "LOGINING", 0);
    const answer = await this.#post("login", { app_id: this.appID, user_id: userID, room_id: roomID, token });
    if (answer.code) {
      this.#emit("roomStateChanged", roomID, "LOGIN_FAILED", answer.code);
      throw answer;
    }
    this.#session = answer.session;
    this.#emit("roomStateChanged", roomID, "LOGINED", 0);
    this.#events = new EventSource(`${zegoRooms}/v1/rooms/events?session=${answer.session}`);
    this.#events.addEventListener("users", ({ data }) => this.#users(roomID, userID, JSON.parse(data).users));
    this.#events.addEventListener("ended", ({ data }) => {
      this.#events.close();
      this.#emit("roomStateChanged", roomID, "KICKOUT", JSON.parse(data).code);
    });
    return true;
  }

  #users(roomID, userID, users) {
    const others = users.filter((user) => user !== userID);
    const changed = (now, before) => now.filter((user) => !before.includes(user)).map((user) => ({ userID: user }));
    const [added, gone] = [changed(others, this.#others), changed(this.#others, others)];
    this.#others = others;
    for (const { userID: streamID } of added) this.#emit("roomStreamUpdate", roomID, "ADD", [{ streamID }]);
    if (gone.length) this.#emit("roomUserUpdate", roomID, "DELETE", gone);
  }

  renewToken(token) {
    this.#post("renew", { session: this.#session, token });
    return true;
  }

  logoutRoom() {
    this.#events?.close();
    if (this.#session) this.#post("logout", { session: this.#session });
    this.#session = null;
  }

  createStream = async () => new MediaStream();
  startPlayingStream = async () => new MediaStream();
  startPublishingStream(streamID) {
    this.published = streamID;
    return true;
  }
  destroyStream() {}
  destroyEngine() {
    this.destroyed = true;
  }
};

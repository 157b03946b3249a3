/** A platform for a client under test: the test controls clocks, timers, randomness and network. */

const START_MS = 1_700_000_000_000;
const MOST_TIMERS = 1_000;

export class World {
  /** How far the client's wall clock is ahead of the service's. */
  skewMs = 0;
  random = 0.5;
  /** The number of requests that the server never responds to. */
  hanging = 0;
  #elapsedMs = 0;
  #sleptMs = 0;
  #online = true;
  #inFlight = 0;
  #timers = new Map();
  #lastTimer = 0;
  #fired = 0;
  #events = new EventTarget();

  /** The `platform` of a token source. */
  platform = {
    Date: { now: () => START_MS + this.skewMs + this.#elapsedMs },
    performance: { now: () => this.#elapsedMs - this.#sleptMs },
    Math: { random: () => this.random },
    crypto: globalThis.crypto,
    navigator: Object.defineProperty({}, "onLine", { get: () => this.#online }),
    setTimeout: (callback, ms) => {
      this.#lastTimer += 1;
      this.#timers.set(this.#lastTimer, { at: this.#elapsedMs + ms, callback });
      return this.#lastTimer;
    },
    clearTimeout: (timer) => this.#timers.delete(timer),
    addEventListener: (...listener) => this.#events.addEventListener(...listener),
    fetch: (...request) => this.#fetch(...request),
  };

  /** The service's clock, Unix seconds. */
  get serverTime() {
    return Math.floor((START_MS + this.#elapsedMs) / 1000);
  }

  get elapsedMs() {
    return this.#elapsedMs;
  }

  get timers() {
    return this.#timers.size;
  }

  goOffline() {
    this.#online = false;
  }

  goOnline() {
    this.#online = true;
    this.#events.dispatchEvent(new Event("online"));
  }

  /** Lets time pass and runs the timers that are due. */
  async pass(seconds) {
    const until = this.#elapsedMs + seconds * 1000;
    await this.quiet();
    while (this.#nextTimer()?.[1].at <= until) {
      this.#fire();
      await this.quiet();
    }
    this.#elapsedMs = until;
  }

  /** Time passes while the machine sleeps: its monotonic clock and its timers stop. */
  sleep(seconds) {
    this.#elapsedMs += seconds * 1000;
    this.#sleptMs += seconds * 1000;
    for (const timer of this.#timers.values()) timer.at += seconds * 1000;
  }

  /** The result of a promise. Time passes whenever nothing else can happen. */
  async settle(promise) {
    let isOpen = true;
    const close = () => (isOpen = false);
    promise.then(close, close);
    for (;;) {
      await this.quiet();
      if (!isOpen) return promise;
      if (!this.#nextTimer()) throw new Error("no timer is left and the promise is pending");
      this.#fire();
    }
  }

  /** The error that a promise is rejected with. */
  async failure(promise) {
    const [outcome] = await this.settle(Promise.allSettled([promise]));
    if (outcome.status === "fulfilled") throw new Error("the promise was not rejected");
    return outcome.reason;
  }

  /** Waits until nothing can happen unless time passes. */
  async quiet() {
    for (let still = 0; still < 3; still = this.#inFlight === this.hanging ? still + 1 : 0) {
      await new Promise(setImmediate);
    }
  }

  #nextTimer() {
    return [...this.#timers].sort(([, a], [, b]) => a.at - b.at)[0];
  }

  #fire() {
    this.#fired += 1;
    if (this.#fired > MOST_TIMERS) throw new Error("too many timers fired: an endless loop?");
    const [timer, { at, callback }] = this.#nextTimer();
    this.#timers.delete(timer);
    this.#elapsedMs = Math.max(this.#elapsedMs, at);
    callback();
  }

  /** Sends a real request; offline it fails like a browser's fetch. */
  async #fetch(...request) {
    if (!this.#online) throw new TypeError("Failed to fetch");
    this.#inFlight += 1;
    try {
      const answer = await fetch(...request);
      const { body } = answer;
      const getReader = () => {
        const reader = body.getReader();
        const end = () => (this.#inFlight -= 1);
        reader.closed.then(end, end);
        return reader;
      };
      return Object.defineProperty(answer, "body", { value: { getReader } });
    } catch (error) {
      this.#inFlight -= 1;
      throw error;
    }
  }
}

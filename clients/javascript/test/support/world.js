/** The platform of a client under test: clocks, timers, chance and network that the test holds. */

const START_MS = 1_700_000_000_000;
const MOST_TIMERS = 1_000;

export class World {
  /** How far the client's wall clock is ahead of the service's. */
  skewMs = 0;
  random = 0.5;
  /** Requests that the server has and does not answer. */
  hanging = 0;
  #elapsedMs = 0;
  #sleptMs = 0;
  #online = true;
  #inFlight = 0;
  #timers = new Map();
  #lastTimer = 0;
  #fired = 0;
  #events = new EventTarget();

  /** What a token source takes as `platform`. */
  platform = {
    Date: { now: () => START_MS + this.skewMs + this.#elapsedMs },
    performance: { now: () => this.#elapsedMs - this.#sleptMs },
    Math: { random: () => this.random },
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

  /** Lets time pass, and what is due happen. */
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

  /** What a promise comes to, with time passing whenever nothing else can happen. */
  async settle(promise) {
    let isOpen = true;
    const close = () => (isOpen = false);
    promise.then(close, close);
    for (;;) {
      await this.quiet();
      if (!isOpen) return promise;
      if (!this.#nextTimer()) throw new Error("nothing can happen any more");
      this.#fire();
    }
  }

  /** The error that a promise is rejected with. */
  async failure(promise) {
    const [outcome] = await this.settle(Promise.allSettled([promise]));
    if (outcome.status === "fulfilled") throw new Error("it was to be rejected");
    return outcome.reason;
  }

  /** Until nothing happens without time passing. */
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
    if (this.#fired > MOST_TIMERS) throw new Error("it goes round in circles");
    const [timer, { at, callback }] = this.#nextTimer();
    this.#timers.delete(timer);
    this.#elapsedMs = Math.max(this.#elapsedMs, at);
    callback();
  }

  /** A real request, until its body is read; offline, what a browser's fetch then does. */
  async #fetch(...request) {
    if (!this.#online) throw new TypeError("Failed to fetch");
    this.#inFlight += 1;
    try {
      const answer = await fetch(...request);
      const read = answer.text.bind(answer);
      answer.text = () => read().finally(() => (this.#inFlight -= 1));
      return answer;
    } catch (error) {
      this.#inFlight -= 1;
      throw error;
    }
  }
}

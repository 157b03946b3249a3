/**
 * Runs in the page before any of its scripts: writes down what ZEGO's web SDK does with its timers
 * and connections, and has what `zego_web_sdk.py` drives.
 */
(() => {
  const { setTimeout, clearTimeout } = window; // of the clock that the test moves
  const sdk = (window.sdk = { blocked: [], uncaught: [] });

  addEventListener("securitypolicyviolation", (event) => sdk.blocked.push(event.blockedURI));
  addEventListener("unhandledrejection", (event) => sdk.uncaught.push(event.reason?.name));

  // Of the SDK's dozens of timers, those that say tokenWillExpire.
  window.setTimeout = (callback, ms, ...rest) => {
    if (!String(callback).includes('"tokenWillExpire"')) return setTimeout(callback, ms, ...rest);
    const timer = { ms, state: "armed" };
    const fire = () => {
      timer.state = "fired";
      callback(...rest);
    };
    timer.id = setTimeout(fire, ms);
    sdk.timers.push(timer);
    return timer.id;
  };
  window.clearTimeout = (id) => {
    const timer = sdk.timers?.find((each) => each.id === id);
    if (timer?.state === "armed") timer.state = "cleared";
    clearTimeout(id);
  };

  /** A new engine; what the one before it did is forgotten. */
  sdk.start = (appId, server) => {
    sdk.engine?.logoutRoom(); // of all
    sdk.engine?.destroyEngine();
    const said = [];
    Object.assign(sdk, { timers: [], said, uncaught: [], outcome: null });
    sdk.engine = new ZegoExpressEngine(appId, server);
    for (const event of ["tokenWillExpire", "roomStateChanged"]) {
      sdk.engine.on(event, (...details) => said.push([event, ...details]));
    }
  };

  /** The outcome is null until the SDK has one: a code, or 0. */
  sdk.logIn = (roomId, token, userId) => {
    sdk.outcome = null;
    const settle = (code) => (sdk.outcome = code);
    const login = sdk.engine.loginRoom(roomId, token, { userID: userId });
    login.then(() => settle(0), ({ code }) => settle(code));
  };
})();

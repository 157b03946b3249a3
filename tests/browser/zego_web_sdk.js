/**
 * Runs in the page before any of its scripts. It records the timers and connections of ZEGO's web
 * SDK and defines the functions that `zego_web_sdk.py` calls.
 */
(() => {
  const { setTimeout, clearTimeout } = window; // these use the clock that the test moves
  const sdk = (window.sdk = { blocked: [], uncaught: [] });

  addEventListener("securitypolicyviolation", (event) => sdk.blocked.push(event.blockedURI));
  addEventListener("unhandledrejection", (event) => sdk.uncaught.push(event.reason?.name));

  // Records only those of the SDK's many timers that emit tokenWillExpire.
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

  /** Creates a new engine and forgets what the previous one did. */
  sdk.start = (appId, server) => {
    sdk.engine?.logoutRoom(); // all rooms
    sdk.engine?.destroyEngine();
    const said = [];
    Object.assign(sdk, { timers: [], said, uncaught: [], outcome: null });
    sdk.engine = new ZegoExpressEngine(appId, server);
    for (const event of ["tokenWillExpire", "roomStateChanged"]) {
      sdk.engine.on(event, (...details) => said.push([event, ...details]));
    }
  };

  /** Logs in. The outcome is null until the SDK returns a code, or 0. */
  sdk.logIn = (roomId, token, userId) => {
    sdk.outcome = null;
    const settle = (code) => (sdk.outcome = code);
    const login = sdk.engine.loginRoom(roomId, token, { userID: userId });
    login.then(() => settle(0), ({ code }) => settle(code));
  };
})();

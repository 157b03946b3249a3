/**
 * A React hook that keeps a user in a room. Types and meanings are in react.d.ts.
 *
 * @module
 */

/**
 * @import { RoomError, RoomOptions } from "./react.js"
 */

import { useEffect, useState } from "react";

/** @type {typeof import("./react.js").useRoom} */
export function useRoom(engine, source, options) {
  if (!("roomId" in Object(options))) {
    throw new TypeError("useRoom needs { roomId }; without a room, roomId is null");
  }
  const [state, setState] = useState("LOGOUT");
  const [error, setError] = useState(/** @type {RoomError | null} */ (null));
  const key = JSON.stringify(options); // an equal object of another render is no other room
  useEffect(() => {
    /** @type {RoomOptions} */
    const { roomId, userName, roomConfig, ...request } = JSON.parse(key);
    if (!engine || !source || !roomId) return;
    const leaving = new AbortController();
    const { signal } = leaving;
    /** @param {RoomError} error */
    const onError = (error) => signal.aborted || setError(error);
    const onRenewed = () => setError(null);
    /** @param {string} room @param {string} state */
    const onState = (room, state) => {
      if (room !== roomId) return;
      setState(state);
      if (state === "LOGINED") setError(null);
    };
    let unbind = () => {};
    const enter = async () => {
      const { token, userId } = await source.token({ ...request, roomId, signal });
      if (signal.aborted) return;
      const binding = { ...request, roomId, userName, roomConfig, onError, onRenewed };
      unbind = source.bindTo(engine, binding);
      await engine.loginRoom(roomId, token, { userID: userId, userName }, roomConfig);
    };
    engine.on("roomStateChanged", onState);
    enter().catch(onError);
    return () => {
      leaving.abort();
      unbind();
      engine.off("roomStateChanged", onState);
      try {
        engine.logoutRoom(roomId);
      } catch {} // the engine is in another room and has not entered this one
      setState("LOGOUT");
      setError(null);
    };
  }, [engine, source, key]);
  return { state, error };
}

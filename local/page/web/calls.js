/** The calls that the page knows of: from the events of the service and the signals of phones. */

import { hear } from "./live.js";
import { post } from "./stack.js";
import { now } from "./times.js";

/** How long a phone rings. */
export const RING_SECONDS = 60;
/** For so long after it began, a person who lost a call may return to it. */
const RETURN_SECONDS = 3_600;

const calls = new Map();
const listeners = [];

/** Calls the listener after every change of a call. */
export const onCalls = (listener) => listeners.push(listener);

hear("incoming-call", ({ call_id: callId, room_id: roomId, caller, callees, called_at: at }) => {
  know({ callId, roomId, caller, callees, at });
  changed();
});

hear("signal", ({ call_id: callId, user_id: userId, said }) => {
  calls.get(callId)?.said.set(userId, said);
  changed();
});

/** Returns the call, which is new or, as events may come twice, known already. */
export function know(call) {
  if (!calls.has(call.callId)) calls.set(call.callId, { ...call, said: new Map() });
  return calls.get(call.callId);
}

/** Reports to the others that this user has `joined`, `declined` or `ended` the call. */
export async function signal(call, userId, said) {
  call.said.set(userId, said);
  const answer = await post("The stack", "/signal", { call_id: call.callId, user_id: userId, said });
  if (!answer.ok) throw new Error((await answer.json()).error);
}

/** The newest call that rings for this user. */
export const ringingFor = (userId) =>
  newest(
    (call) =>
      call.callees.includes(userId) &&
      !call.said.has(userId) &&
      call.said.get(call.caller) !== "ended" &&
      now() < call.at + RING_SECONDS,
  );

/** The newest call that this user has joined and not ended, and that others may still be in. */
export const openFor = (userId) =>
  newest(
    (call) =>
      (call.caller === userId ? !hasLeft(call, userId) : call.said.get(userId) === "joined") &&
      now() < call.at + RETURN_SECONDS &&
      !othersOf(call, userId).every((other) => hasLeft(call, other)),
  );

export const othersOf = ({ caller, callees }, userId) =>
  [caller, ...callees].filter((one) => one !== userId);

/** Whether this user has declined or ended the call. */
export const hasLeft = ({ said }, userId) => ["declined", "ended"].includes(said.get(userId));

const newest = (matches) => [...calls.values()].reverse().find(matches);

function changed() {
  for (const listener of listeners) listener();
}

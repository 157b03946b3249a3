import type { Binding, TokenError, TokenRequest, TokenSource, ZegoEngine } from "./token-source.js";

/** The room to be in, and what its token is for. */
export interface RoomOptions
  extends Omit<TokenRequest, "roomId">, Pick<Binding, "userName" | "roomConfig"> {
  /** null or undefined: in no room. */
  roomId: string | null | undefined;
}

/** Why there is no token, or the error with which the SDK's login failed. */
export type RoomError = TokenError | { readonly code: number | string; readonly msg?: string };

/**
 * Stays in the room while the component is mounted, and leaves it if the room changes. It requests
 * the token, logs in, renews the token, and logs in again if ZEGO refuses it (`bindTo`).
 *
 * Create the engine and the source once, outside of components. While one of them is null, it does
 * nothing.
 *
 * @returns `state`: the SDK's last state in `roomStateChanged`, such as `"LOGINED"`; `"LOGOUT"`
 *   outside of a room. `error`: the last error, until a login or renewal succeeds.
 */
export function useRoom(
  engine: (ZegoEngine & { logoutRoom(roomID?: string): unknown }) | null,
  source: TokenSource | null,
  options: RoomOptions,
): { state: string; error: RoomError | null };

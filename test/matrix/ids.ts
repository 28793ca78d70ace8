/** Ids for tests. */
import { asEventId, asRoomAlias, asRoomId, asUserId } from "../../src/core/ids.ts";

function need<T>(id: T | undefined): T {
  if (id === undefined) throw new Error("not an id");
  return id;
}

export const user = (text: string) => need(asUserId(text));
export const room = (text: string) => need(asRoomId(text));
export const event = (text: string) => need(asEventId(text));
export const alias = (text: string) => need(asRoomAlias(text));

/**
 * What the last run did not finish. First all rooms that concern others are made known, so that none of them decides
 * as if it were alone; then effects that are still in a room's record are done.
 */
import type { RoomId } from "../core/ids.ts";
import type { RoomState } from "../core/room.ts";
import type { Rooms as RoomRecords } from "../journal/journal.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { isOfConcern } from "./room-summary.ts";
import type { Rooms } from "./rooms.ts";

/** `learn` is told of every room that has a task or asks people. */
export async function recoverRooms(
  records: RoomRecords,
  learn: (room: RoomId, state: RoomState) => void,
  rooms: Pick<Rooms, "put" | "lane">,
  dispatcher: Pick<Dispatcher, "dispatch">,
): Promise<void> {
  const unfinished: RoomId[] = [];
  for await (const [room, { state, outbox }] of records.all()) {
    if (isOfConcern(state)) learn(room, state);
    if (outbox.length > 0) unfinished.push(room);
  }
  for (const room of unfinished) {
    await rooms.put(room, { kind: "recovered" });
    dispatcher.dispatch(room, rooms.lane(room).outbox, []);
  }
}

/** What the last run did not finish: effects that are still in a room's record are done now. */
import type { Rooms as RoomRecords } from "../journal/journal.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Rooms } from "./rooms.ts";

export async function recoverRooms(records: RoomRecords, rooms: Rooms, dispatcher: Dispatcher): Promise<void> {
  for await (const [room, record] of records.all()) {
    if (record.outbox.length === 0) continue;
    await rooms.put(room, { kind: "recovered" });
    dispatcher.dispatch(room, rooms.lane(room).outbox, []);
  }
}

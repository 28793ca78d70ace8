/**
 * What the last run did not finish. First all rooms that concern others are made known, so that none of them decides
 * as if it were alone; then effects that are still in a room's record are done. Audit entries that a record still holds go
 * into the log, which leaves out those that it has.
 */
import { isHeldBack } from "../core/read-only.ts";
import type { World } from "../core/world.ts";
import type { RoomId } from "../core/ids.ts";
import type { RoomState } from "../core/room.ts";
import type { Rooms as RoomRecords } from "../journal/journal.ts";
import { pendingAudit } from "./audit-trail.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { LanePorts } from "./lane.ts";
import { isOfConcern } from "./room-summary.ts";
import type { Rooms } from "./rooms.ts";

/** `learn` is told of every room that has a task or asks people. */
export async function recoverRooms(
  records: RoomRecords,
  learn: (room: RoomId, state: RoomState) => void,
  rooms: Pick<Rooms, "put" | "lane">,
  dispatcher: Pick<Dispatcher, "dispatch">,
  world: Pick<World, "server" | "bot">,
  audit: LanePorts["audit"],
): Promise<void> {
  const unfinished: RoomId[] = [];
  for await (const [room, record] of records.all()) {
    const { state, outbox } = record;
    if (isOfConcern(state)) learn(room, state);
    const entries = pendingAudit(record);
    // Not waited for: they have their place before the room decides again, and a store that is full takes them later.
    if (entries.length > 0) audit(room, entries).catch(() => undefined);
    if (outbox.length > 0) unfinished.push(room);
  }
  for (const room of unfinished) {
    await rooms.put(room, { kind: "recovered" });
    const { state, outbox } = rooms.lane(room);
    const due = state === undefined ? outbox : outbox.filter((effect) => !isHeldBack(world, state, effect));
    dispatcher.dispatch(room, due, []);
  }
}

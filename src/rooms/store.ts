/** Room records in the journal, for lanes: a write waits for as long as the store cannot take it. */
import { setTimeout as delay } from "node:timers/promises";
import { CrewError, reasonOf } from "../core/errors.ts";
import type { RoomId } from "../core/ids.ts";
import type { RoomRecord } from "../core/record.ts";
import type { Rooms as RoomRecords } from "../journal/journal.ts";
import type { Logger } from "../observe/log.ts";

const retryMs = 1_000;

/**
 * Writes a record. When the store cannot take it (a full disk), the room stands still until it can, and nothing of it is
 * lost: its inputs are still in the inbox. Rejects only when `signal` aborts or the store belongs to another bridge.
 */
export async function saveRecord(
  records: RoomRecords,
  room: RoomId,
  record: RoomRecord,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await records.save(room, record);
      return;
    } catch (thrown) {
      if (thrown instanceof CrewError && thrown.code === "STORE_LOCKED") throw thrown;
      log.error({ room, reason: reasonOf(thrown) }, "the room's record cannot be written; trying again");
      await delay(retryMs, undefined, { signal });
    }
  }
}

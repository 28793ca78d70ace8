/** The way of audit entries from rooms' records into the log. A log that cannot be written keeps no room from going on. */
import { setTimeout as delay } from "node:timers/promises";
import type { AuditEntry } from "../core/audit.ts";
import { CrewError, reasonOf } from "../core/errors.ts";
import type { RoomId } from "../core/ids.ts";
import type { RoomRecord } from "../core/record.ts";
import type { AuditLog } from "../journal/journal.ts";
import type { Logger } from "../observe/log.ts";

const retryMs = 1_000;

export interface AuditTrailOptions {
  /** An attempt failed, and another one follows. */
  readonly onRetry: () => void;
  readonly log: Pick<Logger, "error">;
  readonly signal: AbortSignal;
}

/**
 * Appends a room's entries, again and again until the log takes them; meanwhile they stay in the room's record. Rejects only
 * when `signal` aborts or the store belongs to another bridge.
 */
export async function appendAudit(
  audit: Pick<AuditLog, "append">,
  room: RoomId,
  entries: readonly AuditEntry[],
  { onRetry, log, signal }: AuditTrailOptions,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await audit.append(entries);
      return;
    } catch (thrown) {
      if (thrown instanceof CrewError && thrown.code === "STORE_LOCKED") throw thrown;
      onRetry();
      // Once: the store's trouble is told by all that needs it.
      if (attempt === 1) {
        const reason = reasonOf(thrown);
        log.error({ room, reason }, "the audit log cannot be written; its entries wait in the room's record");
      }
      await delay(retryMs, undefined, { signal });
    }
  }
}

/** Entries of a record that are not known to be in the log: those above number `logged`. */
export function pendingAudit({ audit }: RoomRecord, logged = 0): readonly AuditEntry[] {
  return audit?.entries.filter(({ seq }) => seq > logged) ?? [];
}

/** The record without the entries up to number `logged`. The next number stays. */
export function withoutLogged(record: RoomRecord, logged: number): RoomRecord {
  const { audit } = record;
  const entries = pendingAudit(record, logged);
  if (audit === undefined || entries.length === audit.entries.length) return record;
  return { ...record, audit: { ...audit, entries } };
}

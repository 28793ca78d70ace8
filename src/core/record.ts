/**
 * What is kept of one room: its state, the effects that are not yet done, and the events already handled. All three are
 * written together, so a crash at any instant loses nothing and repeats nothing that anybody can see.
 */
import type { PendingAudit } from "./audit.ts";
import type { Effect } from "./effect.ts";
import type { EventId, RoomId } from "./ids.ts";
import type { RoomState } from "./room.ts";

export interface RoomRecord {
  /** Schema version of this record. */
  readonly v: 1;
  readonly state: RoomState;
  /** Effects not yet done, in order. Its ids are unique. */
  readonly outbox: readonly Effect[];
  /** The last events that changed something, oldest first, at most {@link handledLimit}. */
  readonly handled: readonly EventId[];
  readonly audit?: PendingAudit;
}

/**
 * Synapse repeats only the transaction that it got no 200 for (at most 100 events), and a read-back after a join looks
 * at no more than that; ten times as many are kept.
 */
export const handledLimit = 1_000;

/** An effect that failed for good, kept for the operator. */
export interface DeadLetter {
  readonly room: RoomId;
  readonly effect: Effect;
  readonly code: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly ts: number;
}

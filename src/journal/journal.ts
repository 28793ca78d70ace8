/**
 * The durable side of the bridge: what must survive a crash. One value per key over keyv, so that SQLite (the
 * default), PostgreSQL and Redis serve alike.
 *
 * | namespace | key                  | value                                                        |
 * |-----------|----------------------|--------------------------------------------------------------|
 * | inbox     | sequence, 16 digits  | the body of one transaction, as it came                      |
 * | room      | room id              | the room's record: state, effects not done, events handled   |
 * | audit     | number, 16 digits    | one entry of the audit log, chained to the one before        |
 * | audit     | `index`              | how far each room is in the audit log; may be behind it      |
 * | session   | session id           | a runtime's history of one session                           |
 * | dead      | time and effect id   | an effect that failed for good, with the reason              |
 * | meta      | a name               | small facts, e.g. which ghosts exist                         |
 */
import type { AuditEntry, AuditKind } from "../core/audit.ts";
import type { AgentId, RoomId, SessionId } from "../core/ids.ts";
import type { DeadLetter, RoomRecord } from "../core/record.ts";

/** Position of a transaction in the inbox. Grows, also across restarts. */
export type InboxSeq = number;

export interface Inbox {
  /** Writes one transaction's body. Resolves when it is on disk, never earlier: the 200 waits for it. */
  append(body: string): Promise<InboxSeq>;
  /** Removes transactions whose inputs are all recorded. */
  remove(seqs: readonly InboxSeq[]): Promise<void>;
  /** What was left when the process ended, oldest first. Read once, before serving. */
  pending(): AsyncIterable<{ readonly seq: InboxSeq; readonly body: string }>;
}

export interface Rooms {
  load(room: RoomId): Promise<RoomRecord | undefined>;
  /** One write: the new state, the effects not yet done and the handled events go together or not at all. */
  save(room: RoomId, record: RoomRecord): Promise<void>;
  remove(room: RoomId): Promise<void>;
  all(): AsyncIterable<readonly [RoomId, RoomRecord]>;
}

export interface Sessions {
  load(session: SessionId): Promise<unknown>;
  save(session: SessionId, value: unknown): Promise<void>;
  remove(session: SessionId): Promise<void>;
}

export interface DeadLetters {
  add(letter: DeadLetter): Promise<void>;
  all(): AsyncIterable<DeadLetter>;
}

/** One entry of the audit log, as it is kept. */
export interface ChainedEntry {
  /** Its place in the log, from 1, without gaps. */
  readonly n: number;
  readonly entry: AuditEntry;
  /** When it was appended, in milliseconds since the epoch. When it happened is `entry.ts`. */
  readonly at: number;
  /** `hash` of the entry before it, in hexadecimal; 64 zeros for the first. */
  readonly prev: string;
  /** SHA-256 of all of the above; see `audit-chain.ts`. */
  readonly hash: string;
}

/** All of it must fit; without any, everything does. */
export interface AuditFilter {
  readonly task?: number;
  readonly room?: RoomId;
  /** Who did it, or whom it happened to. */
  readonly agent?: AgentId;
  readonly kind?: AuditKind;
  /** When it happened, both bounds included, in milliseconds since the epoch. */
  readonly since?: number;
  readonly until?: number;
  /** How many at most. Default: all. */
  readonly limit?: number;
  /** Default: oldest first. */
  readonly newestFirst?: boolean;
}

export type AuditVerdict =
  | { readonly ok: true; readonly entries: number; /** The last one's hash. */ readonly head: string }
  | { readonly ok: false; /** The first entry that is not as it was. */ readonly at: number; readonly why: string };

export interface AuditReader {
  /** Leaves out what is missing or damaged: a verification names it. */
  read(filter?: AuditFilter): AsyncIterable<ChainedEntry>;
  /** Reads the whole log once and checks that it is as it was written; see `docs/audit.md` for what that proves. */
  verify(): Promise<AuditVerdict>;
}

export interface AuditLog extends AuditReader {
  /**
   * Appends in the order of the calls, and leaves out what is in the log already: entries of a room whose `seq` is not
   * above the last one's. So each room hands its entries over in their order, and the same ones again when in doubt.
   * Resolves when they are on disk; when it rejects, they may be there or come there with the next call.
   */
  append(entries: readonly AuditEntry[]): Promise<void>;
}

export interface Meta {
  get(name: string): Promise<unknown>;
  set(name: string, value: unknown): Promise<void>;
}

export interface Journal extends AsyncDisposable {
  readonly inbox: Inbox;
  readonly rooms: Rooms;
  readonly sessions: Sessions;
  readonly dead: DeadLetters;
  readonly meta: Meta;
  readonly audit: AuditLog;
  /** Rejects with `STORE_UNUSABLE` when the store cannot be written and read back. For `/ready`. */
  probe(): Promise<void>;
}

/**
 * The durable side of the bridge: what must survive a crash. One value per key over keyv, so that SQLite (the
 * default), PostgreSQL and Redis serve alike.
 *
 * | namespace | key                  | value                                                        |
 * |-----------|----------------------|--------------------------------------------------------------|
 * | inbox     | sequence, 16 digits  | the body of one transaction, as it came                      |
 * | room      | room id              | the room's record: state, effects not done, events handled   |
 * | session   | session id           | a runtime's history of one session                           |
 * | dead      | time and effect id   | an effect that failed for good, with the reason              |
 * | meta      | a name               | small facts, e.g. which ghosts exist                         |
 */
import type { RoomId, SessionId } from "../core/ids.ts";
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
  /** Rejects with `STORE_UNUSABLE` when the store cannot be written and read back. For `/ready`. */
  probe(): Promise<void>;
}

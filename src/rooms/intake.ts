/**
 * From the homeserver's transactions to the lanes.
 *
 *   accept ──┬──▶ inbox (on disk) ──▶ 200
 *            │         └──── removed when all of its events are recorded ◀──┐
 *            └──▶ per event: lane ──▶ recorded ─────────────────────────────┘
 *
 * Both ways begin at once, so that on SQLite the inbox and the records share a commit. An event may so be recorded when
 * its transaction is not: then the homeserver has no 200, brings it again, and the event's id is known.
 */
import { reasonOf } from "../core/errors.ts";
import type { EventId, RoomId } from "../core/ids.ts";
import type { MatrixInput } from "../core/input.ts";
import type { Inbox, InboxSeq } from "../journal/journal.ts";
import type { Logger } from "../observe/log.ts";
import type { Outcome } from "./lane.ts";

/** A transaction's events, decoded; what the bridge does not act on is already left out. */
export type Decoded = readonly { readonly room: RoomId; readonly input: MatrixInput }[];

export interface IntakeOptions {
  readonly inbox: Inbox;
  /** Decodes a body as it came. Throws when it is none. */
  readonly decode: (raw: string) => Decoded;
  readonly put: (room: RoomId, input: MatrixInput) => Promise<Outcome>;
  readonly onHandled: (outcome: Outcome["outcome"]) => void;
  readonly log: Logger;
}

/** While so many events wait in memory, the homeserver waits for its 200. */
const waitingLimit = 20_000;

export class Intake implements AsyncDisposable {
  readonly #options: IntakeOptions;
  readonly #feeding = new Set<Promise<void>>();
  /** When the transaction of an event began to arrive; for the metric of added latency. */
  readonly #arrivals = new Map<EventId, number>();
  #waiting = 0;
  #room = Promise.withResolvers<void>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Resolves when the transaction is on disk. One with nothing to act on (receipts, typing) needs no place there. */
  async accept(raw: string, decoded: Decoded, arrivedAt: number): Promise<void> {
    if (decoded.length === 0) return;
    while (this.#waiting > waitingLimit) await this.#room.promise;
    for (const { input } of decoded) if (input.kind === "message") this.#arrivals.set(input.event, arrivedAt);
    const kept = this.#options.inbox.append(raw);
    this.#begin(kept, decoded);
    await kept;
  }

  /** Handles what was left in the inbox when the process ended. Resolves when it is all in the lanes. */
  async recover(): Promise<number> {
    let count = 0;
    for await (const { seq, raw } of this.#pending()) {
      count++;
      try {
        this.#begin(Promise.resolve(seq), this.#options.decode(raw));
      } catch (thrown) {
        this.#options.log.error(
          { seq, reason: reasonOf(thrown) },
          "a transaction in the inbox cannot be read; it stays there",
        );
      }
      while (this.#waiting > waitingLimit) await this.#room.promise;
    }
    return count;
  }

  async *#pending(): AsyncGenerator<{ readonly seq: InboxSeq; readonly raw: string }> {
    for await (const { seq, body } of this.#options.inbox.pending()) yield { seq, raw: body };
  }

  /** `performance.now()` when an event began to arrive in this process, if it just did. */
  arrivalOf(event: EventId): number | undefined {
    return this.#arrivals.get(event);
  }

  #begin(kept: Promise<InboxSeq>, decoded: Decoded): void {
    this.#waiting += decoded.length;
    const fed = this.#feed(kept, decoded).finally(() => {
      this.#feeding.delete(fed);
      this.#waiting -= decoded.length;
      for (const { input } of decoded) this.#arrivals.delete(input.event);
      if (this.#waiting > waitingLimit) return;
      this.#room.resolve();
      this.#room = Promise.withResolvers();
    });
    this.#feeding.add(fed);
  }

  async #feed(kept: Promise<InboxSeq>, decoded: Decoded): Promise<void> {
    const { put, onHandled, inbox, log } = this.#options;
    // The homeserver hears of what cannot be kept, and brings it again.
    const place = kept.catch(() => undefined);
    try {
      const outcomes = await Promise.all(decoded.map(({ room, input }) => put(room, input)));
      for (const { outcome } of outcomes) onHandled(outcome);
      const seq = await place;
      if (seq !== undefined) await inbox.remove([seq]);
    } catch (thrown) {
      log.error(
        { seq: await place, reason: reasonOf(thrown) },
        "a transaction could not be handled; it stays in the inbox for the next start",
      );
    }
  }

  /** Resolves when all that was accepted is recorded. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#feeding);
  }
}

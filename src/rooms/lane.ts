/**
 * The lane of one room: all inputs of the room, one after another.
 *
 *   put ──▶ waiting ──▶ decide, decide, … ──▶ one write ──▶ effects go out, callers hear of it,
 *                                                           audit entries go into the log
 *
 * What waits when the lane gets its turn is decided together and written once. Effects go out only after the write; so
 * a crash before it is as if the inputs had not come (they still are in the inbox), and after it nothing is lost.
 *
 * Audit entries leave the record with the room's next write after the log has them. A crash between the two hands them
 * over again, and the log leaves out what it has. The room never waits for the log.
 */
import type { AuditEntry } from "../core/audit.ts";
import { decide, type Decision } from "../core/decide.ts";
import type { Effect, Fleeting } from "../core/effect.ts";
import type { EffectId, RoomId } from "../core/ids.ts";
import type { Input } from "../core/input.ts";
import type { Note } from "../core/draft.ts";
import type { RoomRecord } from "../core/record.ts";
import { emptyRoom, type RoomState } from "../core/room.ts";
import type { World } from "../core/world.ts";
import { pendingAudit, withoutLogged } from "./audit-trail.ts";
import { isOfConcern } from "./room-summary.ts";

/** What became of one input. */
export interface Outcome {
  /** `acted` when it changed the room, `duplicate` when it was handled before, else `ignored`. */
  readonly outcome: "acted" | "ignored" | "duplicate";
  /** The answer to a tool call. */
  readonly reply?: string;
}

export interface LanePorts {
  load(room: RoomId): Promise<RoomRecord | undefined>;
  /**
   * A room that concerns others (it has a task, or asks people, now or before) has decided. Called at once, before the
   * write and before any other room decides.
   */
  decided(room: RoomId, state: RoomState): void;
  /** Resolves when the record is on disk; it may wait for as long as the store cannot take it. */
  save(room: RoomId, record: RoomRecord): Promise<void>;
  /**
   * Resolves when these entries are in the audit log, those that were there before included. When it rejects they are
   * handed over again with what the room writes next, and at the next start. Called with one lot at a time.
   */
  audit(room: RoomId, entries: readonly AuditEntry[]): Promise<void>;
  /** Does what a write has made due. Returns at once. */
  dispatch(room: RoomId, fresh: readonly Effect[], fleeting: readonly Fleeting[]): void;
  note(room: RoomId, note: Note): void;
  now(): number;
}

interface Waiting {
  readonly input: Input;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (reason: unknown) => void;
}

export class Lane {
  readonly room: RoomId;
  readonly #world: World;
  readonly #ports: LanePorts;
  #waiting: Waiting[] = [];
  #record: RoomRecord | undefined;
  #running: Promise<void> | undefined;
  /** Audit entries up to this number are in the log. */
  #logged = 0;
  #logging = false;

  constructor(room: RoomId, world: World, ports: LanePorts) {
    this.room = room;
    this.#world = world;
    this.#ports = ports;
  }

  /** Inputs that are not yet decided. */
  get depth(): number {
    return this.#waiting.length;
  }

  /** Nothing waits and nothing is being decided: it can be let go and made anew from the journal. */
  get isIdle(): boolean {
    return this.#running === undefined;
  }

  /** Adds an input. Resolves when what it changed is on disk. Rejects only when the room's record cannot be read. */
  put(input: Input): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ input, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** The room's state as it was written last, or `undefined` before the first input. */
  get state(): RoomState | undefined {
    return this.#record?.state;
  }

  /** An effect that is still to be done, in its newest form; `undefined` when it was taken back. */
  effect(id: EffectId): Effect | undefined {
    return this.#record?.outbox.find((effect) => effect.id === id);
  }

  get outbox(): readonly Effect[] {
    return this.#record?.outbox ?? [];
  }

  async #run(): Promise<void> {
    // Lets all that comes in the same moment go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#decide(batch);
      } catch (thrown) {
        for (const { reject } of batch) reject(thrown);
      }
    }
    this.#running = undefined;
  }

  async #decide(batch: readonly Waiting[]): Promise<void> {
    const before = (this.#record ??= (await this.#ports.load(this.room)) ?? {
      v: 1,
      state: emptyRoom(this.room),
      outbox: [],
      handled: [],
    });
    let record = before;
    const decisions: Decision[] = [];
    for (const { input } of batch) {
      const decision = decide(this.#world, record, input, this.#ports.now());
      record = decision.record;
      decisions.push(decision);
    }
    if (isOfConcern(record.state) || isOfConcern(before.state)) this.#ports.decided(this.room, record.state);
    if (record !== before) {
      record = withoutLogged(record, this.#logged);
      await this.#ports.save(this.room, record);
    }
    this.#record = record;
    if (record !== before && !this.#logging) void this.#log();

    // What a later input of the batch took back is not begun.
    const due = new Set(record.outbox.map((effect) => effect.id));
    const fresh = decisions.flatMap((decision) => decision.fresh).filter((effect) => due.has(effect.id));
    this.#ports.dispatch(
      this.room,
      fresh,
      decisions.flatMap((decision) => decision.fleeting),
    );
    for (const [index, { resolve }] of batch.entries()) {
      const decision = decisions[index];
      if (decision === undefined) continue;
      for (const note of decision.notes) this.#ports.note(this.room, note);
      resolve(outcomeOf(decision));
    }
  }

  /** Hands over what the record holds, and what is written meanwhile. Never rejects. */
  async #log(): Promise<void> {
    this.#logging = true;
    try {
      for (;;) {
        const entries = this.#record === undefined ? [] : pendingAudit(this.#record, this.#logged);
        const last = entries.at(-1);
        if (last === undefined) break;
        await this.#ports.audit(this.room, entries);
        this.#logged = last.seq;
      }
    } catch {
      // Told by the port. They stay in the record, and go with what is written next.
    }
    this.#logging = false;
  }
}

function outcomeOf(decision: Decision): Outcome {
  const duplicate = decision.notes.some((note) => note.kind === "duplicate");
  return {
    outcome: decision.changed ? "acted" : duplicate ? "duplicate" : "ignored",
    ...(decision.reply === undefined ? {} : { reply: decision.reply }),
  };
}

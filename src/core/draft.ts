/**
 * A decision in the making: the room's record, changed step by step, and what is to be done about it. It lives only
 * while one input is decided; nothing outside sees it before it is complete.
 */
import { createHash } from "node:crypto";
import { type AuditEntry, type AuditFacts, detailChars, type PendingAudit } from "./audit.ts";
import type { Effect, Fleeting, Say } from "./effect.ts";
import type { EffectId, EventId, UserId } from "./ids.ts";
import { maySpeak } from "./power.ts";
import { handledLimit, type RoomRecord } from "./record.ts";
import type { RoomState } from "./room.ts";
import type { World } from "./world.ts";

/** Which of the breaker's limits was reached. */
export type BreakerLimit = "hops" | "pair" | "room" | "identical" | "cost";

/** Something worth a metric or a log line; it has no effect. */
export type Note =
  | { readonly kind: "breakerTripped"; readonly limit: BreakerLimit; readonly reason: string }
  | { readonly kind: "duplicate" }
  | { readonly kind: "refused"; readonly user: UserId }
  /** A subtask moved; `move` is its name in the table of moves. */
  | { readonly kind: "moved"; readonly move: string }
  /** The patrol did something. */
  | { readonly kind: "patrolled"; readonly what: string }
  /** A question to people was asked, answered or ran out. */
  | { readonly kind: "asked"; readonly matter: string; readonly outcome: string };

/** The parts of a {@link Say} that its author must give; the rest has defaults. */
export type Words = Pick<Say, "as" | "text"> & Partial<Omit<Say, "kind" | "id">>;

export class Draft {
  readonly world: World;
  /** When the input is decided, in milliseconds since the epoch. */
  readonly now: number;
  state: RoomState;
  outbox: readonly Effect[];
  handled: readonly EventId[];
  readonly fresh: Effect[] = [];
  readonly fleeting: Fleeting[] = [];
  readonly notes: Note[] = [];
  audits: PendingAudit | undefined;
  /** While it is set no turn begins: what is to go into it together is still being collected. */
  gathering = false;
  /** What a tool call is answered, or {@link outdated}. */
  reply: string | undefined;
  readonly #before: RoomRecord;

  constructor(world: World, record: RoomRecord, now: number) {
    this.world = world;
    this.now = now;
    this.#before = record;
    this.state = record.state;
    this.outbox = record.outbox;
    this.handled = record.handled;
    this.audits = record.audit;
  }

  /** Whether the record differs from what it was, and so must be written. */
  get changed(): boolean {
    const before = this.#before;
    return (
      this.state !== before.state ||
      this.outbox !== before.outbox ||
      this.handled !== before.handled ||
      this.audits !== before.audit
    );
  }

  /** The state as it was before this input. */
  get before(): RoomState {
    return this.#before.state;
  }

  get record(): RoomRecord {
    if (!this.changed) return this.#before;
    const { state, outbox, handled, audits } = this;
    return { v: 1, state, outbox, handled, ...(audits === undefined ? {} : { audit: audits }) };
  }

  /** Writes down what happened and who decided it. */
  audit(facts: AuditFacts): void {
    const { next = 1, entries = [] } = this.audits ?? {};
    const { task, room } = this.state;
    const detail = facts.detail === undefined ? {} : { detail: facts.detail.slice(0, detailChars).toWellFormed() };
    const number = task === undefined ? {} : { task: task.number };
    const entry: AuditEntry = { ...facts, ...detail, ...number, room, seq: next, ts: this.now };
    this.audits = { next: next + 1, entries: [...entries, entry] };
  }

  set(patch: Partial<RoomState>): void {
    this.state = { ...this.state, ...patch };
  }

  /** Notes that an event changed who is here or what they may. */
  countChange(): void {
    this.set({ changes: this.state.changes + 1 });
  }

  /** Puts an effect into the outbox, unless one with its id is there. */
  emit(effect: Effect): void {
    if (this.outbox.some((other) => other.id === effect.id)) return;
    this.outbox = [...this.outbox, effect];
    this.fresh.push(effect);
  }

  say(id: string, words: Words): void {
    this.emit({ kind: "say", id: id as EffectId, style: "message", mentions: [], ...words });
  }

  /** A notice by whoever may speak here, or nothing when nobody may: then HQ is told. */
  notice(id: string, text: string, placed: Partial<Omit<Say, "kind" | "id" | "as" | "text">> = {}): void {
    const as = this.voice();
    if (as === undefined) this.announce(id, text);
    else this.say(id, { as, text, style: "notice", ...placed });
  }

  announce(id: string, text: string): void {
    this.emit({ kind: "announce", id: `${id}:hq` as EffectId, text });
  }

  /** Takes effects that are not yet done out of the outbox. */
  drop(unwanted: (effect: Effect) => boolean): void {
    if (!this.outbox.some(unwanted)) return;
    this.outbox = this.outbox.filter((effect) => !unwanted(effect));
    const kept = this.fresh.filter((effect) => !unwanted(effect));
    this.fresh.splice(0, this.fresh.length, ...kept);
  }

  /** Remembers that an event is handled. `false` when it was already. */
  handle(event: EventId): boolean {
    if (this.handled.includes(event)) {
      this.notes.push({ kind: "duplicate" });
      return false;
    }
    return true;
  }

  markHandled(event: EventId): void {
    if (!this.handled.includes(event)) this.handled = [...this.handled, event].slice(-handledLimit);
  }

  isJoined(user: UserId): boolean {
    return this.state.seats[user]?.place === "joined";
  }

  /** The bot where it is in the room, else the first agent that is and may speak. */
  voice(): UserId | undefined {
    return [this.world.bot, ...this.world.crew.keys()].find(
      (user) => this.isJoined(user) && maySpeak(this.state, user),
    );
  }
}

/** A short id from its causes: the same causes give the same id on every run. 128 bits of SHA-256, base64url. */
export function idFrom(...causes: readonly (string | number)[]): string {
  return createHash("sha256").update(causes.join("\n")).digest("base64url").slice(0, 22);
}

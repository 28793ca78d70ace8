/**
 * Does the effects. Those of one user in one room, and words in one thread, go out one after another, so that they
 * arrive in order; different users and rooms go side by side. An effect stays in the room's record until its outcome is
 * recorded there, so an end at any instant only means that it is done again, under the same id.
 */
import { setTimeout as delay } from "node:timers/promises";
import { asCrewError, type CrewError } from "../core/errors.ts";
import type { Effect, Fleeting } from "../core/effect.ts";
import type { EffectId, EventId, RoomId, UserId } from "../core/ids.ts";
import type { DeadLetter } from "../core/record.ts";
import type { Logger } from "../observe/log.ts";
import type { Rooms } from "./rooms.ts";

/** Does one kind of effect. Resolves when it is done, with the event that it made, or `"later"` when somebody else
 * reports its outcome (a turn). Rejects when it failed for good; whatever can be repeated it repeats itself. */
export type Doer<Kind extends Effect["kind"]> = (
  room: RoomId,
  effect: Extract<Effect, { kind: Kind }>,
  signal: AbortSignal,
) => Promise<EventId | "later" | undefined>;

export type Doers = { readonly [Kind in Effect["kind"]]: Doer<Kind> };

export interface DispatcherOptions {
  readonly doers: Doers;
  /** Does what is not kept; never rejects. */
  readonly fleeting: (room: RoomId, effect: Fleeting) => void;
  /** Told when an effect is over and its outcome recorded; without an event when it failed or was taken back. */
  readonly onOutcome: (effect: EffectId, event: EventId | undefined) => void;
  /** Keeps an effect that failed for good, and counts it. */
  readonly bury: (letter: DeadLetter) => Promise<void>;
  readonly now: () => number;
  readonly log: Logger;
}

export class Dispatcher implements AsyncDisposable {
  readonly #options: DispatcherOptions;
  readonly #ending = new AbortController();
  /** The last piece of work of each order; see {@link orderOf}. */
  readonly #tails = new Map<string, Promise<void>>();
  #rooms: Rooms | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** The lanes that outcomes go to. They need the dispatcher, and it needs them. */
  connect(rooms: Rooms): void {
    this.#rooms = rooms;
  }

  dispatch(room: RoomId, effects: readonly Effect[], fleeting: readonly Fleeting[]): void {
    let said: Promise<void> | undefined;
    for (const effect of effects) {
      // What an agent does because of a word is not to be seen above it, so its turn begins after it.
      const follows = effect.kind === "say" || effect.kind === "turn";
      const tail = this.#append(room, effect, follows ? said : undefined);
      if (effect.kind === "say") said = tail;
    }
    for (const effect of fleeting) this.#options.fleeting(room, effect);
  }

  /**
   * @param before What is said in the same room before it, by whomever: a cause stands above what follows from it.
   * @returns Its end.
   */
  #append(room: RoomId, effect: Effect, before: Promise<void> | undefined): Promise<void> {
    const order = orderOf(room, effect);
    // A reaction needs the message that it is under, but nothing waits for it.
    const under = effect.kind === "react" ? this.#tails.get(speaking(room, effect.as)) : undefined;
    // In a thread work passes from one to the other by tools: a verdict is not to stand above what it judges.
    const thread = effect.kind === "say" && effect.thread !== undefined ? `${room} ${effect.thread}` : undefined;
    const inThread = thread === undefined ? undefined : this.#tails.get(thread);
    const tail = Promise.all([this.#tails.get(order), before, under, inThread]).then(() => this.#do(room, effect.id));
    this.#keep(order, tail);
    if (thread !== undefined) this.#keep(thread, tail);
    return tail;
  }

  #keep(order: string, tail: Promise<void>): void {
    this.#tails.set(order, tail);
    void tail.finally(() => {
      if (this.#tails.get(order) === tail) this.#tails.delete(order);
    });
  }

  /** Never rejects: the next effect of the same order waits for it. */
  async #do(room: RoomId, id: EffectId): Promise<void> {
    const rooms = this.#rooms;
    const { onOutcome } = this.#options;
    // Read now: it may have been taken back, or have learnt which event it edits.
    const effect = rooms?.lane(room).effect(id);
    if (rooms === undefined || this.#ending.signal.aborted) return;
    if (effect === undefined) {
      onOutcome(id, undefined);
      return;
    }
    try {
      const outcome = await this.#perform(room, effect);
      if (outcome === "later") return;
      await rooms.put(room, { kind: "done", effect: id, ...(outcome === undefined ? {} : { event: outcome }) });
      onOutcome(id, outcome);
    } catch (thrown) {
      if (this.#ending.signal.aborted) return;
      await this.#fail(rooms, room, effect, asCrewError(thrown));
      onOutcome(id, undefined);
    }
  }

  #perform(room: RoomId, effect: Effect): Promise<EventId | "later" | undefined> {
    const doer = this.#options.doers[effect.kind] as Doer<Effect["kind"]>;
    return doer(room, effect, this.#ending.signal);
  }

  async #fail(rooms: Rooms, room: RoomId, effect: Effect, error: CrewError): Promise<void> {
    const { log, now, bury } = this.#options;
    log.error(
      { room, effect: effect.id, kind: effect.kind, code: error.code, reason: error.message },
      "an effect failed for good",
    );
    try {
      // An effect that was taken back meanwhile (its agent was kicked) failed as it should.
      if (rooms.lane(room).effect(effect.id) === undefined) return;
      await rooms.put(room, { kind: "failed", effect: effect.id, code: error.code, sentence: error.message });
      // The room may keep it for later, e.g. until a mute ends.
      if (rooms.lane(room).effect(effect.id) !== undefined) return;
      await bury({ room, effect, code: error.code, reason: error.message, ts: now() });
    } catch (thrown) {
      log.error({ room, effect: effect.id, reason: asCrewError(thrown).message }, "a failure could not be recorded");
    }
  }

  /** Resolves when all that is due is done, at the latest after `ms` milliseconds. */
  async drain(ms: number): Promise<void> {
    const end = new AbortController();
    const late = delay(ms, undefined, { signal: end.signal }).catch(() => undefined);
    await Promise.race([Promise.allSettled(this.#tails.values()), late]);
    end.abort();
  }

  /** Ends what goes on, without an outcome: it stays in the records. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.allSettled(this.#tails.values());
  }
}

function speaking(room: RoomId, user: UserId): string {
  return `${room} ${user}`;
}

/** Effects with the same order are done one after another. */
function orderOf(room: RoomId, effect: Effect): string {
  switch (effect.kind) {
    case "say":
    case "leave":
      return speaking(room, effect.as);
    case "react":
      return `${room} ${effect.as} react`;
    case "join":
      return `${room} ${effect.as} join`;
    case "turn":
    case "forget":
      return `${room} ${effect.history} turn`;
    case "state":
      return `${room} state`;
    case "publish":
      return `${room} publish`;
    case "files":
      // What people ask to see need not wait for a large merge.
      return `${room} files ${effect.job.kind}`;
    case "redact":
    case "recall":
      return `${room} ${effect.kind}`;
    case "invite":
      return `${room} invite ${effect.user}`;
    case "openTask":
      // Over all rooms: tasks get their numbers in the order in which they were asked for.
      return "openTask";
    case "follow":
    case "announce":
      return `${room} ${effect.kind}`;
  }
}

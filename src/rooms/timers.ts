/**
 * Wakes rooms at the time that they wait for (leases, questions to people, the patrol's thresholds). There is one
 * timer, for the earliest of all rooms; a room asks for a new time with every decision.
 *
 *   set ──▶ waiting ──due──▶ ticked ──the room decides──▶ set
 */
import { reasonOf } from "../core/errors.ts";
import type { RoomId } from "../core/ids.ts";
import type { Logger } from "../observe/log.ts";

export interface TimersOptions {
  readonly clock: TimersClock;
  /** Puts a tick into the room's lane. */
  readonly tick: (room: RoomId) => Promise<unknown>;
  readonly log: Pick<Logger, "error">;
}

export interface TimersClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects as soon as the signal aborts. */
  after(ms: number, signal: AbortSignal): Promise<void>;
}

interface Entry {
  /** `Infinity` from the tick until the room's next decision. */
  readonly due: number;
  readonly ticked: number;
}

/** Longer waits overflow Node's timers and would end at once; the rest is waited for afterwards. */
const longestMs = 2 ** 31 - 1;
/** A room whose time stays in the past is not asked more often. */
const leastMs = 1_000;

export class Timers implements AsyncDisposable {
  readonly #options: TimersOptions;
  readonly #entries = new Map<RoomId, Entry>();
  readonly #ticking = new Set<Promise<void>>();
  #started = false;
  /** When the timer goes off; a time that was put off or taken back meanwhile only wakes it in vain. */
  #armedFor = Infinity;
  #armed = new AbortController();

  constructor(options: TimersOptions) {
    this.#options = options;
  }

  /** Before it nothing ticks, so that at the start all rooms are known, and have gone on, before one is woken. */
  start(): void {
    this.#started = true;
    this.#arm();
  }

  /** `due` in milliseconds since the epoch; `undefined` when the room waits for nothing. */
  set(room: RoomId, due: number | undefined): void {
    if (due === undefined) {
      this.#entries.delete(room);
      return;
    }
    const ticked = this.#entries.get(room)?.ticked ?? -Infinity;
    const next = Math.max(due, ticked + leastMs);
    this.#entries.set(room, { due: next, ticked });
    if (next < this.#armedFor) this.#arm();
  }

  #arm(): void {
    if (!this.#started) return;
    this.#armed.abort();
    this.#armed = new AbortController();
    this.#armedFor = Infinity;
    for (const { due } of this.#entries.values()) this.#armedFor = Math.min(this.#armedFor, due);
    if (this.#armedFor === Infinity) return;
    const { clock } = this.#options;
    const wait = Math.min(Math.max(this.#armedFor - clock.now(), 0), longestMs);
    clock.after(wait, this.#armed.signal).then(
      () => this.#fire(),
      () => undefined,
    );
  }

  #fire(): void {
    if (!this.#started) return;
    const now = this.#options.clock.now();
    const due = [...this.#entries].filter(([, entry]) => entry.due <= now);
    for (const [room, entry] of due.sort(([, one], [, other]) => one.due - other.due)) {
      this.#entries.set(room, { due: Infinity, ticked: now });
      const ticking = this.#tick(room, entry.due).finally(() => this.#ticking.delete(ticking));
      this.#ticking.add(ticking);
    }
    this.#arm();
  }

  async #tick(room: RoomId, due: number): Promise<void> {
    try {
      await this.#options.tick(room);
    } catch (thrown) {
      this.#options.log.error({ room, reason: reasonOf(thrown) }, "a room could not be woken; trying again");
      this.set(room, due);
    }
  }

  /** Resolves when the rooms that were just woken have decided. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#started = false;
    this.#armed.abort();
    this.#entries.clear();
    await Promise.all(this.#ticking);
  }
}

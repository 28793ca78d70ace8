/**
 * When an agent has become free, the rooms that wait for one look again, one after another, those that wait longest
 * first. Any number of calls while a sweep goes on make one more.
 *
 *   idle ──request──▶ sweeping ──done──▶ idle
 *                      └─request─▶ (once more)
 */
import { reasonOf } from "../core/errors.ts";
import type { RoomId } from "../core/ids.ts";
import type { Logger } from "../observe/log.ts";

export interface SweepOptions {
  /** Rooms that wait, in their order. Asked at the beginning of each sweep. */
  readonly waiting: () => readonly RoomId[];
  /** Lets a room look; resolves when it has decided. */
  readonly tick: (room: RoomId) => Promise<unknown>;
  readonly log: Pick<Logger, "error">;
}

export class Sweep implements AsyncDisposable {
  readonly #options: SweepOptions;
  #wanted = false;
  #ended = false;
  #running: Promise<void> | undefined;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  /** Returns at once; the sweep begins when the decision that asks for it is over. */
  request(): void {
    if (this.#ended) return;
    this.#wanted = true;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#wanted) {
      this.#wanted = false;
      for (const room of this.#options.waiting()) {
        if (this.#ended) break;
        await this.#tick(room);
      }
    }
    this.#running = undefined;
  }

  async #tick(room: RoomId): Promise<void> {
    try {
      await this.#options.tick(room);
    } catch (thrown) {
      this.#options.log.error({ room, reason: reasonOf(thrown) }, "a room that waits for an agent could not look");
    }
  }

  /** Resolves when the room that just looks has decided. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#wanted = false;
    await this.#running;
  }
}

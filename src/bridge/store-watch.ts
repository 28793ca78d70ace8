/**
 * After a store that could not take a transaction (a full disk), the homeserver brings it again, but waits longer each
 * time, up to 512 s. So the store's return is looked for, and then the homeserver is told by a ping.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../observe/log.ts";

export interface StoreWatchOptions {
  /** Rejects while the store cannot be written. */
  readonly probe: () => Promise<void>;
  readonly onRecovered: () => void;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

const everyMs = 1_000;

export class StoreWatch {
  readonly #options: StoreWatchOptions;
  #looking = false;

  constructor(options: StoreWatchOptions) {
    this.#options = options;
  }

  /** The store has just failed. Returns at once. */
  failed(): void {
    if (this.#looking) return;
    this.#looking = true;
    void this.#look().finally(() => (this.#looking = false));
  }

  async #look(): Promise<void> {
    const { probe, onRecovered, signal, log } = this.#options;
    while (!signal.aborted) {
      try {
        await delay(everyMs, undefined, { signal });
        await probe();
      } catch {
        continue;
      }
      log.info({}, "the store can be written again");
      onRecovered();
      return;
    }
  }
}

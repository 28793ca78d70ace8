/** The one door to a store: it tells every failure in the store's name, and shuts. */
import { CrewError, reasonOf } from "../core/errors.ts";
import type { Backend } from "./backend.ts";

export class Access {
  readonly backend: Backend;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Runs `work` unless the store is closed. Whatever it throws becomes `STORE_UNUSABLE`. */
  async read<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw this.unusable("it is closed");
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } catch (thrown) {
      if (thrown instanceof CrewError && thrown.code.startsWith("STORE_")) throw thrown;
      throw this.unusable(thrown);
    } finally {
      this.#running.delete(running);
    }
  }

  /** As {@link read}, and only while this process holds the store's lock; else `STORE_LOCKED`. */
  async write<T>(work: () => Promise<T>): Promise<T> {
    const lost = this.backend.lockLost();
    if (lost !== undefined) throw lost;
    return this.read(work);
  }

  /** Lets what runs come to its end, then closes the store. Calls that come later reject with `STORE_UNUSABLE`. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#running).then(() => this.backend.close());
    return this.#closing;
  }

  unusable(thrown: unknown): CrewError {
    return new CrewError("STORE_UNUSABLE", { store: this.backend.name, reason: reasonOf(thrown) }, thrown);
  }
}

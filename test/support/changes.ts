/** Waiting for something that only events can bring: every change asks the probe again, nothing polls. */

/** Default of all waits. Long, because test machines are slow; a wait that succeeds never takes it. */
export const patienceMs = 30_000;

export interface WaitOptions {
  readonly timeoutMs?: number;
  /** Said when the wait fails: what was waited for, and what was there instead. */
  readonly describe?: () => string;
}

export class Changes {
  readonly #waiting = new Set<() => void>();

  /** Call after every change that a probe may be waiting for. */
  changed(): void {
    for (const ask of this.#waiting) ask();
  }

  /** Resolves to the first value other than `undefined` that `probe` gives, now or after a change. */
  until<T>(probe: () => T | undefined, options: WaitOptions = {}): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const deadline = AbortSignal.timeout(options.timeoutMs ?? patienceMs);
    const ask = (): void => {
      try {
        const found = probe();
        if (found !== undefined) resolve(found);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const expire = (): void => reject(new Error(`Waited in vain for ${options.describe?.() ?? "a change"}`));
    deadline.addEventListener("abort", expire);
    this.#waiting.add(ask);
    ask();
    return promise.finally(() => {
      this.#waiting.delete(ask);
      deadline.removeEventListener("abort", expire);
    });
  }
}

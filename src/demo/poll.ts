/** Asking again and again until something is so: for states that can only be asked for, such as another program's health. */
import { setTimeout as pause } from "node:timers/promises";

/**
 * Calls `probe` until it gives something other than `undefined`, with `everyMs` in between. Rejects with the signal's
 * reason when it aborts, and with whatever `probe` throws.
 */
export async function poll<T>(
  probe: (signal: AbortSignal) => Promise<T | undefined>,
  options: { readonly everyMs: number; readonly signal: AbortSignal },
): Promise<T> {
  const { everyMs, signal } = options;
  for (;;) {
    signal.throwIfAborted();
    const found = await probe(signal);
    if (found !== undefined) return found;
    await pause(everyMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

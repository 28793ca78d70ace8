/** Waits for processes to be gone that were told to. */
import { setTimeout as delay } from "node:timers/promises";

/** A process can hang in the kernel (a network drive) for as long as it likes. Milliseconds. */
const patience = 5000;
const longestWait = 50;

/** @param attempt Does what it can, and tells whether they are gone. Resolves `false` when they are not after five seconds. */
export async function untilGone(attempt: () => Promise<boolean>): Promise<boolean> {
  const began = performance.now();
  for (let wait = 1; ; wait = Math.min(wait * 2, longestWait)) {
    if (await attempt()) return true;
    if (performance.now() - began > patience) return false;
    await delay(wait);
  }
}

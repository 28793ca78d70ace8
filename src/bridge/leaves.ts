/** Runtimes that wait for a person's leave, and what is chosen for them. */
import type { LeaveGiven } from "../core/effect.ts";
import type { EffectId } from "../core/ids.ts";
import type { LeaveAnswer } from "../crew/ports.ts";
import type { PermissionOption } from "../runtimes/port.ts";

export class Leaves {
  readonly #waiting = new Map<EffectId, Set<(given: LeaveGiven) => void>>();

  /** Waits for the answer to a call. Rejects with the signal's reason; nobody waits any more then. */
  wait(call: EffectId, signal: AbortSignal): Promise<LeaveGiven> {
    const { promise, resolve, reject } = Promise.withResolvers<LeaveGiven>();
    const over = (): void => reject(signal.reason);
    if (signal.aborted) over();
    signal.addEventListener("abort", over, { once: true });
    const together = this.#waiting.get(call) ?? new Set();
    this.#waiting.set(call, together.add(resolve));
    return promise.finally(() => {
      signal.removeEventListener("abort", over);
      together.delete(resolve);
      if (together.size === 0) this.#waiting.delete(call);
    });
  }

  /** A person has answered. One that nobody waits for is passed over: its turn is over, or runs again and asks again. */
  give(call: EffectId, given: LeaveGiven): void {
    for (const hear of this.#waiting.get(call) ?? []) hear(given);
  }
}

/**
 * By the kind that fits; never one that the runtime remembers. What was given for always the bridge remembers, for this room
 * and until a person takes it back: a runtime that remembers it would not ask again then.
 */
export function chosen(options: readonly PermissionOption[], given: LeaveGiven): LeaveAnswer {
  const kind = given === "no" ? "reject_once" : "allow_once";
  const found = options.find((option) => option.kind === kind);
  return found === undefined ? "cancelled" : { optionId: found.optionId };
}

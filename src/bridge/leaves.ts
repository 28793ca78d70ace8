/** Runtimes that wait for a person's leave, and what is chosen for them. */
import type { LeaveGiven } from "../core/effect.ts";
import type { EffectId } from "../core/ids.ts";
import type { LeaveAnswer } from "../crew/ports.ts";
import type { PermissionOption } from "../runtimes/port.ts";

export class Leaves {
  readonly #waiting = new Map<EffectId, (given: LeaveGiven) => void>();

  /** Waits for the answer to a call. Rejects with the signal's reason; nobody waits any more then. */
  wait(call: EffectId, signal: AbortSignal): Promise<LeaveGiven> {
    const { promise, resolve, reject } = Promise.withResolvers<LeaveGiven>();
    const over = (): void => reject(signal.reason);
    if (signal.aborted) over();
    signal.addEventListener("abort", over, { once: true });
    this.#waiting.set(call, resolve);
    return promise.finally(() => {
      signal.removeEventListener("abort", over);
      this.#waiting.delete(call);
    });
  }

  /** A person has answered. One that nobody waits for is passed over: its turn is over, or runs again and asks again. */
  give(call: EffectId, given: LeaveGiven): void {
    this.#waiting.get(call)?.(given);
  }
}

/** By the kind that fits; never one that allows more, or is remembered for longer, than what was given. */
export function chosen(options: readonly PermissionOption[], given: LeaveGiven): LeaveAnswer {
  const of = (kind: PermissionOption["kind"]): PermissionOption | undefined =>
    options.find((option) => option.kind === kind);
  const found = {
    once: () => of("allow_once"),
    always: () => of("allow_always") ?? of("allow_once"),
    no: () => of("reject_once"),
  }[given]();
  return found === undefined ? "cancelled" : { optionId: found.optionId };
}

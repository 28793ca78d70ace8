/** Ctrl-C and SIGTERM as an AbortSignal: once to end in order, twice to end now. */

export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

export function catchInterrupt(say: (line: string) => void): Interrupt {
  const controller = new AbortController();
  const end = (): void => {
    // Whoever presses it again does not want to wait. Synapse ends with us: it watches our pipe.
    if (controller.signal.aborted) process.exit(130);
    say("Stopping. (Ctrl-C again to stop at once.)");
    controller.abort();
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      process.off("SIGINT", end);
      process.off("SIGTERM", end);
    },
  };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * What a turn uses of its models, until its room has counted it: a long turn tells it as it goes, so that a limit can stop
 * it and a crash forgets little, and the end of the turn tells the rest. Each figure is told once.
 */
import type { ModelUsage } from "../core/spent.ts";

/** How long what was used may be untold. A turn that is shorter than that tells it only with its end. */
export const tellMs = 2_000;

export interface MeterParts {
  /** Resolves after `ms` milliseconds; rejects as soon as the signal aborts. */
  readonly after: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Has the room count it; resolves when it is recorded. */
  readonly tell: (usage: readonly ModelUsage[]) => Promise<void>;
  readonly onLost: (reason: unknown) => void;
}

export class Meter {
  readonly #parts: MeterParts;
  #open = new Map<string, ModelUsage>();
  readonly #over = new AbortController();
  #waits = false;

  constructor(parts: MeterParts) {
    this.#parts = parts;
  }

  add(use: ModelUsage): void {
    this.#keep(use);
    if (this.#waits || this.#over.signal.aborted) return;
    this.#waits = true;
    const tell = (): Promise<void> => {
      this.#waits = false;
      return this.flush();
    };
    // Rejects when the turn is over before.
    void this.#parts.after(tellMs, this.#over.signal).then(tell, () => undefined);
  }

  /** The turn is over: all that was not told yet, to be told with its end. */
  end(): readonly ModelUsage[] {
    this.#over.abort();
    return this.#take();
  }

  #take(): readonly ModelUsage[] {
    const usage = [...this.#open.values()];
    this.#open = new Map();
    return usage;
  }

  /** Tells what is open. Never rejects: what could not be told is told later, with what comes then. */
  async flush(): Promise<void> {
    const usage = this.#take();
    if (usage.length === 0) return;
    try {
      await this.#parts.tell(usage);
    } catch (thrown) {
      for (const use of usage) this.#keep(use);
      this.#parts.onLost(thrown);
    }
  }

  #keep(use: ModelUsage): void {
    const { model, estimated = false } = use;
    const key = `${estimated} ${model}`;
    const before = this.#open.get(key);
    const cached = (before?.cachedTokens ?? 0) + (use.cachedTokens ?? 0);
    this.#open.set(key, {
      model,
      inputTokens: (before?.inputTokens ?? 0) + use.inputTokens,
      outputTokens: (before?.outputTokens ?? 0) + use.outputTokens,
      ...(cached === 0 ? {} : { cachedTokens: cached }),
      ...(estimated ? { estimated } : {}),
    });
  }
}

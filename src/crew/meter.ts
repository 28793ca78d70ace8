/**
 * What a turn uses of its models, until its room has counted it: a long turn tells it as it goes, so that a limit can stop
 * it and a crash forgets little, and the end of the turn tells the rest. Each figure is told once.
 */
import type { ModelUsage } from "../core/spent.ts";

/** A turn that is shorter than that tells what it used only with its end. */
export const tellMs = 2_000;

export interface MeterParts {
  readonly now: () => number;
  /** Has the room count it; resolves when it is recorded. */
  readonly tell: (usage: readonly ModelUsage[]) => Promise<void>;
  readonly onLost: (reason: unknown) => void;
}

export class Meter {
  readonly #parts: MeterParts;
  #open = new Map<string, ModelUsage>();
  #told: number;

  constructor(parts: MeterParts) {
    this.#parts = parts;
    this.#told = parts.now();
  }

  add(use: ModelUsage): void {
    this.#keep(use);
    if (this.#parts.now() - this.#told >= tellMs) void this.flush();
  }

  /** All that was not told yet. It counts as told from here on. */
  take(): readonly ModelUsage[] {
    const usage = [...this.#open.values()];
    this.#open = new Map();
    return usage;
  }

  /** Tells what is open. Never rejects: what could not be told is told later. */
  async flush(): Promise<void> {
    const usage = this.take();
    if (usage.length === 0) return;
    this.#told = this.#parts.now();
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

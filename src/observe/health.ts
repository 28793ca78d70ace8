/** Whether the bridge lives, whether it can do its work, and the three addresses where this is asked. */
import { reasonOf } from "../core/errors.ts";
import type { Metrics } from "./metrics.ts";

/** Resolves when all is well, with a detail to show if it likes; rejects with the reason when not. */
export type Probe = (signal: AbortSignal) => Promise<string | undefined>;

export interface Check {
  readonly ok: boolean;
  readonly detail?: string;
}

export interface Readiness {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, Check>>;
}

export class Health {
  readonly #probes: Readonly<Record<string, Probe>>;
  readonly #timeoutMs: number;
  #asked: Promise<Readiness> | undefined;

  /** `probes` by name, e.g. store, homeserver, ping. A probe without an answer after `timeoutMs` (2,000) has failed. */
  constructor(probes: Readonly<Record<string, Probe>>, timeoutMs = 2_000) {
    this.#probes = probes;
    this.#timeoutMs = timeoutMs;
  }

  /** That this answers at all is the proof: the event loop turns. What is outside the process never restarts it. */
  live(): { readonly ok: true } {
    return { ok: true };
  }

  /** Asks all probes at once. Never rejects. Calls that come meanwhile share the answer, so nobody can hammer the store. */
  ready(): Promise<Readiness> {
    this.#asked ??= this.#ask().finally(() => (this.#asked = undefined));
    return this.#asked;
  }

  async #ask(): Promise<Readiness> {
    const named = await Promise.all(
      Object.entries(this.#probes).map(async ([name, probe]) => [name, await this.#check(probe)] as const),
    );
    return { ok: named.every(([, check]) => check.ok), checks: Object.fromEntries(named) };
  }

  async #check(probe: Probe): Promise<Check> {
    const stop = new AbortController();
    const { promise: late, resolve } = Promise.withResolvers<Check>();
    const timer = setTimeout(() => {
      stop.abort();
      resolve({ ok: false, detail: `no answer within ${this.#timeoutMs} ms` });
    }, this.#timeoutMs);
    try {
      return await Promise.race([late, answerOf(probe, stop.signal)]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function answerOf(probe: Probe, signal: AbortSignal): Promise<Check> {
  try {
    const detail = await probe(signal);
    return detail === undefined ? { ok: true } : { ok: true, detail };
  } catch (thrown) {
    return { ok: false, detail: reasonOf(thrown) };
  }
}

export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly contentType: string;
  readonly body: string;
}

/** Answers `GET` of `/live`, `/ready` and `/metrics` (a query string is ignored), and `undefined` for any other path. */
export type HealthRoutes = (path: string) => Promise<HealthAnswer | undefined>;

export function healthRoutes(parts: {
  readonly health: Health;
  readonly metrics: Pick<Metrics, "exposition">;
}): HealthRoutes {
  return async (path) => {
    switch (path.split("?", 1)[0]) {
      case "/live":
        return json(200, parts.health.live());
      case "/ready": {
        const readiness = await parts.health.ready();
        return json(readiness.ok ? 200 : 503, readiness);
      }
      case "/metrics":
        return { status: 200, ...(await parts.metrics.exposition()) };
      default:
        return undefined;
    }
  };
}

function json(status: 200 | 503, value: object): HealthAnswer {
  return { status, contentType: "application/json", body: `${JSON.stringify(value)}\n` };
}

/**
 * Keeps an eye on the way to the homeserver and back. After an outage Synapse waits up to 512 s before it sends us
 * anything again; a ping resets that, so there is one at the start and after every outage.
 */
import { reasonOf } from "../core/errors.ts";
import type { Logger } from "../observe/log.ts";
import type { Homeserver } from "./homeserver.ts";
import type { Outage } from "./outage.ts";
import { retrying, type RetryOptions } from "./retry.ts";

export interface WatchOptions {
  readonly homeserver: Pick<Homeserver, "ping" | "versions">;
  readonly outage: Outage;
  /** The registration's id. */
  readonly appservice: string;
  readonly retry: Pick<RetryOptions, "maxWaitMs">;
  readonly onPing: (ok: boolean) => void;
  readonly onChange: (up: boolean) => void;
  readonly log: Logger;
}

export class Watch implements AsyncDisposable {
  readonly #options: WatchOptions;
  readonly #ending = new AbortController();
  readonly #working = new Set<Promise<void>>();
  readonly #off: () => void;
  /** What the last ping said; for `/ready`. */
  #lastPing: string | Error = new Error("not pinged yet");

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#off = options.outage.onChange((up) => {
      options.onChange(up);
      if (up) {
        options.log.info({}, "the homeserver is back");
        this.#work(this.ping());
      } else {
        options.log.warn({}, "the homeserver does not answer; everything is kept until it does");
        this.#work(this.#untilUp());
      }
    });
  }

  get lastPing(): string | Error {
    return this.#lastPing;
  }

  /** Asks the homeserver to reach us. A failure is told and counted, not thrown: the bridge works on without. */
  async ping(): Promise<boolean> {
    const { homeserver, appservice, log, onPing } = this.#options;
    try {
      const ms = await homeserver.ping(appservice, crypto.randomUUID(), { signal: this.#ending.signal });
      this.#lastPing = `${ms} ms`;
      onPing(true);
      return true;
    } catch (thrown) {
      if (this.#ending.signal.aborted) return false;
      this.#lastPing = thrown instanceof Error ? thrown : new Error(reasonOf(thrown));
      log.warn(
        { reason: reasonOf(thrown) },
        "the homeserver cannot reach the bridge: check appservice.address and the registration's url",
      );
      onPing(false);
      return false;
    }
  }

  /** Nobody may be asking anything just now, so the end of an outage must be looked for. */
  async #untilUp(): Promise<void> {
    const { homeserver, outage, retry } = this.#options;
    const { signal } = this.#ending;
    try {
      await retrying(() => homeserver.versions({ signal }), { ...retry, signal, outage });
    } catch (thrown) {
      if (!signal.aborted)
        this.#options.log.error({ reason: reasonOf(thrown) }, "the homeserver refuses to tell its versions");
    }
  }

  #work(work: Promise<unknown>): void {
    const done = work.then(() => undefined).finally(() => this.#working.delete(done));
    this.#working.add(done);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#off();
    this.#ending.abort();
    await Promise.allSettled(this.#working);
  }
}

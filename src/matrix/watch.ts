/**
 * Keeps an eye on the way to the homeserver and back. After an outage Synapse waits up to 512 s before it sends us
 * anything again; a ping resets that, so there is one at the start and after every outage.
 */
import { reasonOf } from "../core/errors.ts";
import type { Logger } from "../observe/log.ts";
import type { Homeserver } from "./homeserver.ts";
import { HomeserverError } from "./homeserver-error.ts";
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
  #pinging = new AbortController();
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

  /**
   * Asks the homeserver to reach us, until it does: Synapse pings over a connection that it kept, and the first ping after
   * our restart may find that one dead. A failure is told and counted, not thrown: the bridge works on without.
   */
  async ping(): Promise<void> {
    const { homeserver, appservice, retry, log, onPing } = this.#options;
    this.#pinging.abort();
    this.#pinging = new AbortController();
    const signal = AbortSignal.any([this.#ending.signal, this.#pinging.signal]);
    const failed = (thrown: unknown): void => {
      this.#lastPing = thrown instanceof Error ? thrown : new Error(reasonOf(thrown));
      onPing(false);
      // That the homeserver is down is told already, and says nothing about the way back.
      if (thrown instanceof HomeserverError && thrown.outage) return;
      log.warn(
        { reason: reasonOf(thrown) },
        "the homeserver cannot reach the bridge: check appservice.address and the registration's url",
      );
    };
    try {
      const ask = (): Promise<number> => homeserver.ping(appservice, crypto.randomUUID(), { signal });
      const ms = await retrying(ask, { ...retry, signal, onRetry: ({ error }) => failed(error) });
      this.#lastPing = `${ms} ms`;
      onPing(true);
    } catch (thrown) {
      if (!signal.aborted) failed(thrown);
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

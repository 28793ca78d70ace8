/** Tries a request to the homeserver again while that may help: back-off with full jitter, or as long as it asks for. */
import { setTimeout as delay } from "node:timers/promises";
import { HomeserverError } from "./homeserver-error.ts";
import type { Outage } from "./outage.ts";

/** As the metric `crewroom_send_retries_total` names it: 429, an answer that is a failure, or no answer. */
export type RetryReason = "limited" | "server" | "network";

export interface Retry {
  readonly reason: RetryReason;
  /** Milliseconds until the next try. */
  readonly waitMs: number;
  /** Tries so far. */
  readonly attempts: number;
  readonly error: HomeserverError;
}

export interface RetryOptions {
  /** Ends the waiting; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Longest wait between two tries in milliseconds, unless the homeserver asks for more. */
  readonly maxWaitMs: number;
  /** Most tries. Default: no end. */
  readonly attempts?: number | undefined;
  /** When given, whoever waits tries at once when the homeserver is back. */
  readonly outage?: Pick<Outage, "up" | "onRecovered"> | undefined;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
  /** From 0 to 1. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Resolves after that time, rejects when the signal aborts. Default: a timer. */
  readonly wait?: ((ms: number, signal: AbortSignal) => Promise<unknown>) | undefined;
}

const firstWaitMs = 250;
/**
 * How often one request takes the homeserver's return for its own. One that fails each time while others succeed (a proxy
 * that does not know its path) would else be repeated as fast as it fails, and call each time an outage.
 */
const trustedReturns = 3;
/** A `Retry-After` of a day is a mistake of a proxy. */
const longestAskedMs = 600_000;

/** Rejects with what `work` throws when it is not retryable, or when all attempts are used up. */
export async function retrying<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, outage, attempts = Infinity } = options;
  // Grows the back-off; begins anew after an outage.
  let failures = 0;
  let returns = 0;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (thrown) {
      if (!(thrown instanceof HomeserverError) || !thrown.retryable || attempt >= attempts) throw thrown;
      signal?.throwIfAborted();
      const isOutage = thrown.outage && returns < trustedReturns;
      // It came back between our failure and now.
      if (isOutage && outage?.up === true) {
        failures = 0;
        returns += 1;
      }
      const waitMs = waitBefore(thrown, failures++, options);
      options.onRetry?.({ reason: reasonOfRetry(thrown), waitMs, attempts: attempt, error: thrown });
      const recovered = await pause(waitMs, isOutage, options);
      if (recovered) {
        failures = 0;
        returns += 1;
      }
    }
  }
}

function waitBefore(error: HomeserverError, failures: number, options: RetryOptions): number {
  const { maxWaitMs, random = Math.random } = options;
  const most = (ms: number): number => Math.round(random() * ms);
  // Everybody is told the same time: the jitter keeps them from coming back together.
  if (error.retryAfterMs !== undefined) return Math.min(error.retryAfterMs, longestAskedMs) + most(firstWaitMs);
  return most(Math.min(maxWaitMs, firstWaitMs * 2 ** Math.min(failures, 30)));
}

function reasonOfRetry(error: HomeserverError): RetryReason {
  if (error.status === undefined) return "network";
  return error.status === 429 ? "limited" : "server";
}

/** Whether the wait ended early because the homeserver is back. */
async function pause(ms: number, isOutage: boolean, { signal, outage, wait = timer }: RetryOptions): Promise<boolean> {
  const end = new AbortController();
  let recovered = false;
  const onAbort = (): void => end.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const off =
    isOutage && outage?.up === false
      ? outage.onRecovered(() => {
          recovered = true;
          end.abort();
        })
      : undefined;
  try {
    await wait(ms, end.signal);
  } catch (thrown) {
    signal?.throwIfAborted();
    if (!recovered) throw thrown;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    off?.();
  }
  return recovered;
}

const timer = (ms: number, signal: AbortSignal): Promise<unknown> => delay(ms, undefined, { signal });

import { expect, test, vi } from "vitest";
import { HomeserverError } from "../../src/matrix/homeserver-error.ts";
import { Outage } from "../../src/matrix/outage.ts";
import { type Retry, retrying } from "../../src/matrix/retry.ts";

function failure(facts: Partial<HomeserverError> = {}): HomeserverError {
  return new HomeserverError("HOMESERVER_UNREACHABLE", {}, { retryable: true, outage: true, ...facts });
}

/** Fails with these in turn, then succeeds. */
function work(...failures: readonly HomeserverError[]): () => Promise<string> {
  const left = [...failures];
  return () => {
    const next = left.shift();
    return next === undefined ? Promise.resolve("done") : Promise.reject(next);
  };
}

const noWait = { maxWaitMs: 10_000, random: () => 1, wait: () => Promise.resolve() };

test("The wait doubles from 250 ms to the longest, and its jitter reaches down to nothing", async () => {
  const waits: number[] = [];
  const onRetry = ({ waitMs }: Retry): void => void waits.push(waitMs);
  const failures = Array.from({ length: 8 }, () => failure());
  await expect(retrying(work(...failures), { ...noWait, onRetry })).resolves.toBe("done");
  expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  waits.length = 0;
  await retrying(work(...failures), { ...noWait, random: () => 0, onRetry });
  expect(waits).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
});

test("What the homeserver asks for is honoured, also beyond the longest wait, but not a whole day", async () => {
  const waits: Retry[] = [];
  const onRetry = (retry: Retry): void => void waits.push(retry);
  const limited = failure({ status: 429, retryAfterMs: 30_000, outage: false });
  const absurd = failure({ status: 503, retryAfterMs: 86_400_000 });
  await retrying(work(limited, absurd, failure()), { ...noWait, random: () => 0, onRetry });
  expect(waits.map(({ waitMs, reason, attempts }) => [waitMs, reason, attempts])).toEqual([
    [30_000, "limited", 1],
    [600_000, "server", 2],
    [0, "network", 3],
  ]);
});

test("A refusal is not tried again, and attempts may be limited", async () => {
  const refused = failure({ retryable: false });
  await expect(retrying(work(refused), noWait)).rejects.toBe(refused);
  const second = failure();
  await expect(retrying(work(failure(), second), { ...noWait, attempts: 2 })).rejects.toBe(second);
  const bug = new TypeError("a bug");
  await expect(retrying(() => Promise.reject(bug), noWait)).rejects.toBe(bug);
});

test("Whoever waits out an outage tries at once when the homeserver is back", async () => {
  vi.useFakeTimers();
  try {
    const outage = new Outage();
    outage.report(false);
    const waiting = Promise.withResolvers<void>();
    const result = retrying(work(failure()), {
      maxWaitMs: 60_000,
      random: () => 1,
      outage,
      onRetry: () => waiting.resolve(),
    });
    await waiting.promise;
    outage.report(true);
    // No timer has run.
    await expect(result).resolves.toBe("done");
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("A rate limit is waited out, whatever comes back meanwhile", async () => {
  const outage = new Outage();
  outage.report(false);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let aborted = false;
  const result = retrying(work(failure({ status: 429, outage: false, retryAfterMs: 5 })), {
    ...noWait,
    outage,
    onRetry: () => undefined,
    wait: (_ms, signal) => {
      outage.report(true);
      aborted = signal.aborted;
      resolve(undefined);
      return promise;
    },
  });
  await result;
  expect(aborted).toBe(false);
});

test("Aborting ends the waiting with the signal's reason", async () => {
  const stop = new AbortController();
  const reason = new Error("draining");
  const result = retrying(work(failure()), {
    maxWaitMs: 60_000,
    random: () => 1,
    signal: stop.signal,
    onRetry: () => queueMicrotask(() => stop.abort(reason)),
  });
  await expect(result).rejects.toBe(reason);
  await expect(retrying(() => Promise.resolve(1), { maxWaitMs: 1, signal: stop.signal })).rejects.toBe(reason);
});

test("An outage tells only its changes, and nobody who has left", () => {
  const outage = new Outage();
  const changes: boolean[] = [];
  let recoveries = 0;
  const off = outage.onChange((up) => changes.push(up));
  outage.onRecovered(() => recoveries++);
  for (const ok of [true, false, false, true, true]) outage.report(ok);
  expect(changes).toEqual([false, true]);
  expect(recoveries).toBe(1);
  off();
  outage.report(false);
  expect(changes).toHaveLength(2);
  expect(outage.up).toBe(false);
});

test("A request that fails each time while the homeserver answers others waits longer and longer all the same", async () => {
  const outage = new Outage();
  const waits: number[] = [];
  const failures = Array.from({ length: 9 }, () => failure());
  const next = work(...failures);
  const flapping = (): Promise<string> => {
    // Each of its failures looks like an outage, which another request ends at once.
    outage.report(false);
    queueMicrotask(() => outage.report(true));
    return next();
  };
  const wait = (_ms: number, signal: AbortSignal): Promise<unknown> =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      setImmediate(resolve);
    });
  const onRetry = ({ waitMs }: Retry): void => void waits.push(waitMs);
  await expect(retrying(flapping, { ...noWait, wait, outage, onRetry })).resolves.toBe("done");
  expect(waits.slice(0, 3)).toEqual([250, 250, 250]);
  expect(waits.at(-1)).toBe(10_000);
});

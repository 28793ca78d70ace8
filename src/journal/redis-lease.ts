/**
 * One bridge per Redis database. Redis has no lock that ends with its connection, so the lock is a key that expires and
 * is renewed:
 *
 * ```
 *  waiting ──SET NX PX──▶ held ──renewed every third of the lease──▶ held ──release──▶ free
 *     │ somebody else renews it                │ token gone, or not renewed before the lease is over
 *     ▼                                        ▼
 *  STORE_LOCKED                              lost, for good: another bridge may have written meanwhile
 * ```
 *
 * A process that was killed leaves its key behind until the lease is over. So a newcomer watches the key that long: a
 * dead holder's runs out, a living one's is renewed. The time left is measured here, from before each renewal was sent,
 * so an event loop that stood still for too long finds its lease over before it writes again.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { CrewError, reasonOf } from "../core/errors.ts";
import { holderText, type JournalOptions } from "./backend.ts";

/** What is used of a Redis client. */
export interface LeaseClient {
  set(key: string, value: string, options: { NX: true; PX: number }): Promise<unknown>;
  get(key: string): Promise<unknown>;
  pTTL(key: string): Promise<unknown>;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

export const leaseKey = "crewroom:lock";
const defaultLeaseMs = 10_000;

const renewScript =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end";
const releaseScript =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

export interface RedisLease {
  readonly lost: () => CrewError | undefined;
  release(): Promise<void>;
}

/** Waits for the lease at most as long as a dead holder's lasts; `STORE_LOCKED` when its holder lives. */
export async function takeLease(client: LeaseClient, store: string, options: JournalOptions): Promise<RedisLease> {
  const leaseMs = options.leaseMs ?? defaultLeaseMs;
  const token = `${holderText(process.pid, hostname())} ${randomUUID()}`;
  let until = performance.now() + leaseMs;
  let leftBefore = Infinity;
  while ((await client.set(leaseKey, token, { NX: true, PX: leaseMs })) === null) {
    const [holder, left] = await Promise.all([client.get(leaseKey), client.pTTL(leaseKey)]);
    const leftMs = Number(left);
    if (leftMs > leftBefore || leftMs === -1) {
      const who = typeof holder === "string" ? ` (${holder.replace(/ \S+$/, "")})` : "";
      throw new CrewError("STORE_LOCKED", { store, holder: who });
    }
    leftBefore = leftMs;
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    await delay(Math.max(1, Math.min(leftMs, leaseMs / 10)), undefined, signal);
    until = performance.now() + leaseMs;
  }
  return holdLease(client, token, leaseMs, until, store, options);
}

function holdLease(
  client: LeaseClient,
  token: string,
  leaseMs: number,
  until: number,
  store: string,
  options: JournalOptions,
): RedisLease {
  let lost: CrewError | undefined;
  let released = false;
  const lose = (why: string): void => {
    if (released || lost !== undefined) return;
    clearInterval(renewal);
    lost = new CrewError("STORE_LOCKED", { store, holder: `: its lock was lost (${why})` });
    options.onLockLost?.(lost);
  };
  const check = (): CrewError | undefined => {
    if (performance.now() > until) lose(`not renewed for ${leaseMs} ms`);
    return lost;
  };
  const renew = async (): Promise<void> => {
    if (check() !== undefined) return;
    const asked = performance.now();
    try {
      const renewed = await client.eval(renewScript, { keys: [leaseKey], arguments: [token, String(leaseMs)] });
      if (renewed === 1) until = asked + leaseMs;
      else lose("another process took or removed it");
    } catch {
      // The server may come back before the lease is over; the next tick asks again, and `check` ends the waiting.
    }
  };
  const renewal = setInterval(() => void renew(), leaseMs / 3).unref();
  return {
    lost: check,
    release: async () => {
      released = true;
      clearInterval(renewal);
      try {
        await client.eval(releaseScript, { keys: [leaseKey], arguments: [token] });
      } catch (thrown) {
        options.onWarning?.(
          `The lock of ${store} could not be given back and runs out by itself: ${reasonOf(thrown)}.`,
        );
      }
    },
  };
}

/**
 * Redis through @keyv/redis: keys `crewroom:<namespace>::<key>` in the database that the URL names.
 *
 * Redis answers before a write is on disk unless it is told otherwise. Only `appendonly yes` with `appendfsync always`
 * keeps the journal's promise; anything else, or a server that will not say, is told to the operator.
 */
import KeyvRedis, { createClient } from "@keyv/redis";
import { CrewError, reasonOf } from "../core/errors.ts";
import { onlyRead, type Backend, type BackendOptions, type JournalOptions } from "./backend.ts";
import { plainKeyv } from "./plain-keyv.ts";
import { takeLease, type RedisLease } from "./redis-lease.ts";
import { addressOf } from "./url.ts";

const connectTimeoutMs = 5_000;
/** A connection on which nothing came for this long is given up; a renewal of the lock answers at least that often. */
const silenceMs = 15_000;
const maxReconnectMs = 2_000;

/** Opens the store at `url` (`redis://` or `rediss://`, `user:password@host:port/database`). */
export async function openRedis(url: string, options: BackendOptions): Promise<Backend> {
  const name = addressOf(url);
  let connected = false;
  const client = createClient({
    url,
    // While the server is away a write fails at once, and the homeserver sends it again, rather than wait in memory.
    disableOfflineQueue: true,
    socket: {
      connectTimeout: connectTimeoutMs,
      socketTimeout: silenceMs,
      reconnectStrategy: (attempts) => connected && Math.min(100 * 2 ** attempts, maxReconnectMs),
    },
  });
  // Each failed command rejects by itself; without a listener the connection's error would end the process.
  client.on("error", () => undefined);
  let lease: RedisLease;
  try {
    await client.connect();
    connected = true;
    lease = options.readOnly === true ? noLease(name) : await takeLease(client, name, options);
  } catch (thrown) {
    if (client.isOpen) client.destroy();
    if (thrown instanceof CrewError) throw thrown;
    throw new CrewError("STORE_UNUSABLE", { store: name, reason: reasonOf(thrown) }, thrown);
  }
  if (options.readOnly !== true) await warnOfRisk(() => client.configGet(["appendonly", "appendfsync"]), name, options);
  return {
    name,
    keyv: (namespace) => {
      const scope = `crewroom:${namespace}`;
      return plainKeyv(new KeyvRedis(client, { namespace: scope, throwOnErrors: true }), scope, false);
    },
    lockLost: lease.lost,
    close: async () => {
      await lease.release();
      if (client.isReady) await client.close();
      else if (client.isOpen) client.destroy();
    },
  };
}

function noLease(name: string): RedisLease {
  return { lost: () => onlyRead(name), release: async () => undefined };
}

async function warnOfRisk(
  ask: () => Promise<Readonly<Record<string, string>>>,
  name: string,
  options: JournalOptions,
): Promise<void> {
  const risk = "it can lose messages that were already acknowledged";
  try {
    const { appendonly, appendfsync } = await ask();
    if (appendonly === "yes" && appendfsync === "always") return;
    options.onWarning?.(
      `${name} runs with appendonly ${appendonly} and appendfsync ${appendfsync}: ${risk}. ` +
        "Set appendonly yes and appendfsync always in redis.conf.",
    );
  } catch (thrown) {
    options.onWarning?.(
      `${name} does not say how it writes to disk (${reasonOf(thrown)}); ` +
        `without appendonly yes and appendfsync always ${risk}.`,
    );
  }
}

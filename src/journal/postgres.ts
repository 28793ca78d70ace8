/**
 * PostgreSQL through @keyv/postgres: one table `crewroom` in the schema `public`.
 *
 * The adapter keeps one connection pool for the whole process and lets a broken idle connection end it; so its
 * `connect` is replaced by a pool of this store's own. Writes of one key must be awaited one after the other, because
 * the pool runs queries side by side.
 */
import { createRequire } from "node:module";
import { hostname } from "node:os";
import { KeyvPostgres } from "@keyv/postgres";
import { CrewError, reasonOf } from "../core/errors.ts";
import { holderText, onlyRead, type Backend, type BackendOptions, type JournalOptions } from "./backend.ts";
import { plainKeyv } from "./plain-keyv.ts";
import { addressOf } from "./url.ts";

/** What is used of `pg`: https://node-postgres.com/apis/client and /apis/pool */
interface Queryable {
  query(sql: string, values?: unknown): Promise<{ readonly rows: Record<string, unknown>[] }>;
  on(event: "error" | "end", listener: (error?: unknown) => void): unknown;
  end(): Promise<void>;
}
interface Pg {
  readonly Pool: new (config: object) => Queryable;
  readonly Client: new (config: object) => Queryable & { connect(): Promise<unknown> };
}

/** The `pg` that @keyv/postgres itself runs on, so that there is never a second version of it. */
function loadPg(): Pg {
  const adapter = createRequire(import.meta.url).resolve("@keyv/postgres");
  return createRequire(adapter)("pg") as Pg;
}

const table = "crewroom";
/** Advisory locks are numbers, one space per database: "crew" and "room" in ASCII. */
const lockKeys = [0x63726577, 0x726f6f6d] as const;
const connectTimeoutMs = 5_000;
/** How often the lock's connection is asked whether it lives. */
const heartbeatMs = 5_000;
/** How long its answer may take: longer than a stall of a busy server, so that one does not cost a restart. */
const answerMs = 15_000;
/** A server that hears nothing from the lock's host for 10 + 3 × 5 s gives the lock free, not after its usual 2 h. */
const keepAlive = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/** Opens the store at `url` (`postgres://user:password@host/database`); its user must be allowed to make a table. */
export async function openPostgres(url: string, options: BackendOptions): Promise<Backend> {
  const name = addressOf(url);
  const pg = loadPg();
  const { readOnly = false } = options;
  const lock = readOnly ? noLock(name) : await lockPostgres(pg, url, name, options);
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: connectTimeoutMs, max: 8 });
  // The pool has dropped the connection already and opens another for the next query.
  pool.on("error", () => undefined);

  class PooledStore extends KeyvPostgres {
    override async connect(): Promise<(sql: string, values?: unknown) => Promise<unknown[]>> {
      // The adapter begins by making the table, which a reader need not be allowed to do.
      return async (sql, values) => (readOnly && sql.startsWith("CREATE ") ? [] : (await pool.query(sql, values)).rows);
    }
    override async disconnect(): Promise<void> {}
  }
  try {
    // Collation C: keys sort as bytes, as in the other stores, and prefixes can use the index.
    const made = `CREATE TABLE IF NOT EXISTS public.${table} (key VARCHAR(1024) COLLATE "C" PRIMARY KEY, value TEXT)`;
    await pool.query(readOnly ? `SELECT FROM public.${table} LIMIT 0` : made);
    if (!readOnly) await warnOfRisk(pool, name, options);
  } catch (thrown) {
    await Promise.allSettled([pool.end(), lock.release()]);
    throw new CrewError("STORE_UNUSABLE", { store: name, reason: reasonOf(thrown) }, thrown);
  }
  const stores: PooledStore[] = [];
  return {
    name,
    keyv: (namespace) => {
      const store = new PooledStore({ table, keySize: 1024, iterationLimit: 64 });
      stores.push(store);
      return plainKeyv(store, namespace);
    },
    lockLost: lock.lost,
    close: async () => {
      // Each adapter begins by making the table by itself, and a pool that ends leaves such a query without an answer.
      await Promise.allSettled(stores.map((store) => store.query("SELECT 1")));
      await pool.end();
      await lock.release();
    },
  };
}

async function warnOfRisk(pool: Queryable, name: string, options: JournalOptions): Promise<void> {
  for (const setting of ["fsync", "synchronous_commit"]) {
    const { rows } = await pool.query(`SHOW ${setting}`);
    if (rows[0]?.[setting] !== "off") continue;
    options.onWarning?.(`${name} runs with ${setting} = off: it can lose messages that were already acknowledged.`);
  }
}

interface PostgresLock {
  readonly lost: () => CrewError | undefined;
  release(): Promise<void>;
}

function noLock(name: string): PostgresLock {
  return { lost: () => onlyRead(name), release: async () => undefined };
}

/** A session advisory lock on a connection of its own: the server gives it free when that connection ends. */
async function lockPostgres(pg: Pg, url: string, name: string, options: JournalOptions): Promise<PostgresLock> {
  const client = new pg.Client({
    connectionString: url,
    application_name: `crewroom, ${holderText(process.pid, hostname())}`,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: answerMs,
    keepAlive: true,
  });
  let held = false;
  let lost: CrewError | undefined;
  const lose = (thrown: unknown): void => {
    if (!held) return;
    held = false;
    clearInterval(heartbeat);
    const holder = `: the connection that held its lock was lost (${reasonOf(thrown)})`;
    lost = new CrewError("STORE_LOCKED", { store: name, holder }, thrown);
    options.onLockLost?.(lost);
  };
  client.on("error", lose);
  client.on("end", () => lose("it ended"));
  const heartbeat = setInterval(() => {
    if (held) client.query("SELECT 1").catch(lose);
  }, heartbeatMs).unref();

  try {
    await client.connect();
    await client.query(keepAlive);
    const { rows } = await client.query("SELECT pg_try_advisory_lock($1, $2) AS locked", [...lockKeys]);
    if (rows[0]?.["locked"] !== true) {
      throw new CrewError("STORE_LOCKED", { store: name, holder: await holderOf(client) });
    }
    held = true;
  } catch (thrown) {
    clearInterval(heartbeat);
    await client.end().catch(() => undefined);
    if (thrown instanceof CrewError) throw thrown;
    throw new CrewError("STORE_UNUSABLE", { store: name, reason: reasonOf(thrown) }, thrown);
  }
  return {
    lost: () => lost,
    release: async () => {
      held = false;
      clearInterval(heartbeat);
      await client.end();
    },
  };
}

async function holderOf(client: Queryable): Promise<string> {
  const { rows } = await client.query(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted " +
      "AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database()) " +
      "AND classid = $1 AND objid = $2",
    [...lockKeys],
  );
  const who = rows[0]?.["application_name"];
  return typeof who === "string" && who !== "" ? ` (${who})` : "";
}

/** Opens the journal on the store that the config names. */
import { CrewError } from "../core/errors.ts";
import type { Backend, BackendOptions, JournalOptions } from "./backend.ts";
import type { AuditReader, Journal } from "./journal.ts";
import { openSqlite } from "./sqlite-backend.ts";
import { storedAuditReader, storedJournal } from "./stored-journal.ts";
import { addressOf } from "./url.ts";

export type { JournalOptions } from "./backend.ts";

/**
 * Opens the journal at `url` and locks it for this process. Dispose it to write what is waiting and to free the lock.
 *
 * | url                               | on disk before a write resolves                                | the lock ends      |
 * |-----------------------------------|----------------------------------------------------------------|--------------------|
 * | `sqlite:/absolute/path`           | always (WAL, synchronous = FULL)                               | with the process   |
 * | `sqlite::memory:`                 | never; for tests                                               | there is none      |
 * | `postgres://…`, `postgresql://…`  | unless fsync or synchronous_commit is off, which gives a warning | with its connection |
 * | `redis://…`, `rediss://…`         | only with appendonly yes and appendfsync always, else a warning | after `leaseMs`    |
 *
 * On PostgreSQL and Redis, writes of one key must be awaited one after the other, and a read does not see a write that
 * is not awaited; on SQLite both keep the order in which they were asked for.
 *
 * Throws `STORE_LOCKED` when another process holds the store, and `STORE_UNUSABLE` when it cannot be opened, its scheme
 * is unknown, or what it holds cannot be read.
 */
export async function openJournal(url: string, options: JournalOptions = {}): Promise<Journal> {
  const backend = await openBackend(url, options);
  try {
    return await storedJournal(backend, options);
  } catch (thrown) {
    await backend.close();
    throw thrown;
  }
}

/**
 * Opens the audit log of the store at `url` for reading, without a lock and also while a bridge runs on it. Makes and
 * changes nothing.
 *
 * Throws `STORE_UNUSABLE` when there is no such store or it cannot be read; so does what reads it.
 */
export async function openAuditReader(url: string): Promise<AuditReader & AsyncDisposable> {
  return storedAuditReader(await openBackend(url, { readOnly: true }));
}

async function openBackend(url: string, options: BackendOptions): Promise<Backend> {
  const scheme = url.slice(0, url.indexOf(":"));
  switch (scheme) {
    case "sqlite":
      return openSqlite(url.slice("sqlite:".length), options);
    // Imported only when used: each brings a client library that the default store has no need of.
    case "postgres":
    case "postgresql":
      return (await import("./postgres.ts")).openPostgres(url, options);
    case "redis":
    case "rediss":
      return (await import("./redis.ts")).openRedis(url, options);
    default: {
      const reason = "its scheme is none of sqlite:, postgres://, redis://";
      throw new CrewError("STORE_UNUSABLE", { store: addressOf(url), reason });
    }
  }
}

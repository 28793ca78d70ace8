/** The stores that the journal's contract is tested on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import { redisMissing, startRedis } from "../support/redis.ts";

export interface TestStore extends AsyncDisposable {
  /** The URL of a new, empty store. */
  fresh(): Promise<string>;
  /** Puts `text` where the entry `key` of `namespace` would be. */
  plant(url: string, namespace: string, key: string, text: string): Promise<void>;
  /** Puts `text` in place of the entry that is there. */
  replace(url: string, namespace: string, key: string, text: string): Promise<void>;
  /** Removes the entry that is there. */
  erase(url: string, namespace: string, key: string): Promise<void>;
  /** Takes the lock away from whoever holds it, as a lost connection would. */
  breakLock?(url: string): Promise<void>;
}

export interface StoreKind {
  readonly name: string;
  readonly missing: string | undefined;
  start(): Promise<TestStore>;
}

async function sqlite(): Promise<TestStore> {
  const { DatabaseSync } = await import("node:sqlite");
  const folder = mkdtempSync(join(tmpdir(), "crewroom-journal-"));
  let count = 0;
  const change = (url: string, sql: string, ...values: string[]): void => {
    const db = new DatabaseSync(url.slice("sqlite:".length));
    db.prepare(sql).run(...values);
    db.close();
  };
  return {
    fresh: async () => `sqlite:${join(folder, `${++count}.db`)}`,
    plant: async (url, namespace, key, text) => {
      change(url, "INSERT INTO entry (key, value) VALUES (?, ?)", `${namespace}:${key}`, text);
    },
    replace: async (url, namespace, key, text) => {
      change(url, "UPDATE entry SET value = ? WHERE key = ?", text, `${namespace}:${key}`);
    },
    erase: async (url, namespace, key) => {
      change(url, "DELETE FROM entry WHERE key = ?", `${namespace}:${key}`);
    },
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }),
  };
}

async function postgres(): Promise<TestStore> {
  const server = await startPostgres();
  return {
    fresh: () => server.database(),
    plant: async (url, namespace, key, text) => {
      await server.sql(url, `INSERT INTO crewroom VALUES ('${namespace}:${key}', '${text}')`);
    },
    replace: async (url, namespace, key, text) => {
      await server.sql(url, `UPDATE crewroom SET value = '${text}' WHERE key = '${namespace}:${key}'`);
    },
    erase: async (url, namespace, key) => {
      await server.sql(url, `DELETE FROM crewroom WHERE key = '${namespace}:${key}'`);
    },
    breakLock: async (url) => {
      // All connections of this database, those that idle in the pool as well.
      await server.sql(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function redis(): Promise<TestStore> {
  const server = await startRedis();
  return {
    fresh: () => server.database(),
    plant: async (url, namespace, key, text) => {
      await server.command(url, "set", `crewroom:${namespace}::${key}`, text);
    },
    replace: async (url, namespace, key, text) => {
      await server.command(url, "set", `crewroom:${namespace}::${key}`, text);
    },
    erase: async (url, namespace, key) => {
      await server.command(url, "del", `crewroom:${namespace}::${key}`);
    },
    breakLock: async (url) => {
      await server.command(url, "del", "crewroom:lock");
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export const storeKinds: readonly StoreKind[] = [
  { name: "SQLite", missing: undefined, start: sqlite },
  { name: "PostgreSQL", missing: postgresMissing, start: postgres },
  { name: "Redis", missing: redisMissing, start: redis },
];

/**
 * A keyv store adapter over Node's own SQLite: no native package to build, one file, durable.
 *
 * Several adapters may share one connection, one for each keyv namespace, because keyv notes its namespace on the
 * adapter and reads it back from there for `clear` and `iterator`.
 */
import { EventEmitter } from "node:events";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { KeyvStoreAdapter } from "keyv";
import { CrewError, reasonOf } from "../core/errors.ts";
import { GroupCommit } from "./group-commit.ts";

/** Milliseconds since the epoch. */
type Clock = () => number;

/** Grows with every change of the tables below. */
const schemaVersion = 1;
/** How long a commit waits for another program that writes to the file, e.g. a restore. The event loop waits as well. */
const busyTimeoutMs = 2_000;
/** The log is cut back to this size after a checkpoint, so that one large batch does not occupy the disk for ever. */
const logSizeLimitBytes = 64 * 1024 * 1024;
/** Rows read at once by `iterator`; other work gets its turn in between. */
const pageRows = 64;

/** The database file with its schema, its prepared statements and its group commit. */
export class SqliteFile implements Disposable {
  readonly url: string;
  readonly now: Clock;
  readonly commits: GroupCommit;
  readonly get: StatementSync;
  readonly set: StatementSync;
  readonly delete: StatementSync;
  readonly clear: StatementSync;
  readonly page: StatementSync;
  readonly #holder: StatementSync;

  /**
   * Opens or makes the file `path`; `:memory:` is allowed and not durable. Throws `STORE_UNUSABLE` when it cannot, or
   * when a newer Crewroom wrote it.
   * @param readOnly The file must be there, and is left as it is.
   */
  constructor(path: string, now: Clock = Date.now, readOnly = false) {
    this.url = `sqlite:${path}`;
    this.now = now;
    try {
      const db = readOnly ? readable(path, this.url) : prepared(path, this.url);
      this.commits = new GroupCommit(db, this.url);
      this.get = db.prepare("SELECT value FROM entry WHERE key = ? AND (expires IS NULL OR expires > ?)");
      this.set = db.prepare(
        "INSERT INTO entry (key, value, expires) VALUES (?, ?, ?) " +
          "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires",
      );
      this.delete = db.prepare("DELETE FROM entry WHERE key = ?");
      this.clear = db.prepare("DELETE FROM entry WHERE key >= ? AND key < ?");
      this.page = db.prepare(
        `SELECT key, value FROM entry WHERE key > ? AND key < ? AND (expires IS NULL OR expires > ?) ORDER BY key LIMIT ${pageRows}`,
      );
      this.#holder = db.prepare("INSERT OR REPLACE INTO holder (one, who) VALUES (1, ?)");
      if (!readOnly) db.prepare("DELETE FROM entry WHERE expires <= ?").run(now());
    } catch (thrown) {
      if (thrown instanceof CrewError) throw thrown;
      throw new CrewError("STORE_UNUSABLE", { store: this.url, reason: reasonOf(thrown) }, thrown);
    }
  }

  /** Notes who has the file open, for the error of a second bridge. */
  hold(who: string): void {
    this.#holder.run(who);
  }

  [Symbol.dispose](): void {
    this.commits.close();
  }
}

function prepared(path: string, url: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    db.exec("PRAGMA journal_mode = WAL");
    // In WAL mode only FULL syncs the log at every commit; NORMAL, the usual advice, may lose the last ones.
    db.exec(`PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${logSizeLimitBytes}`);
    refuseNewer(db, url);
    // A rowid table on purpose: rows of 100 KB would make the inner pages of a WITHOUT ROWID tree useless.
    db.exec(
      "CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, expires INTEGER) STRICT; " +
        "CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY CHECK (one = 1), who TEXT NOT NULL) STRICT; " +
        `PRAGMA user_version = ${schemaVersion}`,
    );
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function readable(path: string, url: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs });
  try {
    refuseNewer(db, url);
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function refuseNewer(db: DatabaseSync, url: string): void {
  const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version <= schemaVersion) return;
  const reason = `it was written by a newer Crewroom (schema ${version}, this one knows ${schemaVersion})`;
  throw new CrewError("STORE_UNUSABLE", { store: url, reason });
}

export interface SqliteStoreOptions {
  readonly dialect: "sqlite";
  readonly url: string;
}

/** One keyv namespace of a {@link SqliteFile}. Values are strings, which is what keyv's serializers make. */
export class SqliteStore extends EventEmitter implements KeyvStoreAdapter {
  /** keyv offers `iterator` only for dialects that it knows by name. */
  readonly opts: SqliteStoreOptions;
  namespace?: string | undefined;
  readonly #file: SqliteFile;

  constructor(file: SqliteFile) {
    super();
    this.#file = file;
    this.opts = { dialect: "sqlite", url: file.url };
  }

  get<Value>(key: string): Promise<Value | undefined> {
    return this.#file.commits.read(() => this.#read(key) as Value | undefined);
  }

  getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    return this.#file.commits.read(() => keys.map((key) => this.#read(key) as Value | undefined));
  }

  has(key: string): Promise<boolean> {
    return this.#file.commits.read(() => this.#read(key) !== undefined);
  }

  set(key: string, value: unknown, ttl?: number): Promise<void> {
    return this.#file.commits.write(() => this.#write(key, value, ttl));
  }

  setMany(entries: { key: string; value: unknown; ttl?: number }[]): Promise<void> {
    return this.#file.commits.write(() => {
      for (const { key, value, ttl } of entries) this.#write(key, value, ttl);
    });
  }

  delete(key: string): Promise<boolean> {
    return this.#file.commits.write(() => this.#erase(key));
  }

  /** True when at least one of the keys was there, as the other published adapters have it. */
  deleteMany(keys: string[]): Promise<boolean> {
    return this.#file.commits.write(() => keys.map((key) => this.#erase(key)).includes(true));
  }

  clear(): Promise<void> {
    return this.#file.commits.write(() => {
      this.#file.clear.run(...bounds(this.namespace));
    });
  }

  /** Entries in the order of their keys, read page by page; what is written meanwhile may or may not appear. */
  async *iterator<Value>(namespace?: string): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    const [start, end] = bounds(namespace);
    let after = start;
    for (;;) {
      const from = after;
      const rows = await this.#file.commits.read(() => this.#file.page.all(from, end, this.#file.now()));
      for (const row of rows) {
        after = String(row["key"]);
        yield [after, row["value"] as Awaited<Value>];
      }
      if (rows.length < pageRows) return;
    }
  }

  /** Closes the file for every adapter on it. */
  async disconnect(): Promise<void> {
    this.#file[Symbol.dispose]();
  }

  #read(key: string): unknown {
    return this.#file.get.get(key, this.#file.now())?.["value"];
  }

  #write(key: string, value: unknown, ttl: number | undefined): void {
    if (typeof value !== "string") {
      throw new CrewError("STORE_UNUSABLE", { store: this.#file.url, reason: `the value of ${key} is not serialized` });
    }
    this.#file.set.run(key, value, ttl === undefined ? null : Math.ceil(this.#file.now() + ttl));
  }

  #erase(key: string): boolean {
    return Number(this.#file.delete.run(key).changes) > 0;
  }
}

/** First and last bound of a namespace's keys `ns:…`. `;` is the character after `:`; U+10FFFF ends what UTF-8 can say. */
function bounds(namespace: string | undefined): [string, string] {
  return namespace === undefined ? ["", "\u{10FFFF}"] : [`${namespace}:`, `${namespace};`];
}

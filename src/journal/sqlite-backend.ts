/** The default store: one SQLite file, every commit synced to disk before it is told. */
import { closeSync, openSync, realpathSync } from "node:fs";
import { hostname } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { CrewError, reasonOf } from "../core/errors.ts";
import { holderText, onlyRead, type Backend, type BackendOptions } from "./backend.ts";
import { plainKeyv } from "./plain-keyv.ts";
import { lockSqlite } from "./sqlite-lock.ts";
import { SqliteFile, SqliteStore } from "./sqlite.ts";

/** Opens the file `path`, or a database in memory for `:memory:`, which is neither locked nor durable. */
export function openSqlite(path: string, options: BackendOptions): Backend {
  const url = `sqlite:${path}`;
  if (options.readOnly === true) return readOnly(path, url);
  const real = path === ":memory:" ? path : privateFile(path, url);
  const lock = path === ":memory:" ? undefined : lockSqlite(real, url, () => readHolder(real));
  try {
    const file = new SqliteFile(real, options.now);
    file.hold(holderText(process.pid, hostname()));
    return {
      name: url,
      keyv: (namespace) => plainKeyv(new SqliteStore(file), namespace),
      lockLost: () => undefined,
      close: async () => {
        file[Symbol.dispose]();
        lock?.[Symbol.dispose]();
      },
    };
  } catch (thrown) {
    lock?.[Symbol.dispose]();
    throw thrown;
  }
}

/** Other processes go on writing: in WAL mode they and readers do not wait for each other. */
function readOnly(path: string, url: string): Backend {
  const file = new SqliteFile(path, undefined, true);
  return {
    name: url,
    keyv: (namespace) => plainKeyv(new SqliteStore(file), namespace),
    lockLost: () => onlyRead(url),
    close: async () => file[Symbol.dispose](),
  };
}

/**
 * Makes the file readable by its owner alone, for it holds private messages; SQLite gives its log the same mode. An
 * existing file keeps its mode, and is not opened here (see the note on POSIX locks in `sqlite-lock.ts`). Symbolic
 * links are followed, so that two names of one file are one lock.
 */
function privateFile(path: string, url: string): string {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (thrown) {
    const exists = thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST";
    if (!exists) throw new CrewError("STORE_UNUSABLE", { store: url, reason: reasonOf(thrown) }, thrown);
  }
  return realpathSync(path);
}

/** The last process that took the lock, in parentheses; empty when it has not written its name yet. */
function readHolder(path: string): string {
  try {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      const who = db.prepare("SELECT who FROM holder").get()?.["who"];
      return typeof who === "string" ? ` (${who})` : "";
    } finally {
      db.close();
    }
  } catch {
    return "";
  }
}

/**
 * One bridge per file, by a lock that the operating system holds: it ends with its process, however that ends.
 *
 * The lock is the RESERVED lock of a transaction that never commits, on an empty database beside the store. The store
 * itself stays free for other programs to read and to back up. Never open `<file>.lock` by other means in this process:
 * POSIX drops all of a process's locks on a file when it closes any descriptor of it.
 */
import { DatabaseSync } from "node:sqlite";
import { CrewError, reasonOf } from "../core/errors.ts";

/** SQLITE_BUSY, https://sqlite.org/rescode.html#busy */
const busy = 5;

/** Takes the lock of the store `path`, or throws `STORE_LOCKED` naming `holder()`. Disposing gives it back. */
export function lockSqlite(path: string, url: string, holder: () => string): Disposable {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
    lock.exec("BEGIN IMMEDIATE");
  } catch (thrown) {
    lock?.close();
    if (isBusy(thrown)) throw new CrewError("STORE_LOCKED", { store: url, holder: holder() }, thrown);
    throw new CrewError("STORE_UNUSABLE", { store: url, reason: reasonOf(thrown) }, thrown);
  }
  const held = lock;
  return { [Symbol.dispose]: () => held.close() };
}

function isBusy(thrown: unknown): boolean {
  // Extended codes keep the primary one in the low byte.
  return thrown instanceof Error && "errcode" in thrown && (Number(thrown.errcode) & 0xff) === busy;
}

/**
 * A lock between processes that the operating system frees when its holder dies, so that a crash leaves nothing to clean
 * up. It is an exclusive transaction on an empty SQLite file: Node has no `flock` of its own.
 */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { poll } from "./poll.ts";

const askAgainMs = 200;

/** Waits for the lock on `file` (made when missing). `onWait` is called once when another process holds it. */
export async function lockFile(
  file: string,
  options: { readonly signal: AbortSignal; readonly onWait?: () => void },
): Promise<Disposable> {
  await mkdir(path.dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  let told = false;
  try {
    await poll(
      async () => {
        if (tryToLock(database)) return true;
        if (!told) options.onWait?.();
        told = true;
        return undefined;
      },
      { everyMs: askAgainMs, signal: options.signal },
    );
  } catch (error) {
    database.close();
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}

function tryToLock(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (error instanceof Error && /locked/.test(error.message)) return false;
    throw error;
  }
}

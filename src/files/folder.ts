/**
 * Folders held open, step by step from the root of a worktree and never through a link. What is then done in such a folder
 * is done in it, also when somebody moves it or puts a link in its place meanwhile. Linux gives names below an open folder
 * (`/proc/self/fd`); elsewhere the way is looked at again after opening.
 */
import { constants, existsSync } from "node:fs";
import { lstat, mkdir, open, realpath, type FileHandle } from "node:fs/promises";
import { CrewError } from "../core/errors.ts";

export interface Folder extends AsyncDisposable {
  /** For reading its entries. */
  readonly path: string;
  /** The path of an entry, for calls that follow no link at its end. */
  at(name: string): string;
  at(name: Buffer): Buffer;
  /** A folder in it. `make`: it is made when there is none. @throws as {@link openFolder}. */
  enter(name: string | Buffer, make?: boolean): Promise<Folder>;
  /**
   * Opens a file in it for reading.
   * @throws CrewError `FILE_REFUSED` for what is no ordinary file; the system's error otherwise.
   */
  file(name: string): Promise<FileHandle>;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
const held = process.platform === "linux" && existsSync("/proc/self/fd");

/**
 * @param root Real path of the worktree.
 * @param parts Names from there on.
 * @param make Makes the folders that are not there yet.
 * @throws CrewError `FILE_REFUSED` when a part is a link or no folder; the system's error otherwise (`ENOENT`).
 */
export async function openFolder(root: string, parts: readonly string[], make = false): Promise<Folder> {
  let folder = await hold(root, root);
  for (const part of parts) {
    await using left = folder;
    folder = await left.enter(part, make);
  }
  return folder;
}

/** @param real Where the folder is supposed to be. */
async function hold(path: string | Buffer, real: string): Promise<Folder> {
  const handle = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const base = held ? `/proc/self/fd/${handle.fd}` : real;

  /** Where folders cannot be held by their number, a link put on the way is seen by the way's real path. */
  async function check(): Promise<void> {
    if (!held && alike(await realpath(real)) !== alike(real)) throw refused(real, "it was moved meanwhile");
  }

  function at(name: string): string;
  function at(name: Buffer): Buffer;
  function at(name: string | Buffer): string | Buffer {
    return typeof name === "string" ? `${base}/${name}` : Buffer.concat([Buffer.from(`${base}/`), name]);
  }
  const pathOf = (name: string | Buffer): string | Buffer => (typeof name === "string" ? at(name) : at(name));

  const folder: Folder = {
    path: base,
    at,
    async enter(name, make = false) {
      const path = pathOf(name);
      try {
        return await hold(path, `${real}/${name.toString()}`);
      } catch (thrown) {
        const code = codeOf(thrown);
        if (make && code === "ENOENT") {
          await mkdir(path).catch((failed: unknown) => {
            if (codeOf(failed) !== "EEXIST") throw failed;
          });
          return folder.enter(name);
        }
        if (code !== "ELOOP" && code !== "ENOTDIR") throw thrown;
        const isLink = (await lstat(path)).isSymbolicLink();
        throw refused(name.toString(), isLink ? "it is a link" : "it is a file and no folder");
      }
    },
    async file(name) {
      let handle: FileHandle;
      try {
        // Without waiting: a pipe would hold the opener until somebody writes to it.
        handle = await open(at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      } catch (thrown) {
        if (codeOf(thrown) === "ELOOP") throw refused(name, "it is a link");
        if (codeOf(thrown) === "ENXIO") throw refused(name, "it is no ordinary file");
        throw thrown;
      }
      try {
        await check();
        const found = await handle.stat();
        if (found.isDirectory()) throw refused(name, "it is a folder");
        if (!found.isFile()) throw refused(name, "it is no ordinary file");
        return handle;
      } catch (thrown) {
        await handle.close();
        throw thrown;
      }
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
  try {
    await check();
    return folder;
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

/** Some file systems take names for equal that differ in case or in how an accent is written. */
function alike(path: string): string {
  return path.normalize("NFC").toLowerCase();
}

function refused(path: string, reason: string): CrewError {
  return new CrewError("FILE_REFUSED", { path, reason });
}

/** The system's code of an error, such as `ENOENT`. */
export function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

/**
 * Files of a worktree as they are on the disk. Git reads none of them: a link put in a folder's place meanwhile, a pipe, or
 * a file that is to change how git reads others would be its trouble. Each is opened here, step by step and without links.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, readlink, type FileHandle } from "node:fs/promises";
import { CrewError } from "../core/errors.ts";
import { codeOf, type Folder, openFolder } from "./folder.ts";
import { bytesOf, type Entry } from "./index-file.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
const chunkBytes = 128 * 1024;

/** The folder in which a path stands, and the path's last name. */
export async function folderOfPath(root: string, name: string, make = false): Promise<[Folder, Buffer]> {
  const parts = name.split("/");
  const last = bytesOf(parts.pop() ?? "");
  let folder = await openFolder(root, []);
  for (const part of parts) {
    await using left = folder;
    folder = await left.enter(bytesOf(part), make);
  }
  return [folder, last];
}

/** Whether an error means that something is not there, or by now is something else. */
export function isAway(thrown: unknown): boolean {
  const code = codeOf(thrown);
  if (thrown instanceof CrewError) return thrown.code === "FILE_REFUSED";
  return ["ENOENT", "ENOTDIR", "ELOOP", "EINVAL", "ENXIO", "ESTALE", "EISDIR"].includes(code ?? "");
}

/** Opens an ordinary file. `undefined`: it is gone, or something else. */
export async function openFile(root: string, name: string): Promise<FileHandle | undefined> {
  try {
    const [folder, last] = await folderOfPath(root, name);
    await using _held = folder;
    const handle = await open(folder.at(last), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    return undefined;
  } catch (thrown) {
    if (isAway(thrown)) return undefined;
    throw thrown;
  }
}

/** The bytes of an open file, exactly `size` of them; fewer when it became shorter. */
export async function* chunksOf(handle: FileHandle, size: number): AsyncGenerator<Buffer> {
  let left = size;
  while (left > 0) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(chunkBytes, left)), 0);
    if (bytesRead === 0) return;
    left -= bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Git's name for content of this size, still to be fed with it. */
export function blobHash(size: number): ReturnType<typeof createHash> {
  return createHash("sha1").update(`blob ${size}\0`);
}

export function blobOf(content: Uint8Array): string {
  return blobHash(content.length).update(content).digest("hex");
}

export async function linkTarget(root: string, name: string): Promise<Buffer | undefined> {
  try {
    const [folder, last] = await folderOfPath(root, name);
    await using _held = folder;
    return await readlink(folder.at(last), { encoding: "buffer" });
  } catch (thrown) {
    if (isAway(thrown)) return undefined;
    throw thrown;
  }
}

/** What stands at a path: as git would keep it, `absent`, or `other` (a folder, a pipe, behind a link). */
export async function stateOf(root: string, name: string): Promise<Entry | "absent" | "other"> {
  try {
    const [folder, last] = await folderOfPath(root, name);
    await using _held = folder;
    const found = await lstat(folder.at(last));
    if (found.isSymbolicLink())
      return { mode: "120000", blob: blobOf(await readlink(folder.at(last), { encoding: "buffer" })) };
    if (!found.isFile()) return "other";
    const handle = await openFile(root, name);
    if (handle === undefined) return "other";
    await using open = handle;
    return { mode: modeOf(found.mode), blob: await hashFile(open, found.size) };
  } catch (thrown) {
    const code = codeOf(thrown);
    if (code === "ENOENT") return "absent";
    if (isAway(thrown)) return "other";
    throw thrown;
  }
}

export async function hashFile(handle: FileHandle, size: number): Promise<string> {
  const hash = blobHash(size);
  for await (const chunk of chunksOf(handle, size)) hash.update(chunk);
  return hash.digest("hex");
}

export function modeOf(bits: number): string {
  return (bits & 0o100) === 0 ? "100644" : "100755";
}

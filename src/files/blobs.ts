/** Reads what stands in a commit: paths, blobs and their bytes. No file is held in memory, unless somebody asks for its text. */
import { createHash, type Hash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Writable } from "node:stream";
import type { CommitHash } from "../core/ids.ts";
import type { Git } from "./git.ts";
import type { Repository } from "./port.ts";

export interface TreeFile {
  readonly path: string;
  /** Git's mode: `100644`, `100755`, `120000`. */
  readonly mode: string;
  /** Bytes. */
  readonly size: number;
}

interface TreeEntry extends TreeFile {
  readonly kind: "blob" | "tree" | "commit";
  readonly blob: string;
}

const entryLine = /^(\d+) (blob|tree|commit) ([0-9a-f]+) +(\d+|-)\t([^]*)$/;

/** Parses `ls-tree -z -l`. */
function entries(output: string): TreeEntry[] {
  return output.split("\0").flatMap((line) => {
    const [, mode, kind, blob, size, path] = entryLine.exec(line) ?? [];
    if (mode === undefined || kind === undefined || blob === undefined || path === undefined) return [];
    return [{ path, mode, kind: kind as TreeEntry["kind"], blob, size: Number(size === "-" ? 0 : size) }];
  });
}

/** What stands at a path, be it a file or a folder; `undefined`: nothing. */
export async function entryAt(
  git: Git,
  repository: Repository,
  commit: string,
  path: string,
): Promise<TreeEntry | undefined> {
  if (path === "" || path.endsWith("/") || path.includes("\0")) return undefined;
  const args = ["ls-tree", "-z", "-l", "--full-tree", commit, "--", path];
  return entries(await git.text({ gitDir: repository.path }, args)).find((entry) => entry.path === path);
}

/** A file in a commit. `undefined`: there is none, or a folder. */
export async function blobAt(
  git: Git,
  repository: Repository,
  commit: string,
  path: string,
): Promise<{ readonly blob: string; readonly mode: string; readonly size: number } | undefined> {
  const entry = await entryAt(git, repository, commit, path);
  return entry?.kind === "blob" ? { blob: entry.blob, mode: entry.mode, size: entry.size } : undefined;
}

async function filesBelow(git: Git, repository: Repository, commit: string, path: string): Promise<TreeEntry[]> {
  const where = path.replace(/\/+$/, "");
  const args = ["ls-tree", "-r", "-z", "-l", "--full-tree", commit, ...(where === "" ? [] : ["--", where])];
  return entries(await git.text({ gitDir: repository.path }, args)).filter((entry) => entry.kind === "blob");
}

/** All files of a folder (`""`: of the whole commit) and of the folders in it, by path. A file's own path gives that file. */
export async function treeAt(
  git: Git,
  repository: Repository,
  commit: string,
  path: string,
): Promise<readonly TreeFile[]> {
  const files = await filesBelow(git, repository, commit, path);
  return files.map(({ path, mode, size }) => ({ path, mode, size }));
}

/** Where a content stands in a commit, by whatever names. */
export async function pathsOf(
  git: Git,
  repository: Repository,
  commit: CommitHash,
  blob: string,
): Promise<readonly string[]> {
  const files = await filesBelow(git, repository, commit, "");
  return files.filter((file) => file.blob === blob).map((file) => file.path);
}

/** Writes a content to a file on disk, which must not exist yet. */
export async function readBlob(git: Git, repository: Repository, blob: string, into: string): Promise<void> {
  const output = createWriteStream(into, { flags: "wx", mode: 0o600 });
  await git.run({ gitDir: repository.path }, ["cat-file", "blob", blob], { output });
}

/** A content as text. `undefined`: it is longer than that many bytes, or binary (it has a NUL). */
export async function blobText(
  git: Git,
  repository: Repository,
  blob: string,
  maxBytes: number,
): Promise<string | undefined> {
  const place = { gitDir: repository.path };
  if (Number(await git.text(place, ["cat-file", "-s", blob])) > maxBytes) return undefined;
  const { stdout } = await git.run(place, ["cat-file", "blob", blob]);
  return stdout.includes(0) ? undefined : stdout.toString();
}

/** Size in bytes and SHA-256 of contents, by blob. Ones that are not there are left out. */
export async function digestsOf(
  git: Git,
  repository: Repository,
  blobs: readonly string[],
): Promise<ReadonlyMap<string, { readonly size: number; readonly sha256: string }>> {
  const found = new Map<string, { size: number; sha256: string }>();
  const asked = [...new Set(blobs)];
  if (asked.length === 0) return found;
  const output = batchReader((blob, size, hash) => found.set(blob, { size, sha256: hash.digest("hex") }));
  await git.run({ gitDir: repository.path }, ["cat-file", "--batch"], { input: `${asked.join("\n")}\n`, output });
  return found;
}

/** Reads `cat-file --batch`: `<object> <type> <size>`, a line break, the bytes, a line break. */
function batchReader(done: (blob: string, size: number, hash: Hash) => void): Writable {
  let header = "";
  let left = 0;
  let current: { blob: string; size: number; hash: Hash } | undefined;
  const finish = (): void => {
    if (current !== undefined) done(current.blob, current.size, current.hash);
    current = undefined;
  };
  return new Writable({
    write(chunk: Buffer, _encoding, next) {
      let at = 0;
      while (at < chunk.length) {
        if (current === undefined) {
          const end = chunk.indexOf(10, at);
          header += chunk.toString("latin1", at, end === -1 ? chunk.length : end);
          if (end === -1) break;
          at = end + 1;
          const [blob = "", kind, size] = header.split(" ");
          header = "";
          if (kind !== "blob") continue;
          current = { blob, size: Number(size), hash: createHash("sha256") };
          left = current.size;
        } else if (left > 0) {
          const bytes = chunk.subarray(at, at + left);
          current.hash.update(bytes);
          left -= bytes.length;
          at += bytes.length;
        } else {
          // The line break after the bytes.
          at += 1;
          finish();
        }
      }
      next();
    },
  });
}

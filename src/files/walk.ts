/** Goes through a worktree, folder by folder and into no link, and finds all that is not ignored. No content is read. */
import type { BigIntStats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { CrewError } from "../core/errors.ts";
import { codeOf, type Folder } from "./folder.ts";
import type { Git } from "./git.ts";
import { Ignored } from "./ignored.ts";
import type { Entries } from "./index-file.ts";
import { chunksOf, folderOfPath, isAway, openFile } from "./on-disk.ts";
import { isGitFolder } from "./paths.ts";
import type { Worktree } from "./port.ts";

export interface FoundFile {
  /** One character per byte. */
  readonly name: string;
  readonly kind: "file" | "link" | "special";
  readonly stat: BigIntStats;
  /** Why it cannot be kept, for `special`. */
  readonly detail?: string;
}

export interface Walked {
  readonly files: readonly FoundFile[];
  /** Folders that cannot be read: nothing is known of what is in them. */
  readonly closed: readonly string[];
}

/** Longer ones are not read: no honest list of patterns is. */
const mostPatternBytes = 1024 * 1024;

export async function walk(
  git: Git,
  worktree: Worktree,
  patterns: readonly string[],
  tracked: Entries,
): Promise<Walked> {
  const { root } = worktree;
  const files: FoundFile[] = [];
  const closed: string[] = [];
  // A folder that is ignored may have files that were recorded before it was.
  const trackedFolders = new Set([...tracked.keys()].flatMap(foldersOf));
  await using ignored = await Ignored.open(git, worktree, patterns);
  let level: { readonly name: string; readonly ignored: boolean }[] = [{ name: "", ignored: false }];
  while (level.length > 0) {
    const asked: string[] = [];
    const folders: string[] = [];
    const here: FoundFile[] = [];
    const under = new Set(level.filter((folder) => folder.ignored).map(({ name }) => name));
    for (const { name, ignored: isIgnored } of level) {
      const listed = await list(root, name);
      if (listed === "closed") closed.push(name);
      for (const found of listed === "closed" ? [] : listed) {
        if (!isIgnored && !tracked.has(found.name)) asked.push(found.name);
        if (found.stat.isDirectory() && found.detail === undefined) {
          folders.push(found.name);
          if (!isIgnored) await ignored.addFolder(found.name);
          continue;
        }
        here.push(found);
        if (!isIgnored && found.kind === "file" && /(^|\/)\.gitignore$/.test(found.name))
          await ignored.addPatterns(found.name, await smallContent(root, found.name));
      }
    }
    const skipped = await ignored.among(asked);
    const isSkipped = (name: string): boolean => skipped.has(name) || under.has(folderOf(name));
    for (const found of here) if (tracked.has(found.name) || !isSkipped(found.name)) files.push(found);
    level = folders.flatMap((name) => {
      const isIgnored = isSkipped(name);
      return isIgnored && !trackedFolders.has(name) ? [] : [{ name, ignored: isIgnored }];
    });
  }
  return { files, closed };
}

function folderOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}

function foldersOf(name: string): string[] {
  const folders: string[] = [];
  for (let at = folderOf(name); at !== ""; at = folderOf(at)) folders.push(at);
  return folders;
}

async function list(root: string, name: string): Promise<readonly FoundFile[] | "closed"> {
  let folder: Folder;
  let names: readonly Buffer[];
  try {
    [folder] = await folderOfPath(root, name === "" ? "x" : `${name}/x`);
  } catch (thrown) {
    // Gone since, or a link by now; without the worktree itself all would look deleted.
    if (name === "") throw new CrewError("GIT_FAILED", { command: "scan", reason: `${root} is no folder` }, thrown);
    if (isAway(thrown)) return [];
    if (isClosed(thrown)) return "closed";
    throw thrown;
  }
  await using _held = folder;
  try {
    names = await readdir(folder.path, { encoding: "buffer" });
  } catch (thrown) {
    if (isClosed(thrown)) return "closed";
    throw thrown;
  }
  const found: FoundFile[] = [];
  for (const bytes of names) {
    const plain = bytes.toString("latin1");
    // A repository in the repository: its files are files like others, its history is not ours to keep.
    if (plain === ".git") continue;
    const stat = await lstat(folder.at(bytes), { bigint: true }).catch((thrown: unknown) => {
      if (isAway(thrown)) return undefined;
      throw thrown;
    });
    if (stat !== undefined) found.push(describe(name === "" ? plain : `${name}/${plain}`, bytes, stat));
  }
  return found;
}

function describe(name: string, bytes: Buffer, stat: BigIntStats): FoundFile {
  if (isGitFolder(bytes.toString())) return { name, stat, kind: "special", detail: "git cannot keep this name" };
  if (stat.isSymbolicLink()) return { name, stat, kind: "link" };
  if (stat.isFile() || stat.isDirectory()) return { name, stat, kind: "file" };
  return { name, stat, kind: "special", detail: "a pipe, socket or device" };
}

export function isClosed(thrown: unknown): boolean {
  return ["EACCES", "EPERM"].includes(codeOf(thrown) ?? "");
}

async function smallContent(root: string, name: string): Promise<Buffer> {
  const handle = await openFile(root, name).catch((thrown: unknown) => {
    if (isClosed(thrown)) return undefined;
    throw thrown;
  });
  if (handle === undefined) return Buffer.alloc(0);
  await using open = handle;
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(open, mostPatternBytes + 1)) chunks.push(chunk);
  const content = Buffer.concat(chunks);
  return content.length > mostPatternBytes ? Buffer.alloc(0) : content;
}

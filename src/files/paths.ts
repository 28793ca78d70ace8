/**
 * Where a path that an agent gives leads. Nothing outside the worktree is looked at to find out: links are resolved one by
 * one, and the first step out ends it. Between this look and the use, files may be moved and links put in their place;
 * so what is opened is opened by `folder.ts`, along the place's `parts`, without following any link.
 */
import { lstat, readlink, realpath } from "node:fs/promises";
import { isAbsolute, join, relative as relativePath } from "node:path";
import { CrewError } from "../core/errors.ts";
import type { Worktree } from "./port.ts";

export interface Place {
  /** Absolute path; for `read`, links are resolved in it. */
  readonly absolute: string;
  /** As it was meant, from the root of the worktree and with `/`; `""` is the root itself. */
  readonly relative: string;
  /** The worktree's real root, and the names from there to `absolute`. */
  readonly root: string;
  readonly parts: readonly string[];
}

/** Most that file systems take in one name. */
const nameBytes = 255;
/** With the root before it, it stays under the 4,096 bytes of Linux. */
const pathBytes = 3_000;
/** As many as Linux follows. */
const mostLinks = 40;

export const leadsOut = "it leads out of the task's files";

function refused(path: string, reason: string): CrewError {
  return new CrewError("FILE_REFUSED", { path: path.length > 200 ? `${path.slice(0, 200)}…` : path, reason });
}

/**
 * @param given Relative to the worktree, or an absolute path in it.
 * @param purpose `read`: links that stay inside are followed. `write`: neither the file nor a folder on the way may be a
 * link. `entry`: no folder on the way may be one, and what stands there is meant itself, also when it is a link.
 * @throws CrewError `FILE_REFUSED` with `path` and `reason`. Whether there is such a file is not part of it.
 */
export async function placeIn(
  worktree: Pick<Worktree, "root">,
  given: string,
  purpose: "read" | "write" | "entry",
): Promise<Place> {
  const root = await realpath(worktree.root);
  const named = partsOf(given, [worktree.root, root]);
  if (purpose === "write" && named.length === 0) throw refused(given, "it is the folder of all files");
  if (purpose !== "read") await refuseLinks(root, purpose === "write" ? named : named.slice(0, -1), given);
  const parts = purpose === "read" ? await withoutLinks(root, worktree.root, named, given) : named;
  return { absolute: join(root, ...parts), relative: named.join("/"), root, parts };
}

/**
 * A path of a commit as git has it, by its letters alone; `""` is the root.
 * @throws CrewError `FILE_REFUSED`.
 */
export function pathInCommit(given: string): string {
  return given.trim() === "" ? "" : partsOf(given, []).join("/");
}

/** The names that a path is made of, by its letters alone. */
function partsOf(given: string, roots: readonly string[]): readonly string[] {
  if (given.trim() === "") throw refused('""', "it is empty");
  if (given.includes("\0") || !given.isWellFormed()) throw refused(given, "it has characters that no path can have");
  if (Buffer.byteLength(given) > pathBytes) throw refused(given, `it is longer than ${pathBytes} bytes`);
  const parts = isAbsolute(given) ? insideOf(given, roots) : steps(given);
  if (parts === undefined) throw refused(given, leadsOut);
  const names: string[] = [];
  for (const part of parts) {
    if (part !== "..") names.push(part);
    else if (names.pop() === undefined) throw refused(given, leadsOut);
  }
  if (names.some((name) => Buffer.byteLength(name) > nameBytes))
    throw refused(given, `a name in it is longer than ${nameBytes} bytes`);
  if (names.some(isGitFolder)) throw refused(given, "git's own files are not part of the task's files");
  return names;
}

function steps(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** The steps from the root of the worktree to an absolute path. */
function insideOf(path: string, roots: readonly string[]): string[] | undefined {
  for (const root of roots) {
    const rest = relativePath(root, path);
    if (!isAbsolute(rest) && rest !== ".." && !rest.startsWith("../")) return steps(rest);
  }
  return undefined;
}

/** Characters that macOS leaves out of account in names. */
const ignoredByHfs = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/** Whether some file system takes a name for `.git`. The rules are those by which git itself refuses names. */
export function isGitFolder(name: string): boolean {
  return name.split("\\").some((part) => {
    const bare = part
      .replaceAll(ignoredByHfs, "")
      .replace(/:.*$/s, "")
      .replace(/[. ]+$/, "")
      .toLowerCase();
    return bare === ".git" || bare === "git~1";
  });
}

/** What is not there is no link; everything else that goes wrong is the caller's to tell. */
function unlessAbsent(thrown: unknown): undefined {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR" || code === "EINVAL") return undefined;
  throw thrown;
}

async function refuseLinks(root: string, parts: readonly string[], given: string): Promise<void> {
  for (const [index] of parts.entries()) {
    const way = parts.slice(0, index + 1);
    const found = await lstat(join(root, ...way)).catch(unlessAbsent);
    if (found === undefined) return;
    if (found.isSymbolicLink())
      throw refused(given, `${way.join("/")} is a link, and nothing is written through links`);
  }
}

async function withoutLinks(
  root: string,
  rootAsGiven: string,
  named: readonly string[],
  given: string,
): Promise<readonly string[]> {
  const done: string[] = [];
  const todo = [...named];
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === "..") {
      if (done.pop() === undefined) throw refused(given, `by a link ${leadsOut}`);
      continue;
    }
    const target = await readlink(join(root, ...done, part)).catch(unlessAbsent);
    if (target === undefined) {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > mostLinks) throw refused(given, "its links lead nowhere");
    if (isAbsolute(target)) {
      const inside = insideOf(target, [rootAsGiven, root]);
      if (inside === undefined) throw refused(given, `by a link ${leadsOut}`);
      done.length = 0;
      todo.unshift(...inside);
    } else todo.unshift(...steps(target));
  }
  if (done.some(isGitFolder)) throw refused(given, "by a link it leads to git's own files");
  return done;
}

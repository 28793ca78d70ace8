/** A commit on a branch without any worktree: for what people hand in, restore and withdraw. */
import { mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CrewError } from "../core/errors.ts";
import { type Branch, type Commit, mainBranch } from "../core/files.ts";
import type { CommitHash } from "../core/ids.ts";
import { entryAt } from "./blobs.ts";
import type { Git } from "./git.ts";
import type { CommitWords, Repository } from "./port.ts";

export { blobAt, blobText, pathsOf, readBlob, treeAt } from "./blobs.ts";

export type TreeEdit =
  /** `content`: path of a file on disk. `mode`: default is the one that it has, or `100644`. */
  | { readonly path: string; readonly content: string; readonly mode?: string }
  /** `blob`: a content that the repository has. */
  | { readonly path: string; readonly blob: string; readonly mode?: string }
  | { readonly path: string; readonly remove: true };

/** Somebody else may move the branch meanwhile; what is put at a path is then put on top of that. */
const tries = 3;

/**
 * A branch that does not exist begins at `main`. `undefined`: nothing differs, and nothing was done.
 * @throws CrewError `FILE_REFUSED` for a path that no file can have there; `FILES_MOVED`, `GIT_FAILED`, `FILES_FULL`.
 */
export async function editTree(
  git: Git,
  repository: Repository,
  branch: Branch,
  edits: readonly TreeEdit[],
  words: CommitWords,
): Promise<Commit | undefined> {
  for (let left = tries; ; left--) {
    try {
      return await tryEdit(git, repository, branch, edits, words);
    } catch (thrown) {
      if (left === 1 || !(thrown instanceof CrewError && thrown.code === "FILES_MOVED")) throw thrown;
    }
  }
}

async function tryEdit(
  git: Git,
  repository: Repository,
  branch: Branch,
  edits: readonly TreeEdit[],
  words: CommitWords,
): Promise<Commit | undefined> {
  const place = { gitDir: repository.path };
  const from = await repository.head(branch);
  const base = from ?? (await repository.head(mainBranch)) ?? repository.root;
  const lines: string[] = [];
  for (const edit of edits) lines.push(await indexLine(git, repository, base, edit));
  // What is taken away goes first, so that a file can come in the place of a folder.
  const input = lines.toSorted((a, b) => Number(b.startsWith("0 ")) - Number(a.startsWith("0 "))).join("");
  const folder = await mkdtemp(join(repository.path, "crewroom-tmp-edit-"));
  try {
    const env = { GIT_INDEX_FILE: join(folder, "index") };
    await git.run(place, ["read-tree", base], { env });
    await git.run(place, ["update-index", "-z", "--index-info"], { env, input });
    const tree = await git.text(place, ["write-tree"], { env });
    if (tree === (await git.text(place, ["rev-parse", `${base}^{tree}`]))) return undefined;
    const commit = await repository.commitTree(tree, [base], words);
    await repository.move(branch, commit, from);
    return await repository.read(commit, branch);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One record for `update-index --index-info -z`. */
async function indexLine(git: Git, repository: Repository, base: CommitHash, edit: TreeEdit): Promise<string> {
  const { path } = edit;
  const refuse = (reason: string): CrewError => new CrewError("FILE_REFUSED", { path, reason });
  const parts = path.split("/");
  if (path.includes("\0") || parts.some((part) => part === "" || part === "." || part === ".."))
    throw refuse("it is no path of a file below the task's folder");
  if (parts.some((part) => part.toLowerCase() === ".git")) throw refuse("that name belongs to git");
  const there = await entryAt(git, repository, base, path);
  if (there?.kind === "tree") throw refuse("it is a folder there");
  if ("remove" in edit) return `0 ${"0".repeat(40)}\t${path}\0`;
  for (let depth = 1; depth < parts.length; depth++) {
    const above = parts.slice(0, depth).join("/");
    if ((await entryAt(git, repository, base, above))?.kind === "blob") throw refuse(`${above} is a file there`);
  }
  const blob = "blob" in edit ? edit.blob : await addBlob(git, repository, edit.content);
  return `${edit.mode ?? there?.mode ?? "100644"} ${blob}\t${path}\0`;
}

/** As it is: without any conversion of line ends. */
async function addBlob(git: Git, repository: Repository, file: string): Promise<string> {
  return git.text({ gitDir: repository.path }, ["hash-object", "-w", "--no-filters", "--", resolve(file)]);
}

/**
 * Folders with a task's files. Their administration is laid out as `git worktree add` lays it out, but by hand: the name is
 * ours, and no checkout reads what is in the folder. What its own `.git` says is never followed: git is always told where.
 */
import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { CrewError } from "../core/errors.ts";
import type { Branch } from "../core/files.ts";
import type { CommitHash } from "../core/ids.ts";
import { bring, completeWay } from "./bring.ts";
import { codeOf, type Folder, openFolder } from "./folder.ts";
import { filling } from "./full.ts";
import type { Git } from "./git.ts";
import { bytesOf, type Entries, sameEntry, treeEntries } from "./index-file.ts";
import { clearMerge, meantMerge, writeWhole } from "./merge-state.ts";
import { stateOf } from "./on-disk.ts";
import type { Repository, Worktree } from "./port.ts";

export interface WorktreeWish {
  /** One name, as of a folder. */
  readonly id: string;
  /** Absolute path. */
  readonly root: string;
  /** `from`: where the branch begins when there is none yet. */
  readonly at: { readonly branch: Branch; readonly from: CommitHash } | { readonly commit: CommitHash };
  readonly writable: boolean;
}

/**
 * Makes a worktree, or takes up and mends the one that is there; changes in it that are not recorded stay.
 * @throws CrewError `FILES_FULL`, `GIT_FAILED`.
 */
export function addWorktree(git: Git, repository: Repository, wish: WorktreeWish): Promise<Worktree> {
  return filling(async () => {
    const { at, id, root, writable } = wish;
    const gitDir = adminOf(repository, id);
    const branch = "branch" in at ? at.branch : undefined;
    const target = "branch" in at ? await headOf(repository, at) : at.commit;
    const head = branch === undefined ? target : `ref: refs/heads/${branch}`;
    if (!existsSync(gitDir)) await makeAdmin(repository, id, root, head);
    await writeWhole(path.join(gitDir, "HEAD"), `${head}\n`);
    await writeWhole(path.join(gitDir, "gitdir"), `${path.join(root, ".git")}\n`);
    // Somebody took the whole folder away: not its files are deleted, it is.
    if (!existsSync(root)) await rm(path.join(gitDir, "index"), { force: true });
    await mkdir(root, { recursive: true });
    const worktree: Worktree = { root, gitDir, writable, branch };
    await mendLink(worktree);
    const tree = await git.text({ gitDir }, ["rev-parse", `${target}^{tree}`]);
    const isNew = !existsSync(path.join(gitDir, "index"));
    if (isNew) await bring(git, worktree, { tree, index: "take", manner: "lenient" });
    await completeWay(git, worktree);
    if (!isNew && meantMerge(worktree) === undefined)
      await bring(git, worktree, { tree, index: "take", manner: "strict" }).catch((thrown: unknown) => {
        // Changes that are not recorded are in the way; they are first recorded upon what is there.
        if (!(thrown instanceof CrewError && thrown.code === "FILES_MOVED")) throw thrown;
      });
    return worktree;
  });
}

/** Where a branch is; it is made when there is none. */
async function headOf(
  repository: Repository,
  { branch, from }: { readonly branch: Branch; readonly from: CommitHash },
): Promise<CommitHash> {
  const head = await repository.head(branch);
  if (head !== undefined) return head;
  await repository.move(branch, from, undefined);
  return from;
}

function adminOf(repository: Repository, id: string): string {
  if (!/^[^/\0]+$/.test(id) || id === "." || id === ".." || id.startsWith("crewroom-tmp-"))
    throw new CrewError("INTERNAL", { reason: `${id} cannot be a worktree's name` });
  return path.join(repository.path, "worktrees", id);
}

async function makeAdmin(repository: Repository, id: string, root: string, head: string): Promise<void> {
  const beside = path.join(repository.path, "worktrees", `crewroom-tmp-${id}`);
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { recursive: true });
  await writeFile(path.join(beside, "HEAD"), `${head}\n`);
  await writeFile(path.join(beside, "commondir"), "../..\n");
  await writeFile(path.join(beside, "gitdir"), `${path.join(root, ".git")}\n`);
  await rename(beside, adminOf(repository, id));
}

/** The `.git` by which an agent's own git finds the repository. One that somebody put in its place is kept aside. */
async function mendLink({ gitDir, root }: Worktree): Promise<void> {
  const link = path.join(root, ".git");
  const wanted = `gitdir: ${gitDir}\n`;
  const found = await lstat(link).catch((thrown: unknown) => {
    if (codeOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  });
  if (found?.isFile() === true && found.size === wanted.length && (await readFile(link, "utf8")) === wanted) return;
  if (found?.isDirectory() === true) {
    const aside = path.join(gitDir, "crewroom-aside.git");
    await rm(aside, { recursive: true, force: true });
    await rename(link, aside);
  } else if (found !== undefined) await rm(link, { force: true });
  await writeFile(link, wanted, { flag: "wx" });
}

/** Brings a read-only worktree exactly to a commit: what anybody made, changed or deleted there is undone. */
export function moveWorktree(git: Git, worktree: Worktree, commit: CommitHash): Promise<void> {
  return filling(async () => {
    const { gitDir, root } = worktree;
    if (worktree.writable) throw new CrewError("INTERNAL", { reason: `${root} belongs to an agent` });
    const tree = await git.text({ gitDir }, ["rev-parse", `${commit}^{tree}`]);
    await mkdir(root, { recursive: true });
    const to = await treeEntries(git, gitDir, tree);
    const folders = new Set<string>();
    for (const name of to.keys())
      for (let at = name.lastIndexOf("/"); at > 0; at = name.lastIndexOf("/", at - 1)) folders.add(name.slice(0, at));
    await using top = await openFolder(root, []);
    await clean(root, top, "", to, folders);
    await mendLink(worktree);
    await rm(path.join(gitDir, "index"), { force: true });
    await bring(git, worktree, { tree, index: "take", manner: "lenient" });
    await clearMerge(worktree);
    await writeWhole(path.join(gitDir, "HEAD"), `${commit}\n`);
  });
}

/** Removes what is not of the tree. */
async function clean(root: string, folder: Folder, at: string, to: Entries, folders: Set<string>): Promise<void> {
  for (const bytes of await readdir(folder.path, { encoding: "buffer" })) {
    const plain = bytes.toString("latin1");
    if (at === "" && plain === ".git") continue;
    const name = at === "" ? plain : `${at}/${plain}`;
    const found = await lstat(folder.at(bytes));
    if (found.isDirectory() && folders.has(name)) {
      await using below = await folder.enter(bytes);
      await clean(root, below, name, to, folders);
    } else {
      const wanted = to.get(name);
      const now = wanted === undefined ? "other" : await stateOf(root, name);
      if (typeof now !== "object" || !sameEntry(now, wanted))
        await rm(folder.at(bytesOf(plain)), { recursive: true, force: true });
    }
  }
}

/**
 * Brings the files of a writable worktree to the tree that its branch has by now.
 * @throws CrewError `FILES_MOVED` when something that is not recorded is in the way; nothing is touched then.
 */
export function updateWorktree(git: Git, worktree: Worktree, tree: string): Promise<void> {
  return filling(async () => {
    await completeWay(git, worktree);
    await bring(git, worktree, { tree, index: "take", manner: "strict" });
  });
}

/**
 * Writes a tree with both sides of a conflict into a worktree. Its branch stays; all that came counts as change.
 * @throws CrewError `FILES_MOVED` when something that is not recorded is in the way; nothing is touched then.
 */
export function materialise(git: Git, worktree: Worktree, tree: string): Promise<void> {
  return filling(() => bring(git, worktree, { tree, index: "keep", manner: "strict" }));
}

/** Its branch stays; files that were not recorded go. */
export function removeWorktree(_git: Git, repository: Repository, id: string, root: string): Promise<void> {
  return filling(async () => {
    await rm(root, { recursive: true, force: true });
    await rm(adminOf(repository, id), { recursive: true, force: true });
  });
}

/** All worktrees that are there, also those that a crash left. */
export async function listWorktrees(
  _git: Git,
  repository: Repository,
): Promise<readonly { readonly id: string; readonly root: string; readonly branch?: Branch }[]> {
  const found: { id: string; root: string; branch?: Branch }[] = [];
  for (const id of await readdir(path.join(repository.path, "worktrees")).catch(() => [])) {
    if (id.startsWith("crewroom-tmp-")) continue;
    const at = adminOf(repository, id);
    const head = (await readFile(path.join(at, "HEAD"), "utf8")).trim();
    const root = path.dirname((await readFile(path.join(at, "gitdir"), "utf8")).trim());
    const branch = head.startsWith("ref: refs/heads/") ? head.slice(16) : undefined;
    found.push({ id, root, ...(branch === undefined ? {} : { branch }) });
  }
  return found;
}

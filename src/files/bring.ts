/**
 * Brings the files of a tree into a worktree. Git writes them into a folder of the repository, where nobody else is; from
 * there each is moved to its place, through folders held open, and only over what the bridge itself once put there.
 *
 * What is on its way is written down first. After a crash it is completed; what was changed meanwhile then stays.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rename, rm, rmdir, unlink } from "node:fs/promises";
import path from "node:path";
import { CrewError } from "../core/errors.ts";
import { codeOf, type Folder, openFolder } from "./folder.ts";
import type { Git } from "./git.ts";
import { bytesOf, DraftIndex, type Entries, type Entry, indexEntries, sameEntry, treeEntries } from "./index-file.ts";
import { showMerge, writeWhole } from "./merge-state.ts";
import { folderOfPath, isAway, stateOf } from "./on-disk.ts";
import type { Worktree } from "./port.ts";

interface Way {
  readonly tree: string;
  /** `keep`: the index stays as it was, so that all that came counts as change. */
  readonly index: "take" | "keep";
  /** `strict`: nothing is touched when something that is not recorded is in the way. */
  readonly manner: "strict" | "lenient";
}

const wayFile = "crewroom-way.json";

/** @throws CrewError `FILES_MOVED`, in strict manner, when something that is not recorded is in the way. */
export async function bring(git: Git, worktree: Worktree, way: Way): Promise<void> {
  const { gitDir, root } = worktree;
  const from: Entries = existsSync(path.join(gitDir, "index")) ? await indexEntries(git, worktree) : new Map();
  const to = await treeEntries(git, gitDir, way.tree);
  const writes = new Map<string, Entry>();
  const removals: string[] = [];
  const isNew = (await readdir(root)).every((name) => name === ".git");
  for (const name of new Set([...from.keys(), ...to.keys()])) {
    const [before, after] = [from.get(name), to.get(name)];
    if (sameEntry(before, after)) continue;
    const now = isNew ? "absent" : await stateOf(root, name);
    const there = typeof now === "object" ? now : undefined;
    if (now !== "other" && sameEntry(there, after)) continue;
    const ours = now !== "other" && sameEntry(there, before);
    // A file that is to come where a folder or its parts are to go stands behind them.
    const makesWay = now === "other" && after !== undefined && (await isOursToMove(root, name, from, to));
    if (!ours && !makesWay) {
      if (way.manner === "strict") throw new CrewError("FILES_MOVED", { branch: worktree.branch ?? "the worktree" });
    } else if (after === undefined) removals.push(name);
    else writes.set(name, after);
  }
  await using draft = await DraftIndex.ofTree(git, worktree, way.tree);
  await writeWhole(path.join(gitDir, wayFile), JSON.stringify(way));
  await putFiles(git, worktree, draft, writes, removals);
  if (way.index === "take") await draft.take();
  else await showMerge(worktree);
  await rm(path.join(gitDir, wayFile), { force: true });
}

/** Completes what a crash broke off. */
export async function completeWay(git: Git, worktree: Worktree): Promise<void> {
  const file = path.join(worktree.gitDir, wayFile);
  if (!existsSync(file)) return;
  await bring(git, worktree, { ...(JSON.parse(readFileSync(file, "utf8")) as Way), manner: "lenient" });
}

/** Whether a file or folder in the way of a path is one that goes in the same step. */
async function isOursToMove(root: string, name: string, from: Entries, to: Entries): Promise<boolean> {
  const parts = name.split("/");
  for (let end = 1; end < parts.length; end += 1) {
    const above = parts.slice(0, end).join("/");
    const entry = from.get(above);
    if (entry === undefined || to.has(above)) continue;
    const now = await stateOf(root, above);
    return typeof now === "object" && sameEntry(now, entry);
  }
  return [...from.keys()].some((below) => below.startsWith(`${name}/`));
}

async function putFiles(
  git: Git,
  { gitDir, root }: Worktree,
  draft: DraftIndex,
  writes: ReadonlyMap<string, Entry>,
  removals: readonly string[],
): Promise<void> {
  for (const name of removals) await remove(root, name);
  if (writes.size === 0) return;
  const fresh = await mkdtemp(path.join(gitDir, "crewroom-tmp-out-"));
  try {
    const input = bytesOf([...writes.keys()].map((name) => `${name}\0`).join(""));
    await git.run({ gitDir, workTree: fresh }, ["checkout-index", "--quiet", "--force", "-z", "--stdin"], {
      env: draft.env,
      input,
    });
    await using top = await openFolder(root, []);
    await moveInto(top, Buffer.from(fresh));
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Moves what is in a folder of ours to its place: whole folders where there are none yet, else what is in them. */
async function moveInto(folder: Folder, from: Buffer): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true, encoding: "buffer" })) {
    const source = Buffer.concat([from, Buffer.from("/"), entry.name]);
    const place = folder.at(entry.name);
    if (!entry.isDirectory()) {
      await rmdir(place).catch((thrown: unknown) => {
        if (!isAway(thrown) && codeOf(thrown) !== "ENOTEMPTY") throw thrown;
      });
      await rename(source, place);
    } else if (!(await isMovedWhole(source, place))) {
      await using below = await folder.enter(entry.name, true);
      await moveInto(below, source);
    }
  }
}

/** The system puts a folder only where nothing is, or an empty one. */
async function isMovedWhole(source: Buffer, place: Buffer): Promise<boolean> {
  try {
    await rename(source, place);
    return true;
  } catch (thrown) {
    if (["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(codeOf(thrown) ?? "")) return false;
    throw thrown;
  }
}

/** Takes away a file, and the folders that are empty then. */
async function remove(root: string, name: string): Promise<void> {
  try {
    const [folder, last] = await folderOfPath(root, name);
    await using _held = folder;
    await unlink(folder.at(last));
  } catch (thrown) {
    if (!isAway(thrown)) throw thrown;
  }
  for (let above = name; above.includes("/");) {
    above = above.slice(0, above.lastIndexOf("/"));
    try {
      const [folder, last] = await folderOfPath(root, above);
      await using _held = folder;
      await rmdir(folder.at(last));
    } catch {
      // Not empty, or not a folder: it stays.
      return;
    }
  }
}

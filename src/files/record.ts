/**
 * Records what changed in a worktree as one commit on its branch.
 *
 *   survey ─▶ contents stored ─▶ tree ─▶ commit ─▶ branch moved ─▶ index taken
 *
 * A crash between any two steps leaves the files where they are; done again, it goes the same way and finds what is done.
 * Was the branch moved by somebody else meanwhile, then the worktree's changes are put upon what is there now.
 */
import { CrewError } from "../core/errors.ts";
import type { HeldFile } from "../core/files.ts";
import type { CommitHash } from "../core/ids.ts";
import { bring, completeWay } from "./bring.ts";
import { filling } from "./full.ts";
import type { Git } from "./git.ts";
import { DraftIndex, type Edits, type Entry, sameEntry, shown, treeEntries } from "./index-file.ts";
import { clearMerge, meantMerge, pendingMerge, setMergeHead as writeMerge } from "./merge-state.ts";
import type { Committed, CommitRules, CommitWords, Repository, Worktree } from "./port.ts";
import { storeBlobs } from "./store-blobs.ts";
import { type Surveyed, survey } from "./survey.ts";
import { treeOf } from "./tree-state.ts";

/** How often files that change while they are read are looked at again. What still changes then is for the next time. */
const looks = 3;

/**
 * The next `materialise` is of the merge with this commit; what is recorded after it has it as second parent.
 * @param paths In conflict: as long as marks are in one of them, nothing is recorded.
 */
export async function setMergeHead(
  _git: Git,
  worktree: Worktree,
  commit: CommitHash,
  paths: readonly string[] = [],
): Promise<void> {
  await filling(() => writeMerge(worktree, commit, paths));
}

/** @throws CrewError `FILES_FULL`; `FILES_MOVED` when the branch was moved in this very moment; `GIT_FAILED`. */
export function record(
  git: Git,
  repository: Repository,
  worktree: Worktree,
  words: CommitWords,
  rules: CommitRules,
): Promise<Committed> {
  return filling(async () => {
    const { branch } = worktree;
    if (branch === undefined) return { held: [] };
    await completeWay(git, worktree);
    const { edits, held } = await stored(git, worktree, rules);
    // What came too late is kept as it is: its worktree goes away, and nobody joins the sides any more.
    const isLate = branch.startsWith("late/");
    if (!isLate && held.some(({ why }) => why === "unmerged")) return { held };
    const head = await repository.head(branch);
    if (head === undefined) throw new CrewError("FILES_MOVED", { branch });
    const headTree = await treeOf(git, repository, head);
    await using draft = await DraftIndex.copy(git, worktree);
    const baseTree = await draft.tree();
    await draft.apply(edits);
    let tree = await draft.tree();
    const isBehind = baseTree !== headTree;
    const both: HeldFile[] = [];
    if (isBehind) {
      const onto = await laidOn(git, repository, worktree, { base: baseTree, head: headTree }, edits);
      tree = onto.tree;
      both.push(...onto.both);
    }
    const merge = pendingMerge(worktree);
    const joins = !isLate && merge !== undefined && !(await repository.isIn(merge.commit, head)) ? [merge.commit] : [];
    const isNew = tree !== headTree || joins.length > 0;
    const hash = isNew ? await repository.commitTree(tree, [head, ...joins], words) : head;
    if (isNew) await repository.move(branch, hash, head);
    await draft.take();
    if (merge !== undefined || meantMerge(worktree) !== undefined) await clearMerge(worktree);
    if (isBehind) await bring(git, worktree, { tree, index: "take", manner: "lenient" });
    return { ...(isNew ? { commit: await repository.read(hash, branch) } : {}), held: [...held, ...both] };
  });
}

/** Looks at the worktree and stores what changed, until both are of the same content. */
async function stored(git: Git, worktree: Worktree, rules: CommitRules): Promise<Surveyed> {
  for (let look = 1; ; look += 1) {
    const found = await survey(git, worktree, rules);
    const wanted = new Map<string, Entry>();
    for (const [name, entry] of found.edits)
      if (entry !== undefined && entry.blob !== found.base.get(name)?.blob) wanted.set(name, entry);
    const changing = await storeBlobs(git, worktree, wanted);
    if (changing.size === 0) return found;
    if (look === looks) return { ...found, edits: new Map([...found.edits].filter(([name]) => !changing.has(name))) };
  }
}

/** The worktree's changes upon the branch's newest tree. Where both changed a file, it is the worktree's, and named. */
async function laidOn(
  git: Git,
  repository: Repository,
  worktree: Worktree,
  trees: { readonly base: string; readonly head: string },
  edits: Edits,
): Promise<{ readonly tree: string; readonly both: readonly HeldFile[] }> {
  const base = await treeEntries(git, repository.path, trees.base);
  const head = await treeEntries(git, repository.path, trees.head);
  const both = [...edits].flatMap(([name, entry]): HeldFile[] => {
    const theirs = head.get(name);
    if (sameEntry(theirs, base.get(name)) || sameEntry(theirs, entry)) return [];
    const detail = "it was changed on its branch as well; this version was recorded, the other is in its history";
    return [{ path: shown(name), why: "unmerged", detail, sha256: "" }];
  });
  await using draft = await DraftIndex.ofTree(git, worktree, trees.head);
  await draft.apply(edits);
  return { tree: await draft.tree(), both };
}

/** Small questions to a worktree, and putting it on another branch as it is. */
import { existsSync } from "node:fs";
import path from "node:path";
import type { Branch } from "../core/files.ts";
import type { CommitHash } from "../core/ids.ts";
import type { Git } from "./git.ts";
import type { CommitRules, Repository, Worktree } from "./port.ts";
import { scan } from "./scan.ts";

/** Whether nothing in it is left to be recorded. What is held back does not count. */
export async function isClean(git: Git, worktree: Worktree, rules: CommitRules): Promise<boolean> {
  return (await scan(git, worktree, rules)).take.length === 0;
}

/** Whether both sides of a merge are in it that is not yet recorded. */
export function isMerging({ gitDir }: Worktree): boolean {
  return existsSync(path.join(gitDir, "MERGE_HEAD"));
}

export async function headOf(git: Git, { gitDir }: Worktree): Promise<CommitHash> {
  return (await git.text({ gitDir }, ["rev-parse", "HEAD"])) as CommitHash;
}

export async function treeOf(git: Git, repository: Repository, commit: CommitHash): Promise<string> {
  return git.text({ gitDir: repository.path }, ["rev-parse", `${commit}^{tree}`]);
}

/** Its files stay as they are; what is recorded from now on goes on another branch, which begins where it is. */
export async function switchBranch(
  git: Git,
  repository: Repository,
  worktree: Worktree,
  branch: Branch,
): Promise<Worktree> {
  if ((await repository.head(branch)) === undefined)
    await repository.move(branch, await headOf(git, worktree), undefined);
  await git.run({ gitDir: worktree.gitDir }, ["symbolic-ref", "HEAD", `refs/heads/${branch}`]);
  return { ...worktree, branch };
}

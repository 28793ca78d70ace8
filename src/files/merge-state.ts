/**
 * A merge whose sides do not go together, on its way into a worktree.
 *
 *   (none) ──setMergeHead──▶ meant ──materialise──▶ shown (MERGE_HEAD) ──record──▶ (none)
 *
 * Only what is shown is recorded as a merge: a crash before would else record one side as the whole.
 */
import { existsSync, readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CommitHash } from "../core/ids.ts";
import type { Worktree } from "./port.ts";

export interface PendingMerge {
  readonly commit: CommitHash;
  /** Paths in conflict. */
  readonly paths: readonly string[];
}

const meantFile = "crewroom-merge.json";

export async function writeWhole(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

/** The next `materialise` brings the merge with this commit, and the next commit then joins both. */
export async function setMergeHead({ gitDir }: Worktree, commit: CommitHash, paths: readonly string[]): Promise<void> {
  await writeWhole(path.join(gitDir, meantFile), JSON.stringify({ commit, paths } satisfies PendingMerge));
}

export function meantMerge({ gitDir }: Worktree): PendingMerge | undefined {
  const file = path.join(gitDir, meantFile);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as PendingMerge) : undefined;
}

/** The merge that is shown in the worktree. */
export function pendingMerge(worktree: Worktree): PendingMerge | undefined {
  return existsSync(path.join(worktree.gitDir, "MERGE_HEAD")) ? meantMerge(worktree) : undefined;
}

export async function showMerge(worktree: Worktree): Promise<void> {
  const merge = meantMerge(worktree);
  if (merge !== undefined) await writeWhole(path.join(worktree.gitDir, "MERGE_HEAD"), `${merge.commit}\n`);
}

export async function clearMerge({ gitDir }: Worktree): Promise<void> {
  for (const name of ["MERGE_HEAD", meantFile]) await rm(path.join(gitDir, name), { force: true });
}

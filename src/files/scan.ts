/** What would be recorded of a worktree now, and what would stay behind. */
import type { HeldFile } from "../core/files.ts";
import { filling } from "./full.ts";
import type { Git } from "./git.ts";
import { shown } from "./index-file.ts";
import type { CommitRules, Worktree } from "./port.ts";
import { survey } from "./survey.ts";

/**
 * Paths that have changed, deleted ones too, less what is ignored and what is held back.
 * @throws CrewError `GIT_FAILED`, `FILES_FULL`.
 */
export function scan(
  git: Git,
  worktree: Worktree,
  rules: CommitRules,
): Promise<{ readonly take: readonly string[]; readonly held: readonly HeldFile[] }> {
  return filling(async () => {
    const { edits, held } = await survey(git, worktree, rules);
    return { take: [...edits.keys()].map(shown).toSorted(), held };
  });
}

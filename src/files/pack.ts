/** Keeps a repository quick: thousands of loose objects or dozens of packs make every look at it slower. */
import type { Git } from "./git.ts";
import type { Repository } from "./port.ts";

/** Below these git does nothing but count, in some milliseconds. */
const looseObjects = 2_000;
const packs = 50;

/** Joins what has become many. Nothing is thrown away, also not what no branch holds. Nobody else may write meanwhile. */
export async function packIfNeeded(git: Git, repository: Repository): Promise<void> {
  const settings = [
    `gc.auto=${looseObjects}`,
    `gc.autoPackLimit=${packs}`,
    "gc.autoDetach=false",
    "repack.writeBitmaps=false",
  ];
  const args = [...settings.flatMap((setting) => ["-c", setting]), "gc", "--auto", "--quiet", "--no-prune"];
  await git.run({ gitDir: repository.path }, args);
}

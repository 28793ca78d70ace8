/** All files of a commit in one zip file, for people. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { CommitHash } from "../core/ids.ts";
import { digestOfFile } from "./bundle.ts";
import type { Git } from "./git.ts";
import type { Repository } from "./port.ts";

/** What an agent's `.gitattributes` says must neither leave out files nor change their bytes. */
const attributes = "* -export-ignore -export-subst -text !eol -ident !filter !working-tree-encoding\n";

/**
 * The same commit and name give the same bytes (with the same git).
 * @param name Of the folder in it that all files are in.
 * @param into Path of the file; one that is there is replaced.
 * @throws CrewError `GIT_FAILED`, `FILES_FULL`.
 */
export async function makeArchive(
  git: Git,
  repository: Repository,
  commit: CommitHash,
  name: string,
  into: string,
): Promise<{ readonly path: string; readonly size: number; readonly sha256: string }> {
  // Attributes of a repository's own `info` come before those of its files. This one has the task's objects, and only that.
  const gitDir = await mkdtemp(join(repository.path, "crewroom-tmp-archive-"));
  try {
    await mkdir(join(gitDir, "info"));
    await mkdir(join(gitDir, "refs"));
    await writeFile(join(gitDir, "HEAD"), "ref: refs/heads/main\n");
    await writeFile(join(gitDir, "info", "attributes"), attributes);
    const args = ["archive", "--format=zip", `--prefix=${name}/`, `--output=${resolve(into)}`, commit];
    await git.run({ gitDir }, args, { env: { GIT_OBJECT_DIRECTORY: resolve(repository.path, "objects") } });
  } finally {
    await rm(gitDir, { recursive: true, force: true });
  }
  return { path: into, ...(await digestOfFile(into)) };
}

/**
 * A commit on its way to another host: a git bundle (v2), a text header and a pack.
 *
 *   # v2 git bundle
 *   -<commit that must be there> <its subject>
 *   <commit> refs/crewroom/bundle/<commit>
 *   (empty line, then the pack)
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { CrewError, reasonOf } from "../core/errors.ts";
import { asCommitHash, type CommitHash } from "../core/ids.ts";
import type { Git } from "./git.ts";
import type { BundleFile, Repository } from "./port.ts";

/** Size in bytes and SHA-256 of a file on disk. */
export async function digestOfFile(path: string): Promise<{ readonly size: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return { size: (await stat(path)).size, sha256: hash.digest("hex") };
}

/**
 * Writes a bundle with a commit and all that `needs` do not have.
 * @param needs Commits that whoever takes it has. Without the root: a bundle with it can be taken by anybody.
 * @param into Path of the file; one that is there is replaced.
 * @returns `needs`: those of them that the bundle really builds on.
 * @throws CrewError `GIT_FAILED`, also when there is nothing that `needs` do not have; `FILES_FULL`.
 */
export async function makeBundle(
  git: Git,
  repository: Repository,
  commit: CommitHash,
  needs: readonly CommitHash[],
  into: string,
): Promise<BundleFile> {
  const place = { gitDir: repository.path };
  // A bundle names what it carries by a ref, and the commit's branch may have gone on. Two at once may share the commit.
  const ref = `refs/crewroom/bundle/${commit}-${crypto.randomUUID()}`;
  await git.run(place, ["update-ref", ref, commit]);
  try {
    // A bitmap would leave out what the needs have somewhere in their histories; a pack that is thin by their trees is enough.
    const env = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "pack.useBitmaps", GIT_CONFIG_VALUE_0: "false" };
    const without = needs.map((need) => `^${need}`);
    await git.run(place, ["bundle", "create", "--quiet", "--version=2", into, ref, ...without], { env });
  } catch (thrown) {
    await rm(into, { force: true });
    throw thrown;
  } finally {
    await git.run(place, ["update-ref", "-d", ref]);
  }
  const digest = await digestOfFile(into);
  return { path: into, ...digest, needs: (await headerOf(into)).needs };
}

interface Header {
  readonly needs: readonly CommitHash[];
  readonly commits: readonly CommitHash[];
  /** Where the pack begins, in bytes. */
  readonly pack: number;
}

const signature = "# v2 git bundle\n";
/** Longest header that is read, in bytes. Ours have a line for each parent. */
const headerBytes = 64 * 1024;

function damaged(path: string, reason: string, cause?: unknown): CrewError {
  return new CrewError("FILES_DAMAGED", { what: path, reason }, cause);
}

async function headerOf(path: string): Promise<Header> {
  const buffer = Buffer.alloc(headerBytes);
  await using file: FileHandle = await open(path, "r");
  const { bytesRead } = await file.read(buffer, 0, headerBytes, 0);
  const end = buffer.subarray(0, bytesRead).indexOf("\n\n");
  const lines = buffer.subarray(signature.length, Math.max(end, signature.length)).toString();
  if (buffer.toString("latin1", 0, signature.length) !== signature || end === -1)
    throw damaged(path, "it is not a git bundle of version 2");
  const needs: CommitHash[] = [];
  const commits: CommitHash[] = [];
  for (const line of lines.split("\n")) {
    const need = line.startsWith("-");
    const commit = asCommitHash(line.slice(need ? 1 : 0).split(" ", 1)[0]);
    if (commit === undefined) throw damaged(path, "its header cannot be read");
    (need ? needs : commits).push(commit);
  }
  return { needs, commits, pack: end + 2 };
}

/**
 * Git's own `unbundle` takes what it is given. Here every object is looked at: names like `.git` or `..`, paths twice in
 * a tree, and links to objects that are neither in the pack nor here are refused. What a `.gitmodules` says is not looked
 * at: it is an agent's file as any other, and nothing here ever follows it.
 */
const strict =
  "--strict=" +
  ["gitmodulesBlob", "gitmodulesName", "gitmodulesPath", "gitmodulesUpdate", "gitmodulesUrl", "gitmodulesSymlink"]
    .map((message) => `${message}=ignore`)
    .join(",");

/**
 * Takes a bundle into the repository. Moves no branch.
 * @throws CrewError `FILES_DAMAGED` when it is broken or hostile, does not have the commit, or needs what is not here; then no
 * commit of it can be seen. `FILES_FULL`.
 */
export async function takeBundle(git: Git, repository: Repository, path: string, commit: CommitHash): Promise<void> {
  const header = await headerOf(path);
  if (!header.commits.includes(commit)) throw damaged(path, `it does not bring ${commit}`);
  const gone: CommitHash[] = [];
  for (const need of header.needs) if (!(await repository.has(need))) gone.push(need);
  if (gone.length > 0) throw damaged(path, `it builds on commits that are not here: ${gone.join(", ")}`);
  try {
    await git.run({ gitDir: repository.path }, ["index-pack", "--stdin", "--fix-thin", strict], {
      input: createReadStream(path, { start: header.pack }),
    });
  } catch (thrown) {
    if (thrown instanceof CrewError && thrown.code === "GIT_FAILED") throw damaged(path, reasonOf(thrown), thrown);
    throw thrown;
  }
  if (!(await repository.has(commit))) throw damaged(path, `${commit} is not in it`);
}

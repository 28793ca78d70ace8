/** Puts a task's files together from what its room tells, and believes none of it unseen. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CrewError, reasonOf } from "../core/errors.ts";
import type { Branch, Bundle } from "../core/files.ts";
import type { CommitHash } from "../core/ids.ts";
import { assemble, type KnownHeads } from "./assemble.ts";
import { blobAt, digestsOf } from "./blobs.ts";
import { digestOfFile, takeBundle } from "./bundle.ts";
import type { Git } from "./git.ts";
import type { CommitEvent, Repository } from "./port.ts";
import { openRepository } from "./repository.ts";

export interface Pulled {
  readonly repository: Repository;
  readonly branches: Readonly<Record<Branch, CommitHash>>;
}

/** Bundles after which the packs are joined: git looks into every pack for every object. */
const packsBeforeJoin = 64;

/**
 * Opens or goes on with a repository in `folder`. Can be repeated after any failure: what is there is not fetched again.
 * @param task The task's number, of which the first commit is made.
 * @param fetchBundle Puts a bundle together from the media store. Its parts are verified there, the whole is verified here.
 * @param progress Told after each commit.
 * @throws CrewError `FILES_DAMAGED` when a bundle, a file or a commit is not what its message says (no branch is moved then);
 * `FILES_INCOMPLETE` with all that is missing, after all that is there was taken.
 */
export async function pullInto(
  git: Git,
  folder: string,
  task: number,
  events: readonly CommitEvent[],
  heads: Pick<KnownHeads, "main">,
  fetchBundle: (bundle: Bundle, into: string) => Promise<void>,
  progress: (done: number, all: number) => void,
): Promise<Pulled> {
  await mkdir(folder, { recursive: true });
  const repository = await openRepository(git, folder, task);
  const { order, missing, branches } = assemble(events, { ...heads, root: repository.root });
  const failed: string[] = [];
  const damaged: CrewError[] = [];
  let taken = 0;
  for (const [done, event] of order.entries()) {
    try {
      if (await take(git, repository, event, fetchBundle)) taken += 1;
    } catch (thrown) {
      if (thrown instanceof CrewError && thrown.code === "FILES_DAMAGED") damaged.push(thrown);
      else if (thrown instanceof CrewError && (thrown.code === "FILES_FULL" || thrown.code === "GIT_MISSING"))
        throw thrown;
      else failed.push(`${named(event)}: ${reasonOf(thrown)}`);
    }
    if (taken > 0 && taken % packsBeforeJoin === 0) await joinPacks(git, repository);
    progress(done + 1, order.length);
  }
  for (const event of events)
    if (await repository.has(event.commit.hash)) damaged.push(...(await liesOf(git, repository, event)));
  const [first] = damaged;
  if (first !== undefined) throw first;
  const moved = await moveBranches(repository, branches);
  const lines = [...missing, ...failed];
  if (lines.length > 0) throw new CrewError("FILES_INCOMPLETE", { missing: lines.map((one) => `- ${one}`).join("\n") });
  return { repository, branches: moved };
}

function named({ commit, event }: CommitEvent): string {
  return `commit ${commit.hash} of ${commit.branch} (message ${event})`;
}

async function joinPacks(git: Git, repository: Repository): Promise<void> {
  // By size, so that each object is copied only a few times. Keeps what no branch holds yet.
  const env = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "repack.writeBitmaps", GIT_CONFIG_VALUE_0: "false" };
  await git.run({ gitDir: repository.path }, ["repack", "--geometric=2", "-d", "-q"], { env });
}

/** Whether it was not there before. */
async function take(
  git: Git,
  repository: Repository,
  event: CommitEvent,
  fetchBundle: (bundle: Bundle, into: string) => Promise<void>,
): Promise<boolean> {
  const { commit, bundle } = event;
  if (bundle === undefined || (await repository.has(commit.hash))) return false;
  for (const need of bundle.needs)
    if (!(await repository.has(need))) throw new CrewError("FILES_INCOMPLETE", { missing: `it builds on ${need}` });
  const into = join(repository.path, `crewroom-tmp-pull-${crypto.randomUUID()}`);
  try {
    await fetchBundle(bundle, into);
    const { size, sha256 } = await digestOfFile(into);
    if (size !== bundle.size || sha256 !== bundle.sha256)
      throw new CrewError("FILES_DAMAGED", {
        what: `The bundle of ${named(event)}`,
        reason: `it has ${size} bytes with the SHA-256 ${sha256} instead of ${bundle.size} with ${bundle.sha256}`,
      });
    await takeBundle(git, repository, into, commit.hash);
    return true;
  } finally {
    await rm(into, { force: true });
  }
}

/** In what a message and its commit differ: parents, and the bytes of every file that it tells of. */
async function liesOf(git: Git, repository: Repository, event: CommitEvent): Promise<readonly CrewError[]> {
  const { commit, changes } = event;
  const lie = (what: string, reason: string): CrewError => new CrewError("FILES_DAMAGED", { what, reason });
  const { parents } = await repository.read(commit.hash, commit.branch);
  if (parents.join() !== commit.parents.join())
    return [lie(`What is told of ${named(event)}`, `its parents are ${parents.join(", ")}`)];
  const files = await Promise.all(
    changes.map(async (change) => ({ change, file: await blobAt(git, repository, commit.hash, change.path) })),
  );
  const digests = await digestsOf(
    git,
    repository,
    files.flatMap(({ file }) => (file === undefined ? [] : [file.blob])),
  );
  return files.flatMap(({ change, file }) => {
    const what = `${change.path} in ${named(event)}`;
    const deleted = change.kind === "deleted";
    if (file === undefined) return deleted ? [] : [lie(what, "it is not there")];
    if (deleted) return [lie(what, "it is still there")];
    const sha256 = digests.get(file.blob)?.sha256;
    if (change.sha256 !== undefined && sha256 !== change.sha256)
      return [lie(what, `its SHA-256 is ${sha256 ?? "unknown"} instead of ${change.sha256}`)];
    return change.mode === undefined || file.mode === change.mode ? [] : [lie(what, `its mode is ${file.mode}`)];
  });
}

async function moveBranches(
  repository: Repository,
  branches: Readonly<Record<Branch, CommitHash>>,
): Promise<Readonly<Record<Branch, CommitHash>>> {
  const moved: Record<Branch, CommitHash> = {};
  for (const [branch, to] of Object.entries(branches)) {
    if (!(await repository.has(to))) continue;
    const from = await repository.head(branch);
    if (from !== to) await repository.move(branch, to, from);
    moved[branch] = to;
  }
  return moved;
}

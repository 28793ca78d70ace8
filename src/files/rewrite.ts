/**
 * Takes a content out of history: every commit that had it is made anew without it, and the old ones are removed.
 *
 *   fast-export ──(lines that name the content become deletions)──▶ fast-import ──▶ branches moved ──▶ gc
 */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { CrewError } from "../core/errors.ts";
import type { Branch } from "../core/files.ts";
import { asCommitHash, type CommitHash } from "../core/ids.ts";
import type { Git, GitPlace } from "./git.ts";
import type { Repository } from "./port.ts";

export interface Rewritten {
  /** Old to new names, of the commits that are called otherwise now. */
  readonly map: Record<string, CommitHash>;
  readonly heads: Record<Branch, CommitHash>;
}

/**
 * Everything else of the commits stays: files, authors, dates, messages, and also those that are empty now. Commits before
 * the content came keep their names. Nothing else may write to the repository meanwhile: objects that no branch holds go.
 * @param blob The content: 40 hexadecimal digits.
 * @param commits Where the branches are: all that have the content.
 * @throws CrewError `FILES_HELD` when a worktree or another ref holds the content (then nothing was changed); `FILES_MOVED`,
 * `GIT_FAILED`.
 */
export async function rewriteWithout(
  git: Git,
  repository: Repository,
  blob: string,
  commits: Readonly<Record<Branch, CommitHash>>,
): Promise<Rewritten> {
  const place = { gitDir: repository.path };
  const branches = Object.keys(commits);
  for (const branch of branches)
    if ((await repository.head(branch)) !== commits[branch]) throw new CrewError("FILES_MOVED", { branch });
  await dropTemporaryRefs(git, place);
  const holders = [...(await refsHolding(git, place, blob, branches)), ...(await worktreesHolding(git, place, blob))];
  if (holders.length > 0) throw new CrewError("FILES_HELD", { held: holders.join(", ") });
  const map = await importWithout(git, place, blob, branches);
  const heads: Record<Branch, CommitHash> = {};
  // All at once, so that a crash leaves all branches old, or all new.
  let moves = "";
  for (const [branch, old] of Object.entries(commits)) {
    const head = map[old] ?? old;
    heads[branch] = head;
    moves += `update ${branchRefs}${branch} ${head} ${old}\n`;
  }
  await git.run(place, ["update-ref", "--stdin"], { input: moves });
  await dropTemporaryRefs(git, place);
  await forget(git, place);
  return { map, heads };
}

async function forget(git: Git, place: GitPlace): Promise<void> {
  // A bitmap would be made for every pack; bundles do without.
  const env = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "repack.writeBitmaps", GIT_CONFIG_VALUE_0: "false" };
  await git.run(place, ["reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all"]);
  await git.run(place, ["gc", "--quiet", "--prune=now"], { env });
}

const branchRefs = "refs/heads/";
/** Hold the new commits until the branches are moved. */
const rewrittenRefs = "refs/crewroom/rewrite/";

/** Our own, and those that a crash left: of bundles, and of a rewriting that did not come to its end. */
async function dropTemporaryRefs(git: Git, place: GitPlace): Promise<void> {
  const input = await git.text(place, ["for-each-ref", "--format=delete %(refname)", "refs/crewroom/"]);
  if (input !== "") await git.run(place, ["update-ref", "--stdin"], { input: `${input}\n` });
}

async function refsHolding(
  git: Git,
  place: GitPlace,
  blob: string,
  branches: readonly Branch[],
): Promise<readonly string[]> {
  const rewritten = new Set(branches.map((branch) => `${branchRefs}${branch}`));
  const refs = (await git.text(place, ["for-each-ref", "--format=%(refname)"])).split("\n");
  const others = refs.filter((ref) => ref !== "" && !rewritten.has(ref));
  const holding: string[] = [];
  for (const ref of others) if (await holds(git, place, [ref], blob)) holding.push(ref);
  return holding;
}

async function holds(git: Git, place: GitPlace, from: readonly string[], blob: string): Promise<boolean> {
  let found = false;
  let rest = "";
  const output = new Writable({
    write(chunk: Buffer, _encoding, next) {
      const text = rest + chunk.toString("latin1");
      found ||= text.includes(blob);
      rest = text.slice(-blob.length);
      next();
    },
  });
  await git.run(place, ["rev-list", "--objects", "--no-object-names", ...from], { output });
  return found;
}

/** An index holds what it names, and a worktree on no branch what its commit has. */
async function worktreesHolding(git: Git, place: GitPlace, blob: string): Promise<readonly string[]> {
  const folder = join(place.gitDir, "worktrees");
  const ids = await readdir(folder).catch((): string[] => []);
  const holding: string[] = [];
  for (const id of ids) {
    const worktree = { gitDir: join(folder, id) };
    const { stdout } = await git.run(worktree, ["ls-files", "-s", "-z"]);
    const head = await readFile(join(worktree.gitDir, "HEAD"), "utf8").catch(() => "");
    const commit = asCommitHash(head.trim());
    const held = stdout.includes(blob) || (commit !== undefined && (await holds(git, place, [commit], blob)));
    if (held) holding.push(`the worktree ${id}`);
  }
  return holding;
}

/** Makes the commits anew. Returns old to new names, of those that differ. */
async function importWithout(
  git: Git,
  place: GitPlace,
  blob: string,
  branches: readonly Branch[],
): Promise<Record<string, CommitHash>> {
  const options = ["--no-data", "--show-original-ids", "--signed-tags=strip", "--reencode=no"];
  const refs = branches.map((branch) => `${branchRefs}${branch}`);
  const { stdout } = await git.run(place, ["fast-export", ...options, ...refs], { maxBytes: 1024 ** 3 });
  const { stream, olds } = withoutBlob(stdout, blob);
  const marks = join(place.gitDir, `crewroom-tmp-marks-${crypto.randomUUID()}`);
  try {
    await git.run(place, ["fast-import", "--quiet", "--force", "--date-format=raw", `--export-marks=${marks}`], {
      input: stream,
    });
    const map: Record<string, CommitHash> = {};
    for (const line of (await readFile(marks, "utf8")).split("\n")) {
      const [mark = "", name] = line.split(" ");
      const [old, now] = [olds.get(mark), asCommitHash(name)];
      if (old !== undefined && now !== undefined && old !== now) map[old] = now;
    }
    return map;
  } finally {
    await rm(marks, { force: true });
  }
}

/**
 * Edits a stream of `fast-export --no-data`. Messages come as `data <bytes>` and are passed over unread: one could have a
 * line that looks like a command.
 */
function withoutBlob(exported: Buffer, blob: string): { readonly stream: Buffer; readonly olds: Map<string, string> } {
  const out: Buffer[] = [];
  const olds = new Map<string, string>();
  const change = new RegExp(`^M \\d+ ${blob} `);
  let mark = "";
  for (let at = 0; at < exported.length;) {
    const end = exported.indexOf(10, at) === -1 ? exported.length : exported.indexOf(10, at);
    // Paths may have any bytes.
    const line = exported.toString("latin1", at, end);
    at = end + 1;
    if (line.startsWith("mark ")) mark = line.slice("mark ".length);
    if (line.startsWith("original-oid ")) olds.set(mark, line.slice("original-oid ".length));
    const edited = line
      .replace(change, "D ")
      .replace(/^(commit|reset) refs\/heads\//, (_, command: string) => `${command} ${rewrittenRefs}`);
    out.push(Buffer.from(`${edited}\n`, "latin1"));
    const [, bytes] = /^data (\d+)$/.exec(line) ?? [];
    if (bytes === undefined) continue;
    out.push(exported.subarray(at, at + Number(bytes)));
    at += Number(bytes);
  }
  return { stream: Buffer.concat(out), olds };
}

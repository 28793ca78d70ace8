/** Puts one branch's work into another without a worktree, or says who changed what where they do not go together. */
import { type Branch, branchOf, type Conflict, mainBranch, type Side } from "../core/files.ts";
import { CrewError } from "../core/errors.ts";
import { asCommitHash, type CommitHash } from "../core/ids.ts";
import type { Git } from "./git.ts";
import type { CommitWords, Merged, Repository } from "./port.ts";

export interface MergeRequest {
  readonly into: Branch;
  readonly commit: CommitHash;
  readonly words: CommitWords;
}

/** Files stay where their authors put them: git would else move new files after a folder that the other side renamed. */
const env = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "merge.directoryRenames", GIT_CONFIG_VALUE_0: "false" };

/**
 * Merges a commit into a branch: one merge commit with the parents [head of the branch, commit], never a fast-forward, so
 * that along first parents each approved subtask is one commit. `fresh: false`: there was nothing to bring; `commit` is then
 * the merge that once brought it, or the branch's head.
 * @throws CrewError `FILES_MOVED` when the branch was moved twice meanwhile, `GIT_FAILED`.
 */
export async function mergeInto(git: Git, repository: Repository, request: MergeRequest): Promise<Merged> {
  try {
    return await tryMerge(git, repository, request);
  } catch (thrown) {
    if (!(thrown instanceof CrewError && thrown.code === "FILES_MOVED")) throw thrown;
    return tryMerge(git, repository, request);
  }
}

async function tryMerge(git: Git, repository: Repository, { into, commit, words }: MergeRequest): Promise<Merged> {
  const place = { gitDir: repository.path };
  const ours = await repository.head(into);
  if (ours === undefined) throw new CrewError("FILES_MOVED", { branch: into });
  if (await repository.isIn(commit, ours))
    return { kind: "merged", commit: await broughtBy(git, repository, commit, ours), fresh: false };
  // Names of branches, for they stand beside the conflict's markers. What they are is checked below.
  const label = await nameOf(repository, commit, words.subtask);
  const args = ["merge-tree", "--write-tree", "-z", "--messages", into, label];
  const { code, stdout } = await git.run(place, args, { env, expected: [0, 1] });
  if ((await repository.head(into)) !== ours) throw new CrewError("FILES_MOVED", { branch: into });
  if (label !== commit && (await repository.head(label)) !== commit)
    throw new CrewError("FILES_MOVED", { branch: label });
  const { tree, conflicts } = mergeAnswer(stdout.toString());
  if (code === 1)
    return { kind: "conflict", main: ours, tree, conflicts: await sided(git, repository, ours, commit, conflicts) };
  if (tree === (await git.text(place, ["rev-parse", `${ours}^{tree}`])))
    return { kind: "merged", commit: ours, fresh: false };
  const merge = await repository.commitTree(tree, [ours, commit], words);
  await repository.move(into, merge, ours);
  return { kind: "merged", commit: merge, fresh: true };
}

async function nameOf(repository: Repository, commit: CommitHash, subtask: string | undefined): Promise<string> {
  for (const branch of [...(subtask === undefined ? [] : [branchOf(subtask)]), mainBranch])
    if ((await repository.head(branch)) === commit) return branch;
  return commit;
}

/** The merge on the way along first parents with which a commit came into a branch's history. */
async function broughtBy(git: Git, repository: Repository, commit: CommitHash, head: CommitHash): Promise<CommitHash> {
  const list = async (...options: string[]): Promise<readonly string[]> =>
    (await git.text({ gitDir: repository.path }, ["rev-list", ...options, `${commit}..${head}`])).split("\n");
  const after = new Set(await list("--ancestry-path"));
  const merge = asCommitHash((await list("--first-parent")).findLast((name) => after.has(name)));
  if (merge === undefined) return head;
  const [before] = (await repository.read(merge, mainBranch)).parents;
  // Else it was made on the branch itself.
  return before !== undefined && !(await repository.isIn(commit, before)) ? merge : head;
}

interface RawConflict {
  readonly kind: string;
  readonly path: string;
  /** All names that it is about, e.g. both of a rename. */
  readonly paths: readonly string[];
}

/**
 * Reads `merge-tree -z --messages`: the tree; a line for each stage of each conflicted file; an empty one; then messages
 * `<number of paths> <paths…> <type> <text>`. All end with a NUL.
 */
export function mergeAnswer(output: string): { readonly tree: string; readonly conflicts: readonly RawConflict[] } {
  const fields = output.split("\0");
  const tree = fields.shift() ?? "";
  const staged = new Set<string>();
  for (let line = fields.shift(); line !== undefined && line !== ""; line = fields.shift())
    staged.add(line.slice(line.indexOf("\t") + 1));
  const found = new Map<string, RawConflict>();
  const named = new Set<string>();
  while (fields.length > 3) {
    const paths = fields.splice(0, 1 + Number(fields[0])).slice(1);
    const [type = "", text = ""] = fields.splice(0, 2);
    const [path] = paths;
    const kind = conflictKind(type, text);
    if (path === undefined || kind === undefined) continue;
    for (const name of paths) named.add(name);
    // Of a path that is named twice the more telling word stays: a binary file's conflict is also one of content.
    const known = found.get(path);
    if (known === undefined || known.kind === "content")
      found.set(path, { kind, path, paths: [...new Set([...(known?.paths ?? []), ...paths])] });
  }
  for (const path of staged) if (!named.has(path)) found.set(path, { kind: "content", path, paths: [path] });
  return { tree, conflicts: [...found.values()] };
}

/** The word in `CONFLICT (…)`: the text's, which knows more than the type (`add/add`), but for binary files. */
function conflictKind(type: string, text: string): string | undefined {
  const [, general] = /^CONFLICT \((.+)\)$/.exec(type) ?? [];
  if (general === undefined) return undefined;
  const [, kind = general] = /^CONFLICT \(([^)]+)\)/.exec(text) ?? [];
  return kind === "contents" ? "content" : kind;
}

async function sided(
  git: Git,
  repository: Repository,
  ours: CommitHash,
  theirs: CommitHash,
  conflicts: readonly RawConflict[],
): Promise<readonly Conflict[]> {
  const base = await git.text({ gitDir: repository.path }, ["merge-base", ours, theirs]);
  return Promise.all(
    conflicts.map(async ({ kind, path, paths }): Promise<Conflict> => {
      const our = await lastSide(git, repository, `${base}..${ours}`, paths);
      const their = await lastSide(git, repository, `${base}..${theirs}`, paths);
      return {
        path,
        kind,
        ...(our === undefined ? {} : { ours: our }),
        ...(their === undefined ? {} : { theirs: their }),
      };
    }),
  );
}

async function lastSide(
  git: Git,
  repository: Repository,
  range: string,
  paths: readonly string[],
): Promise<Side | undefined> {
  const format = "--format=%H%x00%an%x00%(trailers:key=Crewroom-Subtask,valueonly,separator=%x2C)";
  const args = ["log", "-1", format, range, "--", ...paths];
  const [hash, by = "", subtask = ""] = (await git.text({ gitDir: repository.path }, args)).split("\0");
  const commit = asCommitHash(hash);
  return commit === undefined ? undefined : { commit, by, ...(subtask === "" ? {} : { subtask }) };
}

const happened: Readonly<Record<string, string>> = {
  content: "changed on both sides",
  binary: "a binary file, changed on both sides",
  "add/add": "added on both sides with different content",
  "modify/delete": "changed on one side and deleted on the other",
  "rename/delete": "renamed on one side and deleted on the other",
  "rename/rename": "renamed differently on both sides",
  "rename/add": "renamed on one side to a path that the other added",
  "file/directory": "a file on one side and a folder on the other",
  "distinct types": "a link on one side and a file on the other",
};

/** One line for each conflict, for the agent on whose side the subtask is. */
export function conflictText(conflicts: readonly Conflict[]): readonly string[] {
  return conflicts.map(({ path, kind, ours, theirs }) => {
    const sides = [
      ...(ours === undefined ? [] : [`on main by ${sideText(ours, true)}`]),
      ...(theirs === undefined ? [] : [`in yours by ${sideText(theirs, false)}`]),
    ];
    const what = happened[kind] ?? `both sides changed it (${kind})`;
    return `${quoted(path)}: ${what}${sides.length === 0 ? "" : `: ${sides.join(", ")}`}`;
  });
}

function sideText({ commit, by, subtask }: Side, named: boolean): string {
  const where = named && subtask !== undefined ? `subtask \`${subtask}\`, ` : "";
  return `${by} (${where}${commit.slice(0, 7)})`;
}

/** In one line, whatever characters it has. */
function quoted(path: string): string {
  const shown = /[\p{Cc}`]/u.test(path) ? JSON.stringify(path).replaceAll("`", "'") : path;
  return `\`${shown}\``;
}

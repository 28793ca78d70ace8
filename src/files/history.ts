/** What became of one file: every commit that changed it, also under its former names, also when it is gone. */
import { branchOf, type Commit, type FileChange, mainBranch } from "../core/files.ts";
import { asCommitHash, type CommitHash } from "../core/ids.ts";
import { isRename, rawChange, type RawChange } from "./changes.ts";
import type { Git } from "./git.ts";
import type { Repository } from "./port.ts";

export interface FileStep {
  readonly commit: Commit;
  readonly change: FileChange["kind"];
  /** What it was called then: for a rename after it, for a deletion before it. */
  readonly path: string;
}

/**
 * Newest first. Of a file that is gone the first is its deletion (or its renaming), and the next the last commit where it
 * still was. A merge is left out unless it has the file as none of its sides had it, for then it is the first with it so.
 *
 * Git's own `--follow` knows one name at a time along all branches at once, and so loses what one branch did under the old
 * name while another renamed it.
 * @param limit Most steps.
 */
export async function fileHistory(
  git: Git,
  repository: Repository,
  from: CommitHash,
  path: string,
  limit: number,
): Promise<readonly FileStep[]> {
  const history = new FileNames(git, repository, from);
  await history.follow(path);
  const steps: FileStep[] = [];
  for (const { hash, change } of history.steps.slice(0, limit)) {
    const commit = await repository.read(hash, mainBranch);
    const { subtask } = commit;
    const branch = subtask === undefined || commit.why === "merge" ? mainBranch : branchOf(subtask);
    steps.push({ commit: { ...commit, branch }, change: change.kind, path: change.path });
  }
  return steps;
}

interface RawStep {
  readonly hash: CommitHash;
  readonly change: RawChange;
}

class FileNames {
  steps: readonly RawStep[] = [];
  readonly #git: Git;
  readonly #repository: Repository;
  readonly #from: CommitHash;
  /** Names of the file, and the commits in which what has the name is (again) another file. */
  readonly #names = new Map<string, ReadonlySet<string>>();

  constructor(git: Git, repository: Repository, from: CommitHash) {
    this.#git = git;
    this.#repository = repository;
    this.#from = from;
  }

  async follow(path: string): Promise<void> {
    this.#names.set(path, new Set());
    for (let known = 0; known < this.#names.size;) {
      known = this.#names.size;
      const touched = await this.#log(["--no-renames", "--full-history", this.#from, "--", ...this.#names.keys()]);
      this.steps = await this.#withRenames(touched.filter((step) => this.#isIts(step)));
      for (const { hash, change } of this.steps)
        if (change.from !== undefined && this.#names.has(change.path) && !this.#names.has(change.from))
          this.#names.set(change.from, await this.#after(hash));
    }
  }

  #isIts({ hash, change }: RawStep): boolean {
    const others = this.#names.get(change.path);
    return others !== undefined && !others.has(hash);
  }

  /** Only a whole commit tells a rename: to one path it looks like an added file, or a deleted one. */
  async #withRenames(touched: readonly RawStep[]): Promise<readonly RawStep[]> {
    const unclear = touched.filter(({ change }) => change.kind === "added" || change.kind === "deleted");
    if (unclear.length === 0) return touched;
    const hashes = new Set(unclear.map(({ hash }) => hash));
    const whole = await this.#log(["-M", "-l1000", "--no-walk=unsorted", ...hashes]);
    const renames = whole.filter(({ change }) => change.from !== undefined);
    const told = new Set<RawStep>();
    return touched.flatMap((step) => {
      const { hash, change } = step;
      const rename = renames.find(
        (other) => other.hash === hash && (other.change.path === change.path || other.change.from === change.path),
      );
      if (rename === undefined || change.kind === "modified" || change.kind === "mode") return [step];
      // Both of its names may be known: it is one step all the same.
      if (told.has(rename)) return [];
      told.add(rename);
      return [rename];
    });
  }

  /** Commits that have this one in their history, and this one itself, up to where the file's history is asked from. */
  async #after(commit: CommitHash): Promise<ReadonlySet<string>> {
    const args = ["rev-list", "--ancestry-path", `${commit}..${this.#from}`];
    const later = await this.#git.text({ gitDir: this.#repository.path }, args);
    return new Set(later.split("\n"));
  }

  async #log(args: readonly string[]): Promise<readonly RawStep[]> {
    // `-c`: of a merge only what differs from all its parents.
    const options = ["log", "-z", "--topo-order", "--raw", "-c", "--no-abbrev", "--no-ext-diff", "--no-textconv"];
    const place = { gitDir: this.#repository.path };
    return parseLog(await this.#git.text(place, [...options, "--ignore-submodules=all", "--format=%H", ...args]));
  }
}

/** Reads `log -z --raw --format=%H`: the name of each commit, then its records. */
function parseLog(output: string): readonly RawStep[] {
  const fields = output.split("\0");
  const steps: RawStep[] = [];
  let hash: CommitHash | undefined;
  for (let at = 0; at < fields.length; at++) {
    const field = (fields[at] ?? "").trim();
    if (!field.startsWith(":")) {
      hash = asCommitHash(field) ?? hash;
      continue;
    }
    const one = fields[++at] ?? "";
    const change = isRename(field) ? rawChange(field, fields[++at] ?? "", one) : rawChange(field, one);
    if (hash !== undefined && change !== undefined) steps.push({ hash, change });
  }
  return steps;
}

/**
 * The repository of one task. The bridge is the only one that works in its folder, so whatever lock is found when it is
 * opened is left from a process that was killed.
 */
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { CrewError } from "../core/errors.ts";
import { type Branch, type Commit, mainBranch } from "../core/files.ts";
import { asCommitHash, type CommitHash } from "../core/ids.ts";
import { commitText, parseCommit, rootText } from "./commit-text.ts";
import { filling } from "./full.ts";
import type { Git, GitPlace } from "./git.ts";
import type { CommitWords, Repository } from "./port.ts";

/** Bytes are kept as they are, and no program is run for a file, whatever a task's own `.gitattributes` ask for. */
const attributes =
  "* -text -eol -ident -filter -working-tree-encoding !diff !merge !conflict-marker-size -export-ignore -export-subst\n";
const nowhere = "0".repeat(40);

/**
 * Opens the repository `<folder>/repo.git`; makes it when there is none.
 * @param task The task's number: the first commit is made of it alone and has the same name on every host.
 * @throws CrewError `FILES_FULL`, `GIT_MISSING`, `GIT_FAILED`.
 */
export function openRepository(git: Git, folder: string, task: number): Promise<Repository> {
  return filling(async () => {
    const at = path.join(folder, "repo.git");
    if (existsSync(at)) await removeLeftovers(at);
    else await make(git, folder, at);
    const place = { gitDir: at };
    // Made again each time: costs nothing, and mends what a crash or a hand left.
    const tree = await git.text(place, ["hash-object", "-t", "tree", "-w", "--stdin"], { input: "" });
    const root = await writeCommit(git, place, rootText(tree, task));
    const repository = createRepository(git, at, root);
    if ((await repository.head(mainBranch)) === undefined) await repository.move(mainBranch, root, undefined);
    return repository;
  });
}

/** Made beside and then renamed: a crash on the way leaves nothing that looks like a repository. */
async function make(git: Git, folder: string, at: string): Promise<void> {
  const beside = `${at}.making`;
  await mkdir(folder, { recursive: true });
  await rm(beside, { recursive: true, force: true });
  const init = ["init", "--bare", "--quiet", "--object-format=sha1", `--initial-branch=${mainBranch}`, "--template="];
  await git.run(undefined, [...init, beside]);
  await mkdir(path.join(beside, "info"), { recursive: true });
  await mkdir(path.join(beside, "worktrees"), { recursive: true });
  await writeFile(path.join(beside, "info", "attributes"), attributes);
  await rename(beside, at);
}

/** Locks, and halves of objects, of a git that was killed. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const at = path.join(folder, entry.name);
    if (/^fast_import_crash_|^tmp_|\.lock$|^crewroom-tmp-/.test(entry.name))
      await rm(at, { recursive: true, force: true });
    else if (entry.isDirectory() && !entry.name.startsWith("crewroom-")) await removeLeftovers(at);
  }
}

async function writeCommit(git: Git, place: GitPlace, text: string): Promise<CommitHash> {
  const name = await git.text(place, ["hash-object", "-t", "commit", "-w", "--stdin"], { input: text });
  const hash = asCommitHash(name);
  if (hash === undefined) throw new CrewError("GIT_FAILED", { command: "hash-object", reason: `it answered ${name}` });
  return hash;
}

function createRepository(git: Git, at: string, root: CommitHash): Repository {
  const place = { gitDir: at };

  async function head(branch: Branch): Promise<CommitHash | undefined> {
    const found = await git.text(place, ["show-ref", "--verify", "--hash", `refs/heads/${branch}`], {
      expected: [0, 1, 128],
    });
    return asCommitHash(found);
  }

  async function heads(): Promise<Readonly<Record<Branch, CommitHash>>> {
    const list = await git.text(place, ["for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads"]);
    return Object.fromEntries(
      list.split("\n").flatMap((line) => {
        const hash = asCommitHash(line.slice(0, 40));
        return hash === undefined ? [] : [[line.slice(41), hash]];
      }),
    );
  }

  async function isIn(commit: CommitHash, of: CommitHash): Promise<boolean> {
    if (commit === of) return true;
    return (await git.run(place, ["merge-base", "--is-ancestor", commit, of], { expected: [0, 1] })).code === 0;
  }

  async function readAll(names: readonly CommitHash[], branch: Branch): Promise<readonly Commit[]> {
    if (names.length === 0) return [];
    const { stdout } = await git.run(place, ["cat-file", "--batch"], { input: `${names.join("\n")}\n` });
    const commits: Commit[] = [];
    for (let from = 0; from < stdout.length;) {
      const end = stdout.indexOf(10, from);
      const [name, kind, size] = stdout.toString("latin1", from, end).split(" ");
      const hash = asCommitHash(name);
      if (hash === undefined || kind !== "commit")
        throw new CrewError("GIT_FAILED", { command: "cat-file", reason: `${name ?? ""} is no commit here` });
      from = end + 1 + Number(size) + 1;
      commits.push(parseCommit(stdout.toString("utf8", end + 1, from - 1), hash, branch));
    }
    return commits;
  }

  return {
    path: at,
    root,
    head,
    heads,
    isIn,
    async move(branch, to, from) {
      try {
        await git.run(place, ["update-ref", "--no-deref", `refs/heads/${branch}`, to, from ?? nowhere]);
      } catch (thrown) {
        if ((await head(branch)) === from) throw thrown;
        throw new CrewError("FILES_MOVED", { branch }, thrown);
      }
    },
    async has(commit) {
      if (!/^[0-9a-f]{4,40}$/.test(commit)) return false;
      return (await git.run(place, ["cat-file", "-e", `${commit}^{commit}`], { expected: [0, 1, 128] })).code === 0;
    },
    async resolve(name) {
      const branch = await head(name);
      if (branch !== undefined || !/^[0-9a-f]{4,40}$/.test(name)) return branch;
      const args = ["-c", "core.disambiguate=commit", "rev-parse", "--verify", "--quiet", `${name}^{commit}`];
      return asCommitHash(await git.text(place, args, { expected: [0, 1, 128] }));
    },
    async read(commit, branch) {
      const [read] = await readAll([commit], branch);
      if (read === undefined) throw new CrewError("GIT_FAILED", { command: "cat-file", reason: `no ${commit} here` });
      return read;
    },
    async since(branch, known) {
      const newest = await head(branch);
      if (newest === undefined) return [];
      const after = known !== undefined && (await this.has(known)) && (await isIn(known, newest)) ? known : root;
      const list = await git.text(place, ["rev-list", "--first-parent", "--reverse", newest, `^${after}`]);
      return readAll(list.split("\n").filter(Boolean) as CommitHash[], branch);
    },
    commitTree: (tree: string, parents: readonly CommitHash[], words: CommitWords) =>
      filling(() => writeCommit(git, place, commitText(tree, parents, words))),
  };
}

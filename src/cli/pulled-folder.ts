/**
 * A folder that people can work in, like a clone. What comes from the room is kept apart from what is theirs:
 *
 *   DIR/                                        files of main
 *   DIR/.git/                                   theirs: index, commits of their own, branches
 *   DIR/.git/refs/remotes/room/*                where the room has its branches
 *   DIR/.git/crewroom/repo.git                  put together from the room; its objects are borrowed by DIR/.git
 *
 * Nothing of theirs is overwritten: their branches only go forward, and a changed file ends the pull before anything moves.
 */
import { existsSync } from "node:fs";
import { lstat, mkdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { CrewError } from "../core/errors.ts";
import { type Branch, mainBranch } from "../core/files.ts";
import { asCommitHash, type CommitHash, type RoomId } from "../core/ids.ts";
import type { Git, GitPlace } from "../files/git.ts";
import type { Repository } from "../files/port.ts";

/** Git's own name for the tree without files. */
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const remote = "room";
/** Files get the bytes that they have in the room, whatever a task's `.gitattributes` ask for. */
const asTheyAre = "* -text -eol -ident -filter -working-tree-encoding\n";

export class PulledFolder {
  readonly #git: Git;
  readonly #root: string;
  readonly #place: GitPlace;

  private constructor(git: Git, root: string) {
    this.#git = git;
    this.#root = root;
    this.#place = { gitDir: join(root, ".git"), workTree: root };
  }

  /** Makes the folder, or finds it again. @throws CrewError `COMMAND_INVALID` when it belongs to something else. */
  static async open(git: Git, root: string, room: RoomId): Promise<PulledFolder> {
    const folder = new PulledFolder(git, root);
    const mark = join(folder.store, "room");
    const taken = (what: string): CrewError =>
      new CrewError("COMMAND_INVALID", {
        reason: `crewroom files pull: ${root} ${what}; give another folder with --into.`,
      });
    if (existsSync(folder.#place.gitDir)) {
      if (!existsSync(mark)) throw taken("is a repository of something else");
      if ((await readFile(mark, "utf8")).trim() !== room) throw taken("has the files of another room");
    }
    await mkdir(folder.store, { recursive: true });
    await writeFile(mark, `${room}\n`);
    // Also when it is there already: the first time may have been cut off.
    await git.run(undefined, ["init", "--quiet", "--template=", `--initial-branch=${mainBranch}`, "--", root]);
    return folder;
  }

  /** Where the room's repository goes. */
  get store(): string {
    return join(this.#place.gitDir, "crewroom");
  }

  /**
   * Shows the room's branches, and the files of `main`.
   * @returns What was left as it is, a sentence for each.
   * @throws CrewError `FILES_IN_THE_WAY`.
   */
  async update(
    repository: Pick<Repository, "path">,
    branches: Readonly<Record<Branch, CommitHash>>,
  ): Promise<readonly string[]> {
    await this.#borrow(repository);
    const kept: string[] = [];
    const { [mainBranch]: main, ...others } = branches;
    if (main !== undefined && !(await this.#updateMain(main))) kept.push(ownCommits(mainBranch));
    for (const [branch, to] of Object.entries(others)) {
      if (!(await this.#follow(branch, to))) kept.push(ownCommits(branch));
    }
    return kept;
  }

  async #borrow(repository: Pick<Repository, "path">): Promise<void> {
    const { gitDir } = this.#place;
    const objects = join(gitDir, "objects");
    for (const info of [join(gitDir, "info"), join(objects, "info")]) await mkdir(info, { recursive: true });
    const borrowed = relative(objects, join(repository.path, "objects")).split(sep).join("/");
    await writeFile(join(objects, "info", "alternates"), `${borrowed}\n`);
    await writeFile(join(gitDir, "info", "attributes"), asTheyAre);
    const url = relative(this.#root, repository.path).split(sep).join("/");
    await this.#run("config", `remote.${remote}.url`, `./${url}`);
    await this.#run("config", `remote.${remote}.fetch`, `+refs/heads/*:refs/remotes/${remote}/*`);
  }

  /** The branch that is checked out, if that is `main`, takes the files along. */
  async #updateMain(to: CommitHash): Promise<boolean> {
    const isShown = (await this.#text("symbolic-ref", "--quiet", "HEAD")) === `refs/heads/${mainBranch}`;
    const from = await this.#commitOf(`refs/heads/${mainBranch}`);
    const mayMove = await this.#mayMove(mainBranch, from, to);
    if (isShown && mayMove && from !== to) await this.#showFiles(from ?? emptyTree, to);
    return this.#follow(mainBranch, to);
  }

  /** Moves a branch to where the room has it, unless there is work of their own on it. */
  async #follow(branch: Branch, to: CommitHash): Promise<boolean> {
    const from = await this.#commitOf(`refs/heads/${branch}`);
    const isOwn = (await this.#text("symbolic-ref", "--quiet", "HEAD")) === `refs/heads/${branch}`;
    // Of a branch that is checked out the files would have to go along; only those of main do.
    const mayMove = (branch === mainBranch || !isOwn) && (await this.#mayMove(branch, from, to));
    if (mayMove && from !== to) await this.#run("update-ref", `refs/heads/${branch}`, to);
    await this.#run("update-ref", `refs/remotes/${remote}/${branch}`, to);
    return mayMove || (from !== undefined && (await this.#isIn(to, from)));
  }

  /** Where nobody has committed since the last pull, also a history that was rewritten is followed. */
  async #mayMove(branch: Branch, from: CommitHash | undefined, to: CommitHash): Promise<boolean> {
    if (from === undefined || from === (await this.#commitOf(`refs/remotes/${remote}/${branch}`))) return true;
    return this.#isIn(from, to);
  }

  async #showFiles(from: string, to: CommitHash): Promise<void> {
    const changed = await this.#names("diff-tree", "-r", "--no-renames", "--name-only", "-z", from, to);
    await this.#git.run(this.#place, ["update-index", "-q", "--refresh"], { expected: [0, 1] });
    const dirty = new Set(await this.#names("diff-index", "--name-only", "-z", from));
    const known = new Set(await this.#names("ls-files", "-z"));
    const suspects = changed.filter((path) => dirty.has(path) || !known.has(path));
    const wanted = await this.#blobsAt(to, suspects);
    const inTheWay: string[] = [];
    const alike: string[] = [];
    for (const path of suspects) {
      const here = await this.#blobHere(path);
      if (here === undefined) continue;
      (here === wanted.get(path) ? alike : inTheWay).push(path);
    }
    if (inTheWay.length > 0) {
      const files = inTheWay.map((path) => `- ${JSON.stringify(path).slice(1, -1)}`).join("\n");
      throw new CrewError("FILES_IN_THE_WAY", { folder: this.#root, files });
    }
    // Git looks at the index alone and would refuse them.
    for (const path of alike) await rm(join(this.#root, path));
    // The second lock: git refuses by itself what it would overwrite.
    await this.#run("read-tree", "-m", "-u", from, to);
    // After a pull that was cut off here, the index has them already, and git did not miss them.
    const input = alike.filter((path) => wanted.has(path)).join("\0");
    await this.#git.run(this.#place, ["checkout-index", "-q", "-u", "-z", "--stdin"], { input, expected: [0, 1] });
  }

  async #blobsAt(commit: CommitHash, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (paths.length === 0) return new Map();
    const listed = await this.#names("ls-tree", "-r", "-z", commit);
    return new Map(
      listed.map((line): [string, string] => {
        const tab = line.indexOf("\t");
        return [line.slice(tab + 1), line.slice(0, tab).split(" ")[2] ?? ""];
      }),
    );
  }

  /** Name of the object that this file would become; `undefined` when there is none. */
  async #blobHere(path: string): Promise<string | undefined> {
    const file = join(this.#root, path);
    const found = await lstat(file).catch(() => undefined);
    if (found === undefined) return undefined;
    if (found.isFile()) return this.#text("hash-object", "--", path);
    if (!found.isSymbolicLink()) return "no file";
    const input = await readlink(file, "buffer");
    return (await this.#git.text(this.#place, ["hash-object", "--stdin", "--no-filters"], { input })).trim();
  }

  async #isIn(commit: CommitHash, of: CommitHash): Promise<boolean> {
    const asked = ["merge-base", "--is-ancestor", commit, of];
    return (await this.#git.run(this.#place, asked, { expected: [0, 1] })).code === 0;
  }

  async #commitOf(ref: string): Promise<CommitHash | undefined> {
    return asCommitHash(await this.#text("rev-parse", "--verify", "--quiet", ref));
  }

  async #names(...args: string[]): Promise<readonly string[]> {
    const { stdout } = await this.#git.run(this.#place, args);
    return stdout
      .toString()
      .split("\0")
      .filter((name) => name !== "");
  }

  /** Empty where git has no answer. */
  async #text(...args: string[]): Promise<string> {
    return this.#git.text(this.#place, args, { expected: [0, 1] });
  }

  async #run(...args: string[]): Promise<void> {
    await this.#git.run(this.#place, args);
  }
}

function ownCommits(branch: Branch): string {
  return `${branch} stays where it is, because there are commits on it that the room does not have; the room's is ${remote}/${branch}`;
}

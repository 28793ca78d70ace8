/**
 * Which paths are ignored, by git's own rules. Git is asked in a copy of the folders in which nothing stands but the
 * `.gitignore` files, read by us: in the worktree itself a pipe of that name would hold it for ever.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Git } from "./git.ts";
import { bytesOf } from "./index-file.ts";
import type { Worktree } from "./port.ts";

/** Longer than a slow machine needs for any honest pattern; a hostile one can take git years. */
const patience = 60_000;

export class Ignored implements AsyncDisposable {
  readonly #git: Git;
  readonly #gitDir: string;
  readonly #folder: string;

  private constructor(git: Git, gitDir: string, folder: string) {
    this.#git = git;
    this.#gitDir = gitDir;
    this.#folder = folder;
  }

  /** @param patterns Count less than any `.gitignore`. */
  static async open(git: Git, { gitDir }: Worktree, patterns: readonly string[]): Promise<Ignored> {
    const folder = await mkdtemp(path.join(gitDir, "crewroom-tmp-ignore-"));
    await mkdir(path.join(folder, "tree"));
    await writeFile(path.join(folder, "patterns"), `${patterns.join("\n")}\n`);
    return new Ignored(git, gitDir, folder);
  }

  #at(name: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.#folder}/tree/`), bytesOf(name)]);
  }

  async addFolder(name: string): Promise<void> {
    await mkdir(this.#at(name));
  }

  /** @param name Path of a `.gitignore`. */
  async addPatterns(name: string, content: Uint8Array): Promise<void> {
    await writeFile(this.#at(name), content);
  }

  /** Of these the ignored ones. Their folders were added, and are not ignored themselves. */
  async among(names: readonly string[]): Promise<ReadonlySet<string>> {
    if (names.length === 0) return new Set();
    const { stdout } = await this.#git.run(
      { gitDir: this.#gitDir, workTree: path.join(this.#folder, "tree") },
      ["-c", `core.excludesFile=${this.#folder}/patterns`, "check-ignore", "--no-index", "-z", "--stdin"],
      {
        input: bytesOf(names.map((name) => `./${name}\0`).join("")),
        // It wants no literal paths; with `./` before it, none means anything else.
        env: { GIT_LITERAL_PATHSPECS: "0" },
        expected: [0, 1],
        signal: AbortSignal.timeout(patience),
      },
    );
    return new Set(
      stdout
        .toString("latin1")
        .split("\0")
        .map((name) => name.slice(2)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Repositories with a past, made without any worktree, for tests of what is done with commits. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CrewError, type ErrorCode } from "../../src/core/errors.ts";
import { type Branch, branchOf, type Commit, mainBranch } from "../../src/core/files.ts";
import type { AgentId, CommitHash, UserId } from "../../src/core/ids.ts";
import { createGit, type Git } from "../../src/files/git.ts";
import type { Author, CommitWords, Repository } from "../../src/files/port.ts";
import { openRepository } from "../../src/files/repository.ts";

export function author(name: string): Author {
  const id = name.toLowerCase();
  return { id: id as AgentId, name, user: `@agent_${id}:example.org` as UserId };
}

/** What stands at a path: a text, bytes, a blob with its mode, or nothing. */
export type Content = string | Uint8Array | { readonly mode: string; readonly content: string } | undefined;

export interface Told {
  readonly by?: string;
  readonly subtask?: string;
  readonly message?: string;
  readonly branch?: Branch;
  /** Default: the head of the branch. */
  readonly onto?: CommitHash;
  /** Parents beside the first. */
  readonly also?: readonly CommitHash[];
}

export class Story implements AsyncDisposable {
  readonly folder: string;
  readonly git: Git;
  readonly repository: Repository;
  #ts = Date.UTC(2026, 0, 1);

  constructor(folder: string, git: Git, repository: Repository) {
    this.folder = folder;
    this.git = git;
    this.repository = repository;
  }

  static async begin(task = 7): Promise<Story> {
    const folder = await mkdtemp(join(tmpdir(), "crewroom-story-"));
    const git = createGit();
    return new Story(folder, git, await openRepository(git, folder, task));
  }

  /** Time goes on by a minute with each asking. */
  words(told: Told = {}): CommitWords {
    const { by = "Ada", subtask, message = "Change files" } = told;
    this.#ts += 60_000;
    const base = { message, author: author(by), why: "change" as const, task: 7, ts: this.#ts };
    return subtask === undefined ? base : { ...base, subtask };
  }

  branchOf(told: Told): Branch {
    return told.branch ?? (told.subtask === undefined ? mainBranch : branchOf(told.subtask));
  }

  async blob(content: string | Uint8Array): Promise<string> {
    return this.git.text({ gitDir: this.repository.path }, ["hash-object", "-w", "--stdin"], { input: content });
  }

  async tree(base: string, changes: Readonly<Record<string, Content>>): Promise<string> {
    const place = { gitDir: this.repository.path };
    const env = { GIT_INDEX_FILE: join(this.folder, "index") };
    const lines: string[] = [];
    for (const [path, content] of Object.entries(changes)) {
      const plain = typeof content === "string" || content instanceof Uint8Array;
      const { mode, content: bytes } = plain ? { mode: "100644", content } : (content ?? { mode: "0", content: "" });
      const blob = content === undefined ? "0".repeat(40) : await this.blob(bytes);
      lines.push(`${mode} ${blob}\t${path}\0`);
    }
    await this.git.run(place, ["read-tree", base], { env });
    await this.git.run(place, ["update-index", "-z", "--index-info"], { env, input: lines.join("") });
    return this.git.text(place, ["write-tree"], { env });
  }

  /** Commits changes on a branch; a new branch begins at `main`. */
  async commit(changes: Readonly<Record<string, Content>>, told: Told = {}): Promise<Commit> {
    const branch = this.branchOf(told);
    const head = await this.repository.head(branch);
    const base = told.onto ?? head ?? (await this.repository.head(mainBranch)) ?? this.repository.root;
    const tree = await this.tree(base, changes);
    const hash = await this.repository.commitTree(tree, [base, ...(told.also ?? [])], this.words(told));
    await this.repository.move(branch, hash, head);
    return this.repository.read(hash, branch);
  }

  async show(commit: string, path: string): Promise<string> {
    const { stdout } = await this.git.run({ gitDir: this.repository.path }, ["cat-file", "blob", `${commit}:${path}`]);
    return stdout.toString();
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The error that it fails with. */
export async function failure(
  work: () => Promise<unknown>,
): Promise<{ readonly code: ErrorCode; readonly message: string }> {
  const thrown = await work().then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof CrewError)) throw new Error(`expected a CrewError, got ${String(thrown)}`);
  return thrown;
}

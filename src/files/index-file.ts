/**
 * Lists of files as git keeps them: of a tree, and of a worktree's index, which says what the bridge last put there or
 * recorded. Paths are kept with one character per byte (`latin1`), for names need not be UTF-8.
 */
import { copyFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import type { Git } from "./git.ts";
import type { Worktree } from "./port.ts";

export interface Entry {
  /** `100644`, `100755` or `120000`. */
  readonly mode: string;
  readonly blob: string;
}

/** By path, one character per byte. */
export type Entries = ReadonlyMap<string, Entry>;

/** What becomes of a path; without an entry it is gone. */
export type Edits = ReadonlyMap<string, Entry | undefined>;

export const bytesOf = (name: string): Buffer => Buffer.from(name, "latin1");
/** For people and for other files: bytes that are no UTF-8 show as replacement characters. */
export const shown = (name: string): string => bytesOf(name).toString();

export function sameEntry(one: Entry | undefined, other: Entry | undefined): boolean {
  return one?.mode === other?.mode && one?.blob === other?.blob;
}

const mostBytes = 1024 ** 3;

/** Files of a tree. Links to other repositories are none. */
export async function treeEntries(git: Git, gitDir: string, tree: string): Promise<Entries> {
  // Not with a format: that quotes names with `"`, `\\` or control characters in git 2.39, also with -z.
  const { stdout } = await git.run({ gitDir }, ["ls-tree", "-r", "-z", "--full-tree", tree], { maxBytes: mostBytes });
  return parse(stdout, ([mode = "", , blob = ""]) => ({ mode, blob }));
}

export async function indexEntries(git: Git, { gitDir }: Worktree): Promise<Entries> {
  const { stdout } = await git.run({ gitDir }, ["ls-files", "--stage", "-z"], { maxBytes: mostBytes });
  return parse(stdout, ([mode = "", blob = ""]) => ({ mode, blob }));
}

/** @param entryOf Gets the words before the tab. */
function parse(answer: Buffer, entryOf: (words: readonly string[]) => Entry): Entries {
  const entries = new Map<string, Entry>();
  for (const record of answer.toString("latin1").split("\0")) {
    const tab = record.indexOf("\t");
    const entry = entryOf(record.slice(0, Math.max(tab, 0)).split(" "));
    if (tab !== -1 && entry.mode !== "160000") entries.set(record.slice(tab + 1), entry);
  }
  return entries;
}

/** An index of its own, to be put in the place of the worktree's when all is done; a crash leaves the worktree's as it was. */
export class DraftIndex implements AsyncDisposable {
  readonly #git: Git;
  readonly #gitDir: string;
  readonly #file: string;

  private constructor(git: Git, gitDir: string) {
    this.#git = git;
    this.#gitDir = gitDir;
    this.#file = path.join(gitDir, `crewroom-tmp-index-${process.hrtime.bigint()}`);
  }

  static async copy(git: Git, { gitDir }: Worktree): Promise<DraftIndex> {
    const draft = new DraftIndex(git, gitDir);
    await copyFile(path.join(gitDir, "index"), draft.#file);
    return draft;
  }

  static async ofTree(git: Git, { gitDir }: Worktree, tree: string): Promise<DraftIndex> {
    const draft = new DraftIndex(git, gitDir);
    await draft.#run(["read-tree", tree]);
    return draft;
  }

  get env(): Readonly<Record<string, string>> {
    return { GIT_INDEX_FILE: this.#file };
  }

  async apply(edits: Edits): Promise<void> {
    if (edits.size === 0) return;
    const lines = (gone: boolean): string[] =>
      [...edits].flatMap(([name, entry]) =>
        (entry === undefined) === gone ? [`${entry?.mode ?? "0"} ${entry?.blob ?? "0".repeat(40)}\t${name}\0`] : [],
      );
    // What goes comes first: a file may take the place of a folder.
    const input = bytesOf([...lines(true), ...lines(false)].join(""));
    await this.#run(["update-index", "--replace", "-z", "--index-info"], input);
  }

  async tree(): Promise<string> {
    return (await this.#run(["write-tree"])).trim();
  }

  /** Makes it the worktree's. */
  async take(): Promise<void> {
    await rename(this.#file, path.join(this.#gitDir, "index"));
  }

  async #run(args: readonly string[], input?: Buffer): Promise<string> {
    const call = { env: this.env, ...(input === undefined ? {} : { input }) };
    return this.#git.text({ gitDir: this.#gitDir }, args, call);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#file, { force: true });
  }
}

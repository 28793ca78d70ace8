/** The parts of the files and what they need of the rest of the bridge. Types only. */
import type { Branch, Bundle, Commit, CommitReason, Conflict, FileChange, HeldFile } from "../core/files.ts";
import type { AgentId, CommitHash, EventId, TurnId, UserId } from "../core/ids.ts";

/** Who made a change, as git keeps it. */
export interface Author {
  readonly id: AgentId | UserId;
  /** Shown by git. */
  readonly name: string;
  /** Stands in the place of the e-mail address. */
  readonly user: UserId;
}

/** What a commit says beside its files. Its trailers are made of it: `Crewroom-Task`, `-Subtask`, `-Turn`, `-Reason`, `-By`, `-Event`. */
export interface CommitWords {
  /** First line, and after an empty line maybe more. */
  readonly message: string;
  readonly author: Author;
  readonly why: CommitReason;
  readonly task: number;
  readonly subtask?: string;
  readonly turn?: TurnId;
  /** The message with which a person handed it in. */
  readonly event?: EventId;
  /** Milliseconds since the epoch. */
  readonly ts: number;
}

/** The repository of one task: bare, with `main` from the start (an empty first commit). */
export interface Repository {
  /** Absolute path of the bare repository. */
  readonly path: string;
  /** The first, empty commit: the same in every repository of this task on every host. */
  readonly root: CommitHash;
  head(branch: Branch): Promise<CommitHash | undefined>;
  heads(): Promise<Readonly<Record<Branch, CommitHash>>>;
  /** Makes a branch, or moves it. `from`: where it must be now (`undefined`: it must not exist). @throws `FILES_MOVED` otherwise. */
  move(branch: Branch, to: CommitHash, from: CommitHash | undefined): Promise<void>;
  has(commit: string): Promise<boolean>;
  /** A commit by its full or abbreviated (at least 4 digits) name, or by a branch. `undefined`: none, or several. */
  resolve(name: string): Promise<CommitHash | undefined>;
  /** Whether `commit` is in the history of `of`. */
  isIn(commit: CommitHash, of: CommitHash): Promise<boolean>;
  /** What a commit says of itself (trailers). Works for commits of other programs as well: then `by` is its author's address. */
  read(commit: CommitHash, branch: Branch): Promise<Commit>;
  /** Commits of a branch after `known`, along first parents, oldest first. All but the root when `known` is not given or not in it. */
  since(branch: Branch, known: CommitHash | undefined): Promise<readonly Commit[]>;
  /** Writes a commit of a tree. Moves no branch. */
  commitTree(tree: string, parents: readonly CommitHash[], words: CommitWords): Promise<CommitHash>;
}

/** A folder with a task's files, made by `git worktree`. */
export interface Worktree {
  /** Absolute path. */
  readonly root: string;
  /** `<repository>/worktrees/<id>` */
  readonly gitDir: string;
  readonly writable: boolean;
  /** What it is on. A read-only one is on no branch. */
  readonly branch: Branch | undefined;
}

/** What may not be committed. */
export interface CommitRules {
  /** Bytes. */
  readonly fileBytes: number;
  readonly commitBytes: number;
  /** Patterns as in `.gitignore`, before the task's own. */
  readonly ignore: readonly string[];
  /** SHA-256 of contents that are let in although they look like secrets. */
  readonly allowed: ReadonlySet<string>;
  /** What looks like a secret in a file; `undefined`: nothing. */
  secretIn(path: string, content: Uint8Array): Promise<string | undefined>;
}

export interface Committed {
  /** `undefined`: nothing had changed. */
  readonly commit?: Commit;
  /** What stayed behind. */
  readonly held: readonly HeldFile[];
}

export type Merged =
  | { readonly kind: "merged"; readonly commit: CommitHash; readonly fresh: boolean }
  | {
      readonly kind: "conflict";
      readonly main: CommitHash;
      /** Tree with both sides of each conflict marked in the files. */
      readonly tree: string;
      readonly conflicts: readonly Conflict[];
    };

/** All that is told of a commit. */
export interface CommitFacts {
  readonly commit: Commit;
  /** At most {@link changesTold}, by path. */
  readonly changes: readonly FileChange[];
  /** Changed files in all, and lines. */
  readonly files: number;
  readonly added: number;
  readonly removed: number;
  /** A unified diff, when it is short enough to be read in the room. */
  readonly diff?: string;
}

export const changesTold = 50;

/** A bundle on disk. */
export interface BundleFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly needs: readonly CommitHash[];
}

/** A commit as its message in the room tells it to another host. */
export interface CommitEvent {
  readonly event: string;
  readonly ts: number;
  readonly commit: Commit;
  readonly changes: readonly FileChange[];
  readonly bundle?: Bundle;
}

/** Runs commands for agents, shut in. */
export interface Sandbox {
  /** `bubblewrap`, `seatbelt`, or `none`: without any wall. */
  readonly kind: "bubblewrap" | "seatbelt" | "none";
  run(command: SandboxCommand): Promise<CommandResult>;
}

/**
 * Decides about a host that a command wants to reach, at each try.
 * @param host `name:port`, in lower case, or an address: `192.0.2.7:443`, `[2001:db8::1]:443`.
 * @returns why not, for the command to read; `undefined` when it may.
 */
export type MayReach = (host: string) => Promise<string | undefined>;

export interface SandboxCommand {
  /** For `sh -c`. */
  readonly command: string;
  /** Absolute path of the worktree: the command's folder, and, with {@link writable}, the only one that it can write. */
  readonly root: string;
  readonly writable: boolean;
  /** Readable beside the system's own programs and libraries. */
  readonly readable: readonly string[];
  /** Decides where the command may reach, when the sandbox has a way out. Default: nowhere. */
  readonly mayReach?: MayReach;
  readonly signal: AbortSignal;
}

export interface CommandResult {
  /** `undefined` when a signal ended it. */
  readonly code?: number;
  readonly endedBy?: "time" | "memory" | "processes" | "stopped" | "signal";
  /** Standard output and error, in the order in which they came; the middle is left out when it is too long. */
  readonly output: string;
  /** Bytes that were left out of {@link output}. */
  readonly leftOut: number;
  readonly tookMs: number;
}

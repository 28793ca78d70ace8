/**
 * A task's files in the words of the core: plain data about commits, and what is asked of the files. The repository
 * itself is kept by `src/files` with the `git` program.
 *
 *   worktree ──commit──▶ subtask/<id> ──approved, merge──▶ main ──▶ archive, other hosts
 *                            ▲ └──late/<id>/<agent>/<epoch>: what came after the lease was gone
 *                            └── upload in the subtask's thread (elsewhere: main)
 */
import type { AgentId, CommitHash, EffectId, EventId, MxcUri, TurnId, UserId } from "./ids.ts";

/** `main`, `subtask/<id>` or `late/<id>/<agent>/<epoch>`: the part of a ref after `refs/heads/`. */
export type Branch = string;

export const mainBranch: Branch = "main";

export function branchOf(subtask: string): Branch {
  return `subtask/${subtask}`;
}

/** Where what an agent still wrote after its lease had gone is kept. */
export function lateBranch(subtask: string, agent: AgentId, epoch: number): Branch {
  return `late/${subtask}/${agent}/${epoch}`;
}

/** Why a commit was made. */
export type CommitReason =
  "change" | "turn" | "submit" | "merge" | "upload" | "restore" | "withdraw" | "rewrite" | "import";

/** One recorded change of a task's files, as the room keeps and tells it. */
export interface Commit {
  readonly hash: CommitHash;
  /** Empty for the first commit of all. A merge has two; the first is the branch that it was made on. */
  readonly parents: readonly CommitHash[];
  readonly branch: Branch;
  /** Who made the change: an agent, a person, or the bot (a merge). */
  readonly by: AgentId | UserId;
  readonly why: CommitReason;
  readonly subtask?: string;
  readonly turn?: TurnId;
  /** The message with which a person handed it in. */
  readonly event?: EventId;
  /** First line of its message. */
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly ts: number;
}

export interface FileChange {
  /** Relative to the worktree, with `/`. Any characters but NUL. */
  readonly path: string;
  readonly kind: "added" | "modified" | "deleted" | "renamed" | "mode";
  /** The path before, for `renamed`. */
  readonly from?: string;
  /** Git's mode after the change: `100644`, `100755`, `120000` (a link). Without, it is deleted. */
  readonly mode?: string;
  /** Lines added and removed; absent for a binary file. */
  readonly added?: number;
  readonly removed?: number;
  /** Bytes after the change. */
  readonly size?: number;
  /** SHA-256 of the bytes after the change, hexadecimal. */
  readonly sha256?: string;
}

/** A piece of a bundle in the media store; the pieces in order are the bundle. */
export interface BundlePart {
  readonly mxc: MxcUri;
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/** A git bundle (`git bundle`, format v2) with one commit and all that its parents do not have. */
export interface Bundle {
  readonly parts: readonly BundlePart[];
  /** Of the whole. */
  readonly sha256: string;
  readonly size: number;
  /** Commits that must be there before it can be fetched. Empty: it stands alone. */
  readonly needs: readonly CommitHash[];
}

/** Something in a worktree that is not committed, and why. */
export interface HeldFile {
  readonly path: string;
  readonly why: "too_large" | "commit_too_large" | "secret" | "link_out" | "special" | "unmerged";
  /** For a person, without the content: `60 MB, over the limit of 50 MB`, `an AWS access key`. */
  readonly detail: string;
  /** SHA-256 of the content, to recognise it again; what a person lets in is let in by it. `""` where none is read. */
  readonly sha256: string;
}

/** A file that a person dropped into the room. */
export interface Upload {
  readonly event: EventId;
  readonly by: UserId;
  readonly path: string;
  /** Its content's git object, 40 hexadecimal digits: a withdrawal takes away this content, whatever it is called by then. */
  readonly blob: string;
  readonly commit: CommitHash;
  /** The message that told of its commit. */
  readonly told?: EventId;
}

/** Two changes that do not go together. */
export interface Conflict {
  readonly path: string;
  /** Git's word: `content`, `modify/delete`, `rename/delete`, `add/add`, `rename/rename`, `binary`, … */
  readonly kind: string;
  readonly ours?: Side;
  readonly theirs?: Side;
}

/** The last change of one side to a path in conflict. `ours` is `main`, `theirs` the subtask's branch. */
export interface Side {
  readonly commit: CommitHash;
  /** Name of the author. */
  readonly by: string;
  readonly subtask?: string;
}

/** What the room knows of its task's files. */
export interface TaskFiles {
  /** The newest commit of each branch that is recorded here. A commit is taken once, after its first parent. */
  readonly heads: Readonly<Record<Branch, CommitHash>>;
  /** The newest commit of `main` that is in the room with its bundle. */
  readonly head?: { readonly commit: CommitHash; readonly bundle?: Bundle; readonly message: EventId };
  /** The newest {@link uploadsKept}. */
  readonly uploads: readonly Upload[];
  /** There may have been others: a withdrawal looks into the commits then. */
  readonly forgotten?: boolean;
  /** SHA-256 of contents that a person let in although they look like secrets. */
  readonly allowed: readonly string[];
  /** What was told or asked of files that are held back: `<path> <why> <sha256>`, so that it is told once. */
  readonly told: readonly string[];
}

export const uploadsKept = 200;
export const toldKept = 200;
export const noFiles: TaskFiles = { heads: {}, uploads: [], allowed: [], told: [] };

/** Where an agent's file tools work. */
export type Workplace =
  /** Its own worktree on the subtask's branch. `epoch`: of its lease. */
  | { readonly kind: "work"; readonly subtask: string; readonly epoch: number }
  /** A read-only worktree at what was handed in. */
  | { readonly kind: "review"; readonly subtask: string; readonly commit: CommitHash }
  /** A read-only worktree of `main`. */
  | { readonly kind: "main" };

/** What an agent asks of the files. Paths are as the agent gave them. */
export type FileRequest =
  | { readonly kind: "list"; readonly path: string }
  | { readonly kind: "history"; readonly path: string }
  | { readonly kind: "restore"; readonly path: string; readonly commit: string }
  /** Lines count from 1. */
  | { readonly kind: "read"; readonly path: string; readonly from?: number; readonly lines?: number }
  | { readonly kind: "write"; readonly path: string; readonly content: string }
  | { readonly kind: "edit"; readonly path: string; readonly old: string; readonly new: string }
  | ({ readonly kind: "delete"; readonly path: string } & WithReason)
  | ({ readonly kind: "run"; readonly command: string } & WithReason);

interface WithReason {
  /** Why, in the agent's words: for the person who is asked whether it may. */
  readonly why?: string;
}

/** What the room asks of the files; done outside, once, and answered by {@link FilesResult}. */
export type FilesJob =
  | { readonly kind: "merge"; readonly subtask: string; readonly commit: CommitHash }
  | {
      readonly kind: "upload";
      readonly event: EventId;
      readonly by: UserId;
      readonly mxc: string;
      readonly name: string;
      /** Becomes the commit's message; `""` for none. */
      readonly caption: string;
      readonly branch: Branch;
    }
  /** Takes what was handed in with a message out of the heads, and out of history where the config says so. */
  | { readonly kind: "withdraw"; readonly event: EventId; readonly upload?: Upload; readonly by: UserId }
  /** Commits what is let in by now, in the worktree where it was held back. */
  | { readonly kind: "commit"; readonly subtask: string; readonly agent: AgentId }
  | { readonly kind: "list"; readonly path: string; readonly branch: Branch }
  | { readonly kind: "log"; readonly path: string; readonly branch: Branch }
  | { readonly kind: "show"; readonly path: string; readonly commit?: string; readonly branch: Branch }
  | {
      readonly kind: "restore";
      readonly path: string;
      readonly commit: string;
      readonly branch: Branch;
      readonly by: UserId;
    }
  | { readonly kind: "archive"; readonly commit?: string }
  /** Every branch is told anew in full: the room has changed. */
  | { readonly kind: "republish" };

/** A file in the media store, to be said in the room. */
export interface MediaFile {
  readonly mxc: MxcUri;
  readonly name: string;
  readonly mimeType: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * What came of a job. Commits that it made have come into the lane before it, as `committed`.
 * `text` is markdown for the room.
 */
export type FilesResult =
  | { readonly kind: "merged"; readonly commit: CommitHash }
  | { readonly kind: "conflict"; readonly main: CommitHash; readonly conflicts: readonly Conflict[] }
  | { readonly kind: "uploaded"; readonly upload: Upload }
  | {
      readonly kind: "withdrawn";
      readonly text: string;
      /** Old to new names, where history was rewritten. */
      readonly rewritten?: Readonly<Record<string, CommitHash>>;
    }
  | { readonly kind: "told"; readonly text: string; readonly file?: MediaFile }
  | { readonly kind: "refused"; readonly text: string };

/** Asked by the bridge for what a room wants of its files. */
export interface FilesJobEffect {
  readonly kind: "files";
  readonly id: EffectId;
  readonly job: FilesJob;
  /** Whose command it answers. */
  readonly asked?: { readonly event: EventId; readonly by: UserId };
  readonly thread?: EventId;
}

/** Tells the room of a commit, with its bundle. */
export interface PublishCommit {
  readonly kind: "publish";
  readonly id: EffectId;
  readonly as: UserId;
  readonly commit: Commit;
  /** The whole history of its branch goes into the bundle: what was told before no longer counts. */
  readonly full?: boolean;
  readonly thread?: EventId;
}

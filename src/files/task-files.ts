/**
 * The files of one task on this host: its repository and the worktrees that are open. What changes a branch or a worktree
 * goes one after another (`exclusive`); whatever it committed is told to the task's room before the next begins.
 */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import pLimit from "p-limit";
import { type Branch, type HeldFile, mainBranch, noFiles, type TaskFiles } from "../core/files.ts";
import type { AgentId, CommitHash, RoomId, TurnId, UserId } from "../core/ids.ts";
import { type Input, taken } from "../core/input.ts";
import type { RoomState } from "../core/room.ts";
import type { Task } from "../core/tasks/task.ts";
import type { Git } from "./git.ts";
import type { Author, CommitRules, CommitWords, Repository, Worktree } from "./port.ts";

export interface FilesLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** `files` of the config. */
export interface FilesSettings {
  readonly fileBytes: number;
  readonly commitBytes: number;
  readonly quietMs: number;
  readonly quietMostMs: number;
  readonly diffBytes: number;
  readonly ignore: readonly string[];
  readonly withdrawn: "keep" | "purge";
  /** Files in a folder above which a person is asked before it is deleted. */
  readonly askDeleted: number;
}

/** What the files need of the bridge. */
export interface FilesBridge {
  /** What a room is like now; `undefined`: not known. */
  state(room: RoomId): RoomState | undefined;
  /** Tells a room's lane. */
  put(room: RoomId, input: Input): Promise<{ readonly reply?: string }>;
  author(id: AgentId | UserId): Author;
  readonly bot: Author;
  now(): number;
  readonly log: FilesLog;
}

export interface TaskFilesParts {
  readonly bridge: FilesBridge;
  readonly git: Git;
  readonly settings: FilesSettings;
  readonly secretIn: CommitRules["secretIn"];
}

/** A worktree that is open, and for whom. */
export interface OpenTree {
  readonly id: string;
  readonly tree: Worktree;
  readonly agent?: AgentId;
  readonly subtask?: string;
  /** Of the lease that it was opened for. */
  readonly epoch?: number;
  /** What a read-only one shows. */
  readonly commit?: CommitHash;
  /** Turns that work in it. */
  readonly turns: Set<TurnId>;
}

/** Name of a task's folder. Numbers alone could meet those of a homeserver that was set up anew. */
export function folderOf(task: Pick<Task, "number" | "created">): string {
  return `task-${task.number}-${task.created.toString(36)}`;
}

export class TaskRepository {
  readonly folder: string;
  readonly repository: Repository;
  readonly trees = new Map<string, OpenTree>();
  readonly parts: TaskFilesParts;
  readonly #order = pLimit(1);
  #room: RoomId;

  constructor(room: RoomId, folder: string, repository: Repository, parts: TaskFilesParts) {
    this.#room = room;
    this.folder = folder;
    this.repository = repository;
    this.parts = parts;
  }

  /** One after another. Not to be called from within itself. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#order(work);
  }

  /** Where the task is now: its room may be replaced. */
  get room(): RoomId {
    return this.#room;
  }

  in(room: RoomId): this {
    this.#room = room;
    return this;
  }

  get task(): Task | undefined {
    return this.parts.bridge.state(this.room)?.task;
  }

  get files(): TaskFiles {
    return this.task?.files ?? noFiles;
  }

  async head(branch: Branch): Promise<CommitHash> {
    return (await this.repository.head(branch)) ?? (await this.repository.head(mainBranch)) ?? this.repository.root;
  }

  words(
    author: Author,
    why: CommitWords["why"],
    message: string,
    about: Pick<CommitWords, "subtask" | "turn" | "event"> = {},
  ): CommitWords {
    return { author, why, message, task: this.task?.number ?? 0, ts: this.parts.bridge.now(), ...about };
  }

  get rules(): CommitRules {
    const { settings, secretIn } = this.parts;
    const { fileBytes, commitBytes, ignore } = settings;
    return { fileBytes, commitBytes, ignore, secretIn, allowed: new Set(this.files.allowed) };
  }

  /** Tells the room of commits that it does not know yet: those just made, and any that a crash left untold. */
  async report(branch: Branch): Promise<void> {
    const head = await this.repository.head(branch);
    const known = this.files.heads[branch] ?? (await this.#base(branch));
    if (head === undefined || head === known) return;
    for (const commit of await this.repository.since(branch, known)) {
      const { reply } = await this.parts.bridge.put(this.room, { kind: "committed", commit });
      if (reply !== taken)
        this.parts.bridge.log.warn({ room: this.room, commit: commit.hash, branch }, "a commit was not recorded");
    }
  }

  /** A branch of which the room knows nothing begins where it left main. */
  async #base(branch: Branch): Promise<CommitHash> {
    if (branch === mainBranch) return this.repository.root;
    const [head, main] = [await this.repository.head(branch), await this.head(mainBranch)];
    if (head === undefined) return main;
    const { git } = this.parts;
    const base = await git.text({ gitDir: this.repository.path }, ["merge-base", main, head]);
    return base as CommitHash;
  }

  async reportAll(): Promise<void> {
    // Main last: its merges bring what the branches have.
    const branches = Object.keys(await this.repository.heads());
    for (const branch of branches.toSorted((a, b) => Number(a === mainBranch) - Number(b === mainBranch)))
      await this.report(branch);
  }

  async reportHeld(agent: AgentId, subtask: string, files: readonly HeldFile[]): Promise<void> {
    if (files.length > 0) await this.parts.bridge.put(this.room, { kind: "held", agent, subtask, files });
  }

  /** A folder for what is only needed for a moment. */
  async temporary(name: string): Promise<string> {
    const folder = path.join(this.folder, "tmp");
    await mkdir(folder, { recursive: true });
    return path.join(folder, `${name.replaceAll(/[^\w.-]/g, "_").slice(-80)}-${crypto.randomUUID()}`);
  }
}

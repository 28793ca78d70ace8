/**
 * The files of all tasks: what agents' tools do to them, when they are recorded, and what rooms ask of them. The parts are
 * in the files beside it; here they meet.
 */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { asCrewError, CrewError } from "../core/errors.ts";
import {
  branchOf,
  type FileRequest,
  type FilesJobEffect,
  type FilesResult,
  type HeldFile,
  type Workplace,
} from "../core/files.ts";
import type { AgentId, CommitHash, EffectId, EventId, RoomId, TurnId } from "../core/ids.ts";
import type { RoomState } from "../core/room.ts";
import { isClosed } from "../core/tasks/derive.ts";
import { workplaceOf } from "../core/tasks/files.ts";
import { countBelow } from "./operations/count.ts";
import { pathInCommit, placeIn } from "./paths.ts";
import { doJob } from "./jobs.ts";
import type { JobMedia } from "./looks.ts";
import { operate } from "./operations/operate.ts";
import type { MayReach, Sandbox } from "./port.ts";
import { openRepository } from "./repository.ts";
import { historyText, restoreInto } from "./restore.ts";
import { folderOf, type OpenTree, type TaskFilesParts, TaskRepository } from "./task-files.ts";
import { TurnTrees } from "./turn-trees.ts";
import { adoptTrees, cleanAfterRun, hasUnwanted, hasWork, openTree, recordTree, tidy } from "./workspaces.ts";

/** A turn that works with files. */
export interface FileTurn {
  readonly agent: AgentId;
  readonly thread: EventId | undefined;
  readonly turn: TurnId;
}

export interface FilesOptions extends TaskFilesParts {
  /** `data` of the config. */
  readonly data: string;
  /** Folders that commands can read beside their worktree. */
  readonly readable: readonly string[];
  readonly sandbox: () => Promise<Sandbox>;
  readonly media: JobMedia;
  /** Puts a task's repository together from its room, where this host has none (any more). */
  readonly rebuild: (room: RoomId, folder: string, task: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

/** What came of the files before a result is handed in. */
export type HandedIn =
  | { readonly kind: "ready"; readonly commit?: CommitHash }
  /** What the agent reads. */
  | { readonly kind: "refused"; readonly why: string };

/** A subtask that ends makes way for others, whose agents open their worktrees within this time. */
const tidyAfterMs = 500;

export class Files implements AsyncDisposable {
  readonly #options: FilesOptions;
  readonly #tasks = new Map<string, Promise<TaskRepository>>();
  readonly #turns: TurnTrees;
  readonly #tidying = new Set<Promise<void>>();
  /** Tasks that will be tidied, so that many decisions in a row tidy once. */
  readonly #untidy = new Set<TaskRepository>();
  readonly #ending = new AbortController();

  constructor(options: FilesOptions) {
    this.#options = options;
    this.#turns = new TurnTrees(options);
  }

  /**
   * A file tool. Resolves to the text that the agent reads; rejects only when `signal` aborts.
   * @param mayReach Decides where a command may reach.
   */
  async use(
    room: RoomId,
    turn: FileTurn,
    request: FileRequest,
    mayReach: MayReach,
    signal: AbortSignal,
  ): Promise<string> {
    const place = this.#workplace(room, turn);
    if (place === undefined)
      return "Not done: files belong to tasks, and there is no task in this room. `!crew new` opens one.";
    try {
      const { task, open } = await this.#opened(room, turn, place);
      await this.#turns.begin(task, open, turn.turn);
      const text = await operate(open.tree, request, {
        fileBytes: this.#options.settings.fileBytes,
        secretIn: this.#options.secretIn,
        history: (file) => historyText(task, open, file),
        restore: (file, commit) => restoreInto(task, open, file, commit),
        record: async () => {
          if (open.tree.writable) await task.exclusive(() => recordTree(task, open, "change", turn.turn));
        },
        run: async (command) => {
          const sandbox = await this.#options.sandbox();
          const { root, writable } = open.tree;
          const { readable } = this.#options;
          const result = await sandbox.run({ command, root, writable, readable, mayReach, signal });
          if (sandbox.kind === "none" && !writable) await task.exclusive(() => cleanAfterRun(task, open));
          return result;
        },
        signal,
      });
      return text;
    } catch (thrown) {
      signal.throwIfAborted();
      this.#options.signal.throwIfAborted();
      const error = asCrewError(thrown);
      this.#options.bridge.log.warn(
        { room, agent: turn.agent, request: request.kind, err: error },
        "a file tool failed",
      );
      return `Not done: ${error.message} ${error.todo}`;
    }
  }

  /** Where an agent works in this turn; `undefined`: the room has no task. */
  #workplace(room: RoomId, { agent, thread }: FileTurn): Workplace | undefined {
    const state = this.#options.bridge.state(room);
    return state === undefined ? undefined : workplaceOf(state, agent, thread);
  }

  async #opened(
    room: RoomId,
    { agent }: FileTurn,
    place: Workplace,
  ): Promise<{ task: TaskRepository; open: OpenTree }> {
    const task = await this.#task(room);
    return { task, open: await task.exclusive(() => openTree(task, agent, place)) };
  }

  /**
   * The path in the task's files that a request means, however the agent has written it; `""` is all of them. Where the
   * tool follows links, they are followed.
   * @throws CrewError `FILE_REFUSED` where it leads out of them.
   */
  async placeOf(room: RoomId, turn: FileTurn, kind: FileRequest["kind"], given: string): Promise<string> {
    const place = this.#workplace(room, turn);
    if (place === undefined || given.trim() === "") return pathInCommit(given);
    const { open } = await this.#opened(room, turn, place);
    const isRead = kind === "read" || kind === "list";
    const { relative, parts } = await placeIn(open.tree, given, isRead ? "read" : "entry");
    return isRead ? parts.join("/") : relative;
  }

  /** Whether deleting a path takes more files than an agent may without asking. */
  async isLarge(room: RoomId, turn: FileTurn, given: string): Promise<boolean> {
    const place = this.#workplace(room, turn);
    if (place?.kind !== "work" || !given.endsWith("/")) return false;
    try {
      const { open } = await this.#opened(room, turn, place);
      const { relative } = await placeIn(open.tree, given, "entry");
      return (
        (await countBelow(open.tree, relative, this.#options.settings.askDeleted)) > this.#options.settings.askDeleted
      );
    } catch {
      // What cannot be looked at is refused, with the reason, by the tool itself.
      return false;
    }
  }

  /** Records what a worker's files are before it hands in. */
  async handIn(room: RoomId, turn: FileTurn, subtask: string, summary: string): Promise<HandedIn> {
    const place = this.#workplace(room, turn);
    if (place?.kind !== "work" || place.subtask !== subtask) return { kind: "ready" };
    try {
      const task = await this.#existing(room);
      if (task === undefined) return { kind: "ready" };
      if (hasWork(task, subtask, turn.agent)) {
        const held = await task.exclusive(async () => {
          const open = await openTree(task, turn.agent, place);
          const made = await recordTree(task, open, "submit", turn.turn, summary);
          await task.reportHeld(turn.agent, subtask, made.held);
          return made.held;
        });
        if (held.length > 0) return { kind: "refused", why: heldText(held) };
      }
      const commit = task.files.heads[branchOf(subtask)];
      return commit === undefined ? { kind: "ready" } : { kind: "ready", commit };
    } catch (thrown) {
      this.#options.signal.throwIfAborted();
      const error = asCrewError(thrown);
      return { kind: "refused", why: `Your files could not be recorded: ${error.message}` };
    }
  }

  /** Records what a turn leaves behind. Never rejects: what does not work is told in the room and tried again later. */
  async ended(room: RoomId, turn: FileTurn): Promise<void> {
    try {
      const running = await this.#turns.end(turn.turn);
      const task = running?.task ?? (await this.#existing(room));
      if (task === undefined) return;
      const place = this.#workplace(room, turn);
      await task.exclusive(async () => {
        // Also one that an earlier process left, in which this turn has called no tool yet.
        const left =
          place?.kind === "work" && hasWork(task, place.subtask, turn.agent)
            ? await openTree(task, turn.agent, place)
            : undefined;
        for (const open of new Set([running?.open, left]))
          if (open !== undefined && task.trees.get(open.id) === open) await this.#recordLast(task, open, turn.turn);
      });
      this.#tidy(task);
    } catch (thrown) {
      if (!this.#options.signal.aborted) await this.#trouble(room, turn.thread, `${turn.turn}:files`, thrown);
    }
  }

  /** Does what a room asks of its files. */
  async job(room: RoomId, effect: FilesJobEffect, signal: AbortSignal): Promise<FilesResult> {
    const task = await this.#task(room);
    return doJob(task, effect, { media: this.#options.media, signal });
  }

  /** For telling a commit: its task's repository. */
  repositoryOf(room: RoomId): Promise<TaskRepository> {
    return this.#task(room);
  }

  /** A room has decided something: worktrees that nobody needs any more go. */
  learn(room: RoomId, state: RoomState): void {
    const { task } = state;
    const open = task === undefined ? undefined : this.#tasks.get(folderOf(task));
    if (open === undefined) return;
    void this.#tidyIfNeeded(open, room);
  }

  /** After a start: tells rooms what a crash left untold, and adopts the worktrees of that time. */
  async recover(rooms: readonly RoomId[]): Promise<void> {
    for (const room of rooms) {
      const task = this.#options.bridge.state(room)?.task;
      if (task === undefined || isClosed(task)) continue;
      try {
        const files = await this.#existing(room);
        await files?.exclusive(() => files.reportAll());
      } catch (thrown) {
        await this.#trouble(room, undefined, `${room}:recover:${this.#options.bridge.now()}`, thrown);
      }
    }
  }

  /** What runs is left as it is: the next start goes on with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns[Symbol.asyncDispose]();
    this.#ending.abort();
    await Promise.allSettled(this.#tidying);
    for (const open of this.#tasks.values())
      await open.then(
        (task) => task.exclusive(async () => undefined),
        () => undefined,
      );
  }

  async #recordLast(task: TaskRepository, open: OpenTree, turn: TurnId): Promise<void> {
    const { held } = await recordTree(task, open, "turn", turn);
    if (open.agent !== undefined && open.subtask !== undefined) await task.reportHeld(open.agent, open.subtask, held);
  }

  async #tidyIfNeeded(opened: Promise<TaskRepository>, room: RoomId): Promise<void> {
    // One that could not be opened has told why to who asked for it.
    const task = await opened.catch(() => undefined);
    if (task !== undefined && hasUnwanted(task.in(room))) this.#tidy(task);
  }

  #tidy(task: TaskRepository): void {
    if (this.#untidy.has(task)) return;
    this.#untidy.add(task);
    const work = this.#tidyBehind(task)
      .catch((thrown: unknown) =>
        this.#options.bridge.log.warn({ room: task.room, err: asCrewError(thrown) }, "a worktree was not removed"),
      )
      .finally(() => this.#tidying.delete(work));
    this.#tidying.add(work);
  }

  /** What the next agent waits for goes first. */
  async #tidyBehind(task: TaskRepository): Promise<void> {
    const { signal } = this.#ending;
    await delay(tidyAfterMs, undefined, { signal }).catch(() => undefined);
    await task.exclusive(async () => {
      this.#untidy.delete(task);
      if (!signal.aborted) await tidy(task);
    });
  }

  async #trouble(room: RoomId, thread: EventId | undefined, id: string, thrown: unknown): Promise<void> {
    const error = asCrewError(thrown);
    this.#options.bridge.log.error({ room, err: error }, "files were not recorded");
    try {
      await this.#options.bridge.put(room, {
        kind: "filesTrouble",
        id: id as EffectId,
        code: error.code,
        sentence: `${error.message} ${error.todo}`,
        ...(thread === undefined ? {} : { thread }),
      });
    } catch (failed) {
      this.#options.bridge.log.error({ room, err: asCrewError(failed) }, "a room could not be told");
    }
  }

  /** `undefined` while the task has no files here, and its room knows of none. */
  async #existing(room: RoomId): Promise<TaskRepository | undefined> {
    const task = this.#options.bridge.state(room)?.task;
    if (task === undefined) return undefined;
    const known = Object.keys(task.files?.heads ?? {}).length > 0;
    return known || this.#tasks.has(folderOf(task)) || existsSync(this.#folder(folderOf(task)))
      ? this.#task(room)
      : undefined;
  }

  #folder(name: string): string {
    return path.join(this.#options.data, "tasks", name);
  }

  #task(room: RoomId): Promise<TaskRepository> {
    const task = this.#options.bridge.state(room)?.task;
    if (task === undefined) return Promise.reject(new CrewError("INTERNAL", { reason: `there is no task in ${room}` }));
    const name = folderOf(task);
    const known = this.#tasks.get(name);
    // The task may have moved to the room that replaced its own.
    if (known !== undefined) return known.then((repository) => repository.in(room));
    const opened = this.#open(room, name, task.number, Object.keys(task.files?.heads ?? {}).length > 0);
    this.#tasks.set(name, opened);
    // What did not work is tried again with the next request.
    opened.catch(() => this.#tasks.delete(name));
    return opened;
  }

  async #open(room: RoomId, name: string, number: number, hasFiles: boolean): Promise<TaskRepository> {
    const { git, rebuild, signal } = this.#options;
    const folder = this.#folder(name);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const place = path.join(folder, "repo.git");
    if (hasFiles && !existsSync(place)) {
      // Beside it, and moved there as a whole: what a crash or a missing bundle broke off must not pass for all.
      const beside = path.join(folder, "rebuild");
      await rebuild(room, beside, number, signal);
      await rename(path.join(beside, "repo.git"), place);
      await rm(beside, { recursive: true, force: true });
    }
    const repository = await openRepository(git, folder, number);
    const task = new TaskRepository(room, folder, repository, this.#options);
    await task.exclusive(async () => {
      await adoptTrees(task);
      await tidy(task);
    });
    return task;
  }
}

function heldText(held: readonly HeldFile[]): string {
  const list = held.map(({ path: file, detail }) => `\`${file}\`: ${detail}`).join("; ");
  const secret = held.some(({ why }) => why === "secret");
  const unmerged = held.some(({ why }) => why === "unmerged");
  const todo = unmerged
    ? "Bring both sides together and take the markers out, then hand in again."
    : secret
      ? "A person is asked about what looks like a secret; you are told their answer. Or take it out and hand in again."
      : "Make it smaller, delete it, or name it in .gitignore, then hand in again.";
  return `these files cannot be recorded: ${list}. ${todo}`;
}

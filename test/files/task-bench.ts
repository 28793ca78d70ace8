/** A task's room as the core decides it, with its files on a real git and no homeserver: what is told is taken as told. */
import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { FileRequest, FilesJobEffect } from "../../src/core/files.ts";
import { asMxcUri, type EventId, type RoomId } from "../../src/core/ids.ts";
import type { Input } from "../../src/core/input.ts";
import type { CrewMember } from "../../src/core/world.ts";
import { Files, type FilesOptions } from "../../src/files/files.ts";
import { createGit, type Git } from "../../src/files/git.ts";
import type { Author, MayReach } from "../../src/files/port.ts";
import { createSecretScanner } from "../../src/files/secrets.ts";
import { openSandbox } from "../../src/files/sandbox/sandbox.ts";
import { boss, defined } from "../core/scene.ts";
import { TaskScene, type TaskSceneOptions } from "../core/tasks/task-scene.ts";
import { freshFolder } from "./support.ts";

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export const nowhere: MayReach = async (host) => `${host} is not for this test`;

export class TaskBench {
  readonly scene: TaskScene;
  readonly git: Git = createGit();
  readonly data: string;
  readonly room: RoomId;
  files: Files;
  /** Called before the lane gets an input; a test may throw here, as a crash would. */
  beforePut: (input: Input) => void = () => undefined;
  /** What was sent into the media store, by its address. */
  readonly media = new Map<string, Buffer>();
  readonly #options: Partial<FilesOptions["settings"]>;

  private constructor(scene: TaskScene, data: string, settings: Partial<FilesOptions["settings"]>) {
    this.scene = scene;
    this.data = data;
    this.room = scene.record.state.room;
    this.#options = settings;
    this.files = this.#open();
  }

  static async open(
    scene: TaskSceneOptions = {},
    settings: Partial<FilesOptions["settings"]> = {},
  ): Promise<TaskBench> {
    const bench = new TaskBench(new TaskScene(scene), await freshFolder(), settings);
    onTestFinished(() => bench.files[Symbol.asyncDispose]());
    return bench;
  }

  #open(): Files {
    const { scene } = this;
    const author = (id: Author["id"]): Author => {
      const member = [...scene.world.crew.values()].find((one) => one.id === id);
      return { id, name: member?.name ?? id, user: member?.user ?? (id as typeof boss) };
    };
    return new Files({
      bridge: {
        state: () => scene.record.state,
        put: async (room, input) => {
          this.beforePut(input);
          const { reply } = scene.put(input);
          this.files.learn(room, scene.record.state);
          return reply === undefined ? {} : { reply };
        },
        author,
        bot: author(scene.world.bot),
        now: () => scene.now,
        log,
      },
      git: this.git,
      settings: {
        fileBytes: 1_000_000,
        commitBytes: 5_000_000,
        // The watcher has tests of its own; here a turn's changes come at its end.
        quietMs: 600_000,
        quietMostMs: 600_000,
        diffBytes: 1_000,
        ignore: ["node_modules/"],
        withdrawn: "keep",
        askDeleted: 20,
        ...this.#options,
      },
      secretIn: createSecretScanner().secretIn,
      data: this.data,
      readable: [],
      sandbox: () =>
        openSandbox({
          mode: "none",
          network: false,
          seconds: 30,
          memoryBytes: 1e9,
          processes: 100,
          outputBytes: 10_000,
          hidden: [],
          log,
        }),
      media: {
        fetch: async (mxc, into) => writeFile(into, defined(this.media.get(mxc))),
        put: async (file, name, mimeType) => {
          const mxc = defined(asMxcUri(`mxc://example.org/${this.media.size}`));
          this.media.set(mxc, await readFile(file));
          return { mxc, name, mimeType, size: (await stat(file)).size };
        },
      },
      rebuild: async () => {
        throw new Error("nothing to rebuild from");
      },
      signal: new AbortController().signal,
    });
  }

  /** The process ended and a new one begins. */
  async restart(): Promise<void> {
    await this.files[Symbol.asyncDispose]();
    this.files = this.#open();
    await this.files.recover([this.room]);
  }

  /** Does what the room wants done, until nothing is left but turns. */
  async settle(): Promise<void> {
    for (;;) {
      const job = this.scene.record.outbox.find((effect) => effect.kind === "files");
      if (job === undefined) break;
      await this.do(job);
    }
    this.scene.deliver();
    if (this.scene.record.outbox.some(({ kind }) => kind === "files")) await this.settle();
  }

  async do(job: FilesJobEffect): Promise<void> {
    const result = await this.files.job(this.room, job, new AbortController().signal);
    this.scene.gone.push(job);
    this.scene.put({ kind: "filesDone", effect: job.id, result });
    this.scene.put({ kind: "done", effect: job.id });
    this.files.learn(this.room, this.scene.record.state);
  }

  #turn(agent: CrewMember) {
    const { turn, thread } = this.scene.turnOf(agent);
    return { agent: agent.id, turn, thread };
  }

  /** A file tool in the agent's running turn. */
  use(agent: CrewMember, request: FileRequest): Promise<string> {
    return this.files.use(this.room, this.#turn(agent), request, nowhere, new AbortController().signal);
  }

  write(agent: CrewMember, file: string, content: string): Promise<string> {
    return this.use(agent, { kind: "write", path: file, content });
  }

  async end(agent: CrewMember): Promise<void> {
    await this.files.ended(this.room, this.#turn(agent));
    this.scene.end(agent);
    await this.settle();
  }

  /** Hands in as the tool does. Returns what the agent reads. */
  async submit(agent: CrewMember, subtask: string): Promise<string> {
    const turn = this.#turn(agent);
    const files = await this.files.handIn(this.room, turn, subtask, `${subtask} is there`);
    if (files.kind === "refused") return `Not done: ${files.why}`;
    const commit = files.commit === undefined ? {} : { commit: files.commit };
    const reply = this.scene.act(agent, { kind: "submit", subtask, summary: `${subtask} is there`, ...commit });
    await this.files.ended(this.room, turn);
    this.scene.end(agent);
    await this.settle();
    return reply;
  }

  async review(agent: CrewMember, subtask: string, verdict: "approve" | "reject"): Promise<void> {
    const score = verdict === "approve" ? 4 : 2;
    this.scene.act(agent, { kind: "review", subtask, verdict, score, issues: ["line 1"], comment: "" });
    await this.files.ended(this.room, this.#turn(agent));
    this.scene.end(agent);
    await this.settle();
  }

  async upload(name: string, content: string, thread?: EventId): Promise<EventId> {
    const event = this.scene.fresh("upload");
    const mxc = `mxc://example.org/${name.replaceAll(/\W/g, "")}${this.media.size}`;
    this.media.set(mxc, Buffer.from(content));
    this.scene.put({
      kind: "message",
      event,
      sender: boss,
      ts: this.scene.now,
      text: "",
      mentions: [],
      notice: false,
      ...(thread === undefined ? {} : { thread }),
      attachment: { mxc, name, mimeType: "text/plain", encrypted: false },
    });
    await this.settle();
    return event;
  }

  /** Answers the only open question. */
  async answer(key: string): Promise<void> {
    const target = defined(this.scene.record.state.asks?.[0]?.event);
    const { now: ts } = this.scene;
    this.scene.put({ kind: "reaction", event: this.scene.fresh("reaction"), sender: boss, ts, target, key });
    await this.settle();
  }

  /** Says a command, and gives what the room was told then. */
  async command(text: string, thread?: EventId): Promise<readonly string[]> {
    const before = this.scene.gone.length;
    this.scene.say(`!crew ${text}`, { sender: boss, ...(thread === undefined ? {} : { thread }) });
    await this.settle();
    return this.scene.gone.slice(before).flatMap((effect) => (effect.kind === "say" ? [effect.text] : []));
  }

  get repository(): string {
    const { number, created } = this.scene.task;
    return path.join(this.data, "tasks", `task-${number}-${created.toString(36)}`, "repo.git");
  }

  /** Output of git on the task's repository. */
  run(...args: readonly string[]): Promise<string> {
    return this.git.text({ gitDir: this.repository }, args);
  }

  /** Names of the files on a branch. */
  async names(branch: string): Promise<readonly string[]> {
    const list = await this.run("ls-tree", "-r", "--name-only", branch);
    return list === "" ? [] : list.split("\n");
  }

  /** A worktree's folder. */
  folder(id: string): string {
    return path.join(path.dirname(this.repository), "work", id);
  }
}

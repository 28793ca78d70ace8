/**
 * A task whose worker is in the middle of a turn: it has looked at its files, its model is thinking, and what changes in its
 * worktree becomes commits. The bench changes files there as a command or an editor of the agent would.
 */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { planRule, type Part } from "../support/tasks.ts";
import { openTaskStage, type TaskStage, type TaskStageOptions } from "./task-stage.ts";
import type { Event } from "./talker.ts";

type Rule = TaskStageOptions["script"][number];

/** A model that takes so long thinks until {@link FilesStage.goOn}, or for {@link thoughtMs}. */
const heldMs = 599_999;
/** Before the runtime's HTTP client gives up waiting. */
const thoughtMs = 60_000;
const pollMs = 20;
const patienceMs = 120_000;

export interface FilesStageOptions {
  readonly parts: readonly Part[];
  /** Played before the rules that hold the first part's worker. */
  readonly script?: readonly Rule[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly onAsked?: NonNullable<TaskStageOptions["onAsked"]>;
}

export interface FilesStage extends TaskStage {
  /** The task's room. Anna is in it, and listens. */
  readonly room: string;
  readonly repository: string;
  /** The worktree of the first part's worker, which is thinking. */
  readonly worktree: string;
  worktreeOf(id: string): string;
  /** Lets the worker of the first part hand in. */
  goOn(): void;
  /** Makes a change and resolves when Anna's client has the commit with this path. */
  change(changed: string, make: () => Promise<void>): Promise<Change>;
}

/** Times are milliseconds since the epoch. */
export interface Change {
  readonly began: number;
  readonly heard: number;
  readonly commit: CommitPart;
}

/** `dev.crewroom.commit`, as far as the bench looks at it. */
export interface CommitPart {
  readonly branch: string;
  readonly files: number;
  readonly changes: readonly { readonly path: string }[];
  readonly bundle?: { readonly size: number; readonly parts: readonly { readonly size: number }[] };
}

export function commitIn({ content }: Pick<Event, "content">): CommitPart | undefined {
  const part = content["dev.crewroom.commit"];
  const isPart = typeof part === "object" && part !== null && "branch" in part && "files" in part && "changes" in part;
  return isPart ? (part as CommitPart) : undefined;
}

export async function openFilesStage(options: FilesStageOptions): Promise<FilesStage> {
  await using opened = new AsyncDisposableStack();
  const [first] = options.parts;
  const gate = Promise.withResolvers<void>();
  const stage = opened.use(
    await openTaskStage({
      agents: ["planner", "executor", "reviewer"].map((role) => ({ id: role, roles: [role] })),
      script: [
        planRule(options.parts),
        {
          when: { role: "executor", last: `/Your subtask \`${first?.id ?? ""}\`/`, step: 1 },
          answer: { tools: [{ name: "list_files", arguments: {} }] },
        },
        ...(options.script ?? []),
        {
          when: { role: "executor", last: `/Your subtask \`${first?.id ?? ""}\`/`, last_tool: "list_files" },
          answer: { tools: [{ name: "list_files", arguments: { path: "nowhere" } }], delay_ms: heldMs },
        },
        { when: {}, answer: { text: "That is all." } },
      ],
      config: {
        tasks: { plan_approval: "never", final_approval: "none", lease_seconds: 86_400 },
        limits: { turn_seconds: 86_400 },
        ...options.config,
      },
      delay: async (ms, signal) => {
        if (ms !== heldMs) return delay(ms, undefined, { signal });
        await Promise.race([gate.promise, delay(thoughtMs, undefined, { signal })]);
      },
      ...(options.onAsked === undefined ? {} : { onAsked: options.onAsked }),
    }),
  );
  await stage.say("!crew new Parser — that reads CSV");
  const thinks = (): boolean =>
    stage.asked.some(({ lastTool, agent }) => agent === "executor" && lastTool !== undefined);
  for (const until = performance.now() + patienceMs; !thinks(); await delay(pollMs))
    if (performance.now() > until) throw new Error("the worker did not look at its files");
  const room = await stage.join(1);
  await stage.anna.listen();
  const tasks = path.join(stage.crew.directory, "data", "tasks");
  const [folder = ""] = await readdir(tasks);
  const worktreeOf = (id: string): string => path.join(tasks, folder, "work", id);

  const resources = opened.move();
  return {
    ...stage,
    room,
    repository: path.join(tasks, folder, "repo.git"),
    worktree: worktreeOf(`${first?.id ?? ""}.executor`),
    worktreeOf,
    goOn: () => gate.resolve(),
    async change(changed, make) {
      const isIt = (event: Event): boolean =>
        commitIn(event)?.changes.some((change) => change.path === changed) === true;
      const heard = stage.anna.hear(room, isIt);
      const began = Date.now();
      await make();
      const commit = commitIn(await heard);
      if (commit === undefined) throw new Error("a commit without its typed part");
      return { began, heard: Date.now(), commit };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

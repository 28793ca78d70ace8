/** A task room without anything around it: a planner, two executors, two reviewers, a patrol agent, and the boss. */
import type { Decision } from "../../../src/core/decide.ts";
import type { Effect, RunTurn } from "../../../src/core/effect.ts";
import {
  branchOf,
  type Commit,
  type CommitReason,
  type FilesJobEffect,
  type FilesResult,
} from "../../../src/core/files.ts";
import { asCommitHash, type CommitHash, type EffectId } from "../../../src/core/ids.ts";
import type { Action } from "../../../src/core/tasks/actions.ts";
import { taskStateOf } from "../../../src/core/tasks/derive.ts";
import type { Subtask, SubtaskSpec, Task } from "../../../src/core/tasks/task.ts";
import type { CrewMember, World } from "../../../src/core/world.ts";
import { anna, boss, bot, member, Scene, world } from "../scene.ts";

export const planner = member("pia", { roles: ["planner"] });
export const bo = member("bo");
export const cy = member("cy", { capabilities: ["python"] });
export const rae = member("rae", { roles: ["reviewer"] });
export const rob = member("rob", { roles: ["reviewer"] });
export const watch = member("wim", { roles: ["patrol"] });

const everybody = [planner, bo, cy, rae, rob, watch];

export interface TaskSceneOptions {
  readonly crew?: readonly CrewMember[];
  readonly policy?: Partial<World["tasks"]>;
  readonly patrol?: Partial<World["patrol"]>;
  readonly budgets?: Partial<World["budgets"]>;
  readonly roster?: World["roster"];
  readonly moderation?: World["moderation"];
}

export function spec(id: string, extra: Partial<SubtaskSpec> = {}): SubtaskSpec {
  return {
    id,
    title: `The ${id}`,
    deliverable: `A ${id} that works`,
    acceptance: [`${id} can be used`],
    depends_on: [],
    ...extra,
  };
}

/** A commit hash for the tests: `7` becomes `0…07`. */
export function hash(number: number): CommitHash {
  const made = asCommitHash(number.toString(16).padStart(40, "0"));
  if (made === undefined) throw new Error(`${number} makes no hash`);
  return made;
}

export class TaskScene extends Scene {
  readonly crew: readonly CrewMember[];
  /** What the files answer to a job; as if nothing ever stood in the way, unless a test says otherwise. */
  filesAnswer: (effect: FilesJobEffect) => FilesResult = ({ job }) =>
    job.kind === "merge" ? { kind: "merged", commit: job.commit } : { kind: "told", text: "" };
  /** What has gone out, oldest first. */
  readonly gone: Effect[] = [];
  #calls = 0;
  #commits = 0;

  constructor({ crew = everybody, policy = {}, patrol = {}, budgets = {}, roster, moderation }: TaskSceneOptions = {}) {
    const usual = world();
    super(
      { queue_messages: 50 },
      {
        crew: new Map(crew.map((agent) => [agent.user, agent])),
        tasks: { ...usual.tasks, ...policy },
        patrol: { ...usual.patrol, ...patrol },
        budgets: { ...usual.budgets, ...budgets },
        roster: roster ?? usual.roster,
        moderation: moderation ?? usual.moderation,
      },
    );
    this.crew = crew;
    const power = { users: { [bot]: 100, [boss]: 100 } };
    this.enter([boss, anna], [bot, ...crew.map(({ user }) => user)], { power });
    this.put({ kind: "taskOpened", seed: { number: 7, title: "A parser", brief: "with tests", asker: boss } });
    this.deliver();
  }

  get task(): Task {
    const { task } = this.record.state;
    if (task === undefined) throw new Error("there is no task");
    return task;
  }

  get taskState(): string {
    return taskStateOf(this.task);
  }

  subtask(id: string): Subtask {
    const subtask = this.task.subtasks[id];
    if (subtask === undefined) throw new Error(`there is no subtask ${id}`);
    return subtask;
  }

  /** All messages, state events, reactions and invites have gone out; what that makes due as well. */
  override deliver(): void {
    for (let rounds = 0; rounds < 50; rounds++) {
      const due = this.record.outbox.filter(({ kind }) => kind !== "turn");
      if (due.length === 0) return;
      for (const effect of due) {
        const { id, kind } = effect;
        this.gone.push(effect);
        if (kind === "files") this.put({ kind: "filesDone", effect: id, result: this.filesAnswer(effect) });
        const event = this.fresh("sent");
        if (kind === "publish") {
          const { hash: commit, branch } = effect.commit;
          this.put({ kind: "published", commit, branch, message: event });
        }
        this.put({ kind: "done", effect: id, ...(kind === "say" || kind === "publish" ? { event } : {}) });
      }
    }
    throw new Error("there is no end to what is sent");
  }

  /** The running turn of an agent, the newest when it has several. */
  turnOf(agent: CrewMember): RunTurn {
    const turn = this.turns.findLast((one) => one.agent === agent.id);
    if (turn === undefined) throw new Error(`${agent.id} runs no turn`);
    return turn;
  }

  isBusy(agent: CrewMember): boolean {
    return this.turns.some((one) => one.agent === agent.id);
  }

  /** A tool call in the agent's running turn. Returns what the agent reads. */
  act(agent: CrewMember, action: Action, version?: number): string {
    return this.actIn(this.turnOf(agent), action, version);
  }

  actIn(turn: RunTurn, action: Action, version?: number, call = `call${this.#calls++}`): string {
    const decision = this.put({
      kind: "act",
      session: turn.session,
      turn: turn.turn,
      call: call as EffectId,
      action,
      ...(version === undefined ? {} : { version }),
    });
    return decision.reply ?? "";
  }

  /** The agent's turn ends. */
  end(agent: CrewMember, text = "", outcome: "answered" | "failed" = "answered", tokens = 0): Decision {
    const { session, turn } = this.turnOf(agent);
    return this.put({
      kind: "turnEnded",
      session,
      turn,
      ...(tokens === 0 ? {} : { usage: [{ model: "default", inputTokens: tokens, outputTokens: 0 }] }),
      outcome:
        outcome === "answered"
          ? { kind: "answered", text, spoke: false }
          : { kind: "failed", text, code: "MODEL_OVERLOADED", sentence: "It is overloaded.", todo: "" },
    });
  }

  plan(...subtasks: readonly SubtaskSpec[]): string {
    const reply = this.act(planner, { kind: "plan", subtasks });
    this.end(planner);
    this.deliver();
    return reply;
  }

  /** The files have a new commit. @returns its hash, and whether the room took it. */
  commit(
    branch: string,
    by: CrewMember["id"],
    extra: Partial<Commit> = {},
  ): { readonly hash: CommitHash; readonly reply: string | undefined } {
    const known = this.task.files?.heads[branch];
    const made: Commit = {
      hash: hash(++this.#commits),
      parents: known === undefined ? [] : [known],
      branch,
      by,
      why: "change" satisfies CommitReason,
      subject: "A change",
      ts: this.now,
      ...(branch.startsWith("subtask/") ? { subtask: branch.slice("subtask/".length) } : {}),
      ...extra,
    };
    const { reply } = this.put({ kind: "committed", commit: made });
    return { hash: made.hash, reply };
  }

  /** Hands in with a new commit of the subtask's files. */
  submitFiles(agent: CrewMember, subtask: string, summary = `${subtask} is there`): CommitHash {
    const { hash: commit } = this.commit(branchOf(subtask), agent.id);
    const reply = this.act(agent, { kind: "submit", subtask, summary, commit });
    if (reply.startsWith("Handed")) this.end(agent);
    this.deliver();
    return commit;
  }

  submit(agent: CrewMember, subtask: string, summary = `${subtask} is there`): string {
    const reply = this.act(agent, { kind: "submit", subtask, summary });
    if (reply.startsWith("Handed")) this.end(agent);
    this.deliver();
    return reply;
  }

  review(agent: CrewMember, subtask: string, verdict: "approve" | "reject", issues: readonly string[] = []): string {
    const score = verdict === "approve" ? 4 : 2;
    const reply = this.act(agent, { kind: "review", subtask, verdict, score, issues, comment: "So it is." });
    if (!reply.startsWith("Not")) this.end(agent);
    this.deliver();
    return reply;
  }

  /** Time goes by, and the room's deadline comes. */
  later(minutes: number): Decision {
    this.now += minutes * 60_000;
    const decision = this.put({ kind: "tick" });
    this.deliver();
    return decision;
  }

  command(text: string): void {
    this.say(`!crew ${text}`, { sender: boss });
    this.deliver();
  }

  /** The event of the message of an open question. */
  askEvent(id: string): Subtask["thread"] {
    return this.record.state.asks?.find((ask) => ask.id === id)?.event;
  }

  react(id: string, key: string): void {
    const target = this.askEvent(id);
    if (target === undefined) throw new Error(`the question ${id} is not open`);
    this.put({ kind: "reaction", event: this.fresh("reaction"), sender: boss, ts: this.now, target, key });
    this.deliver();
  }
}

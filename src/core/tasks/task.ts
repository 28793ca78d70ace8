/**
 * A task and its subtasks, as the record of a task room keeps them. Plain JSON. How a subtask moves is the table in
 * `subtask-states.ts`; a task's state is derived from its parts (`taskStateOf`), never set.
 */
import type { Limits, Spent } from "../spent.ts";
import type { Conflict, TaskFiles } from "../files.ts";
import type { AgentId, CommitHash, EffectId, EventId, UserId } from "../ids.ts";

/** Chosen by the planner: `[a-z0-9][a-z0-9_-]{0,39}`, unique in its task. */
export type SubtaskId = string;

export type SubtaskState = "waiting" | "ready" | "working" | "review" | "rework" | "blocked" | "done" | "cancelled";

export type TaskState = "planning" | "active" | "approval" | "paused" | "done" | "cancelled";

/** What a planner says of one subtask (the tool `plan_task`). */
export interface SubtaskSpec {
  readonly id: SubtaskId;
  readonly title: string;
  /** What is there when it is done. */
  readonly deliverable: string;
  /** Each can be answered with yes or no by a reviewer. At least one. */
  readonly acceptance: readonly string[];
  readonly depends_on: readonly SubtaskId[];
  /** A role or capability that the worker must have. */
  readonly capability?: string;
  /** Minutes of work that the planner expects. */
  readonly estimate_minutes?: number;
}

/** The right to work on a subtask or a review until a time. Every new lease has a higher epoch. */
export interface Lease {
  readonly agent: AgentId;
  readonly epoch: number;
  /** Milliseconds since the epoch (the clock's). */
  readonly until: number;
  readonly since: number;
  /** Turns that ended without an action on the subtask, since the lease was given. */
  readonly lapses: number;
  /** Hashes of what the agent answered in those turns, newest last: identical ones are a sign of going in circles. */
  readonly said: readonly string[];
  /** When the agent is prompted again after a turn that failed. */
  readonly retryAt?: number;
}

/** What a worker handed in. A review is bound to its id. */
export interface Submission {
  /** Hash of subtask, epoch, round, summary and commit. */
  readonly id: string;
  readonly by: AgentId;
  readonly epoch: number;
  readonly summary: string;
  readonly ts: number;
  /** The newest commit of its branch when it was handed in; what is merged when it is approved. */
  readonly commit?: CommitHash;
}

export type Verdict = "approve" | "reject";

/** One finished review. `overturned` by a person: then it no longer counts. */
export interface Review {
  readonly reviewer: AgentId | UserId;
  readonly submission: string;
  readonly verdict: Verdict;
  /** 1 and 2 reject, 3 to 5 approve. */
  readonly score: number;
  readonly issues: readonly string[];
  readonly comment: string;
  readonly ts: number;
  readonly overturned?: UserId;
}

export interface ScoreEntry {
  readonly agent: AgentId;
  /** A key of `scoreTable`. */
  readonly reason: string;
  readonly points: number;
  readonly ts: number;
}

export interface Subtask extends SubtaskSpec {
  readonly state: SubtaskState;
  /** Grows with every change of its content or state; an action on an older one is refused. */
  readonly version: number;
  /** Epoch of the last lease given, of work or of review. */
  readonly epoch: number;
  /** When it came into its state. */
  readonly since: number;
  /** There while it is `working`. */
  readonly lease?: Lease;
  /** There while it is in `review` and a reviewer was chosen. */
  readonly reviewLease?: Lease;
  /** It is approved by this, and its files are being merged: only after that it is done. */
  readonly merging?: Review;
  /** Its files do not go together with `main`: its worktree shows both sides until it is handed in again. */
  readonly conflict?: { readonly main: CommitHash; readonly conflicts: readonly Conflict[] };
  /** Who worked on it last: rework goes back to them. */
  readonly worker?: AgentId;
  /** How often it was rejected. */
  readonly rework: number;
  readonly submission?: Submission;
  readonly reviews: readonly Review[];
  /** Leases of work that ended without a result since the last result or person's word. */
  readonly tries: number;
  readonly reviewTries: number;
  /** Who gave it back or let it lapse; asked again only when nobody else is left. */
  readonly passed: readonly AgentId[];
  readonly reviewPassed: readonly AgentId[];
  /** Where it is blocked or escalated: why, and what is being waited for. */
  readonly reason?: string;
  /** An approval that decides how it goes on. */
  readonly ask?: string;
  /** Set by `assign`: the only one who is offered it. */
  readonly assigned?: AgentId;
  readonly progress?: { readonly text: string; readonly percent?: number; readonly ts: number };
  /** Append-only. */
  readonly scores: readonly ScoreEntry[];
  /** First lease, for the time that it took. */
  readonly started?: number;
  /** Event of the root message of its thread. */
  readonly thread?: EventId;
  /** Checkpoints of the patrol agent that it has passed. */
  readonly checked: readonly string[];
}

/** A plan that waits for a person. */
export interface Proposal {
  readonly specs: readonly SubtaskSpec[];
  /** Ids of subtasks that it drops. */
  readonly dropped: readonly SubtaskId[];
  readonly reason: string;
  readonly by: AgentId;
  readonly ask: string;
}

/** Something that the patrol noticed, and what it did about it. */
export interface PatrolEntry {
  readonly kind: string;
  readonly severity: "info" | "warning" | "critical";
  readonly subtask?: SubtaskId;
  readonly agent?: AgentId;
  readonly ts: number;
  /** What was done, in words for a person. */
  readonly did: string;
}

export interface Task {
  readonly number: number;
  readonly title: string;
  readonly brief: string;
  /** There once a file was recorded. */
  readonly files?: TaskFiles;
  /** Rules of this task, told to its agents. */
  readonly rules: string;
  /** Who asked for it. */
  readonly asker: UserId;
  readonly created: number;
  readonly version: number;
  /** In the order of the plan. */
  readonly subtasks: Readonly<Record<SubtaskId, Subtask>>;
  /** Set once a plan is in force. */
  readonly planned: boolean;
  readonly proposal?: Proposal;
  /** Plans that were refused, and planner's turns that ended without one, since the last good plan. */
  readonly planFailures: number;
  /** The agent that plans and hears people's words. */
  readonly planner?: AgentId;
  /** The pinned message that says where it stands. */
  readonly status?: EventId;
  /** Set while a person wants it to rest: why. */
  readonly paused?: string;
  readonly cancelled?: { readonly by: UserId; readonly why: string };
  /** Set when it is finished for good. */
  readonly finished?: { readonly by: UserId; readonly ts: number };
  /** The open final approval. */
  readonly finalAsk?: string;
  /** A person did not approve the result, and why: the planner has to add what is missing. */
  readonly denied?: string;
  /** The open question of the patrol or planner's failure. */
  readonly ask?: string;
  /** What its agents used. */
  readonly spent: Readonly<Record<AgentId, Spent>>;
  /** The share of the budget (percent) that was told last. */
  readonly budgetTold: number;
  /** Its own limits, where people set them or let it go on: those in force, and what letting it go on adds. */
  readonly budget?: { readonly now: Limits; readonly each: Limits };
  /** The last time that anything happened. */
  readonly lastAct: number;
  /** The patrol has told of the silence since then. */
  readonly silent?: boolean;
  readonly patrol: readonly PatrolEntry[];
  /** What was mirrored into the room last, by state key: `subtask/<id>`, `task`, `name`, `topic`, `root/<id>`. */
  readonly shown: Readonly<Record<string, string>>;
  /** Concerns of the patrol agent, and late submissions, kept as notes. */
  readonly notes: readonly { readonly subtask: SubtaskId; readonly text: string; readonly ts: number }[];
}

/** Messages that tell an agent to work carry for what: the action at its end is checked against it. */
export interface Work {
  readonly subtask: SubtaskId;
  readonly part: "work" | "review";
  readonly epoch: number;
}

/** Kept by {@link EffectId}: the root message of a subtask's thread. */
export function rootEffect(task: number, subtask: SubtaskId): EffectId {
  return `task:${task}:${subtask}:root` as EffectId;
}

/** An open one is one that still has to end. */
export function isOpen(subtask: Subtask): boolean {
  return subtask.state !== "done" && subtask.state !== "cancelled";
}

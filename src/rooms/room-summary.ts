/** What other rooms need to know of a task room, computed from its state: small enough to be held for every task. */
import type { AgentId, RoomId } from "../core/ids.ts";
import type { RoomState } from "../core/room.ts";
import { isClosed, progressOf, subtasksOf, taskStateOf } from "../core/tasks/derive.ts";
import type { Subtask, Task, TaskState } from "../core/tasks/task.ts";
import type { TaskSummary } from "../core/world.ts";

/** Entries of one agent for one reason. */
export interface Tally {
  readonly points: number;
  readonly entries: number;
}

export interface RoomSummary {
  readonly task: TaskSummary;
  readonly state: TaskState;
  /** Subtasks and reviews that each agent works on here. Empty once the task has ended. */
  readonly loads: ReadonlyMap<AgentId, number>;
  readonly scores: ReadonlyMap<AgentId, ReadonlyMap<string, Tally>>;
  /** Since when something here waits for an agent, in milliseconds since the epoch. `undefined` while nothing does. */
  readonly waitingSince: number | undefined;
}

/** Whether other rooms, or the timers, have anything to learn of a room. Most rooms are only talk. */
export function isOfConcern({ task, asks, spending }: RoomState): boolean {
  return task !== undefined || spending !== undefined || (asks !== undefined && asks.length > 0);
}

export function summaryOf(room: RoomId, task: Task, waitsForPerson: boolean): RoomSummary {
  const state = taskStateOf(task);
  const subtasks = subtasksOf(task);
  return {
    task: { number: task.number, title: task.title, state, ...progressOf(task), room, waitsForPerson },
    state,
    loads: isClosed(task) ? new Map() : loadsOf(subtasks),
    scores: scoresOf(subtasks),
    waitingSince: state === "active" ? waitingSince(subtasks) : undefined,
  };
}

function loadsOf(subtasks: readonly Subtask[]): ReadonlyMap<AgentId, number> {
  const loads = new Map<AgentId, number>();
  for (const subtask of subtasks) {
    const agent = leaseOf(subtask)?.agent;
    if (agent !== undefined) loads.set(agent, (loads.get(agent) ?? 0) + 1);
  }
  return loads;
}

function leaseOf({ state, lease, reviewLease }: Subtask): Subtask["lease"] {
  if (state === "working") return lease;
  return state === "review" ? reviewLease : undefined;
}

function waitingSince(subtasks: readonly Subtask[]): number | undefined {
  let oldest: number | undefined;
  for (const subtask of subtasks) {
    if (waitsForAgent(subtask) && (oldest === undefined || subtask.since < oldest)) oldest = subtask.since;
  }
  return oldest;
}

/** One that a person is asked about waits for the person. */
function waitsForAgent({ state, lease, reviewLease, ask }: Subtask): boolean {
  if (ask !== undefined) return false;
  if (state === "review") return reviewLease === undefined;
  return (state === "ready" || state === "rework") && lease === undefined;
}

function scoresOf(subtasks: readonly Subtask[]): RoomSummary["scores"] {
  const scores = new Map<AgentId, Map<string, Tally>>();
  for (const { agent, reason, points } of subtasks.flatMap((subtask) => subtask.scores)) {
    const byReason = scores.get(agent) ?? new Map<string, Tally>();
    const tally = byReason.get(reason) ?? { points: 0, entries: 0 };
    scores.set(agent, byReason.set(reason, { points: tally.points + points, entries: tally.entries + 1 }));
  }
  return scores;
}

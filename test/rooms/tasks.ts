/** Tasks as records of task rooms keep them, made for a test from what it is about. */
import type { AgentId, RoomId } from "../../src/core/ids.ts";
import { emptyRoom, type RoomState } from "../../src/core/room.ts";
import type { Lease, ScoreEntry, Subtask, Task } from "../../src/core/tasks/task.ts";
import { anna } from "../core/scene.ts";

export function lease(agent: AgentId): Lease {
  return { agent, epoch: 1, until: 1_000, since: 0, lapses: 0, said: [] };
}

export function entry(agent: AgentId, reason: string, points: number): ScoreEntry {
  return { agent, reason, points, ts: 0 };
}

export function subtask(id: string, state: Subtask["state"], extra: Partial<Subtask> = {}): Subtask {
  return {
    id,
    title: id,
    deliverable: `the ${id}`,
    acceptance: ["It is there."],
    depends_on: [],
    state,
    version: 1,
    epoch: 1,
    since: 0,
    rework: 0,
    reviews: [],
    tries: 0,
    reviewTries: 0,
    passed: [],
    reviewPassed: [],
    scores: [],
    checked: [],
    ...extra,
  };
}

export function task(subtasks: readonly Subtask[], extra: Partial<Task> = {}): Task {
  return {
    number: 1,
    title: "A parser",
    brief: "Build a parser.",
    rules: "",
    asker: anna,
    created: 0,
    version: 1,
    subtasks: Object.fromEntries(subtasks.map((each) => [each.id, each])),
    planned: true,
    planFailures: 0,
    spent: {},
    budgetTold: 0,
    lastAct: 0,
    patrol: [],
    shown: {},
    notes: [],
    ...extra,
  };
}

export function taskRoom(room: RoomId, of: Task, extra: Partial<RoomState> = {}): RoomState {
  return { ...emptyRoom(room), task: of, ...extra };
}

/** The beginning of a task: asked for in one room, worked on in another. */
import { inThread } from "../placement.ts";
import type { Draft } from "../draft.ts";
import type { OwnInput, TaskSeed } from "../input.ts";
import { shownAtFirst } from "./mirror.ts";
import { sayStatus } from "./status.ts";
import type { Task } from "./task.ts";
import { isClosed } from "./derive.ts";
import { bring } from "./give.ts";
import { hasRole } from "./team.ts";

/** A crew up to this size is in every task room from the start; of a larger one comes who is needed. */
const smallCrew = 8;

export function newTask(seed: TaskSeed, now: number): Task {
  const task: Task = {
    ...seed,
    rules: "",
    created: now,
    version: 1,
    subtasks: {},
    planned: false,
    planFailures: 0,
    spent: {},
    budgetTold: 0,
    lastAct: now,
    patrol: [],
    shown: {},
    notes: [],
  };
  return { ...task, shown: shownAtFirst(task) };
}

/** This room was made for a task. Told twice, it changes nothing. */
export function taskOpened(draft: Draft, { seed }: Extract<OwnInput, { kind: "taskOpened" }>): void {
  if (draft.state.task !== undefined) return;
  draft.set({ task: newTask(seed, draft.now) });
  sayStatus(draft);
  bringCrew(draft);
}

export function bringCrew(draft: Draft): void {
  const { task } = draft.state;
  if (task === undefined || isClosed(task)) return;
  const team = [...draft.world.crew.values()].filter((member) =>
    (["planner", "executor", "reviewer", "patrol"] as const).some((role) => hasRole(member, role)),
  );
  if (team.length <= smallCrew) for (const member of team) bring(draft, member);
}

/** The room where a task was asked for hears that it is there. */
export function taskRoom(draft: Draft, input: Extract<OwnInput, { kind: "taskRoom" }>): void {
  const asked = draft.outbox.find((effect) => effect.id === input.effect);
  if (asked?.kind !== "openTask") return;
  draft.notice(
    `${input.effect}:told`,
    `📝 Task #${input.number} is open: https://matrix.to/#/${encodeURIComponent(input.alias)}`,
    {
      replyTo: asked.cause,
      mentions: [asked.asker],
      ...inThread(asked),
      action: { kind: "taskRoom", task: input.number, room: input.room },
    },
  );
}

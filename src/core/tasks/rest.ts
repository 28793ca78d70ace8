/** A task that rests. */
import { plannerOf } from "./team.ts";
import type { Draft } from "../draft.ts";
import type { UserId } from "../ids.ts";
import { subtasksOf } from "./derive.ts";
import { endTurn, endTurnsOn, takeReview, takeWork } from "./give.ts";
import { putTask } from "./ledger.ts";

const byPerson = "by ";

/** Why a task rests when a person said so. */
export function pausedBy(user: UserId, why: string): string {
  return why === "" ? `${byPerson}${user}` : `${byPerson}${user}: ${why}`;
}

export function isPausedByPerson(why: string): boolean {
  return why.startsWith(byPerson);
}

/** Ends what runs; what was leased is offered again when the task goes on. */
export function pauseTask(draft: Draft, why: string): void {
  for (const { id } of subtasksOf(draft.state.task ?? { subtasks: {} })) {
    const subtask = draft.state.task?.subtasks[id];
    if (subtask === undefined) continue;
    const { lease, reviewLease } = subtask;
    if (lease !== undefined) takeWork(draft, subtask, "taken");
    if (reviewLease !== undefined) takeReview(draft, subtask, "taken");
    endTurnsOn(draft, subtask);
  }
  const planner = plannerOf(draft);
  if (planner !== undefined) endTurn(draft, planner.id, undefined);
  putTask(draft, { paused: why });
}

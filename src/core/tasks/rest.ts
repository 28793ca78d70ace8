/** A task that rests. */
import type { Draft } from "../draft.ts";
import { memberById } from "../world.ts";
import { subtasksOf } from "./derive.ts";
import { endTurn, takeReview, takeWork } from "./give.ts";
import { putTask } from "./ledger.ts";

/** Ends what runs; what was leased is offered again when the task goes on. */
export function pauseTask(draft: Draft, why: string): void {
  for (const { id } of subtasksOf(draft.state.task ?? { subtasks: {} })) {
    const subtask = draft.state.task?.subtasks[id];
    if (subtask === undefined) continue;
    const { lease, reviewLease, thread } = subtask;
    if (lease !== undefined) takeWork(draft, subtask, "taken");
    if (reviewLease !== undefined) takeReview(draft, subtask, "taken");
    for (const one of [lease, reviewLease]) if (one !== undefined) endTurn(draft, one.agent, thread);
  }
  const planner =
    draft.state.task?.planner === undefined ? undefined : memberById(draft.world, draft.state.task.planner);
  if (planner !== undefined) endTurn(draft, planner.id, undefined);
  putTask(draft, { paused: why });
}

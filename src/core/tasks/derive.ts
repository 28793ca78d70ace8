/** What follows from a task's parts. */
import { isOpen, type Subtask, type SubtaskId, type Task, type TaskState } from "./task.ts";

/**
 * planning ──plan in force──▶ active ──all subtasks ended──▶ approval ──a person's word──▶ done
 *
 * `paused` and `cancelled` hide whatever it would be otherwise; a resumed task is again what its parts say.
 */
export function taskStateOf(task: Task): TaskState {
  if (task.cancelled !== undefined) return "cancelled";
  if (task.finished !== undefined) return "done";
  if (task.paused !== undefined) return "paused";
  if (!task.planned) return "planning";
  return subtasksOf(task).some(isOpen) ? "active" : "approval";
}

export function subtasksOf(task: Pick<Task, "subtasks">): readonly Subtask[] {
  return Object.values(task.subtasks);
}

/** Whether nothing will happen in the task any more. */
export function isClosed(task: Task): boolean {
  return task.cancelled !== undefined || task.finished !== undefined;
}

/** Subtasks that are done, and all that count (those that were cancelled do not). */
export function progressOf(task: Task): { readonly done: number; readonly total: number } {
  const counted = subtasksOf(task).filter(({ state }) => state !== "cancelled");
  return { done: counted.filter(({ state }) => state === "done").length, total: counted.length };
}

/** Whether all that a subtask depends on has ended. */
export function isUnlocked(task: Task, { depends_on: needs }: Pick<Subtask, "depends_on">): boolean {
  return needs.every((id) => {
    const needed = task.subtasks[id];
    return needed === undefined || !isOpen(needed);
  });
}

/** Open dependencies, for a sentence. */
export function openNeeds(task: Task, { depends_on: needs }: Pick<Subtask, "depends_on">): readonly SubtaskId[] {
  return needs.filter((id) => {
    const needed = task.subtasks[id];
    return needed !== undefined && isOpen(needed);
  });
}

/** Changes to a room's task: every one goes through here, so that versions grow and nothing is changed twice. */
import { type Draft, idFrom } from "../draft.ts";
import { after, type MoveName } from "./subtask-states.ts";
import type { PatrolEntry, Subtask, SubtaskId, Task } from "./task.ts";
import type { ScoreReason } from "./scores.ts";
import { scored } from "./scores.ts";
import type { AgentId } from "../ids.ts";

const patrolLimit = 200;
const notesLimit = 100;

export function putTask(draft: Draft, patch: Partial<Task>): void {
  const { task } = draft.state;
  if (task === undefined) return;
  draft.set({ task: { ...task, ...patch, version: task.version + 1 } });
}

/** Takes optional fields off the task. */
export function clearTask(
  draft: Draft,
  ...keys: readonly ("proposal" | "finalAsk" | "ask" | "paused" | "planner" | "denied")[]
): void {
  const { task } = draft.state;
  if (task === undefined) return;
  const kept: { -readonly [Key in keyof Task]: Task[Key] } = { ...task, version: task.version + 1 };
  for (const key of keys) delete kept[key];
  draft.set({ task: kept });
}

/** Writes a subtask with a new version. */
export function putSubtask(draft: Draft, subtask: Subtask): Subtask {
  const { task } = draft.state;
  const next = { ...subtask, version: subtask.version + 1 };
  if (task !== undefined) putTask(draft, { subtasks: { ...task.subtasks, [subtask.id]: next } });
  return next;
}

/** A change that nobody acts on: the renewal of a lease, a note of progress. The version stays. */
export function touchSubtask(draft: Draft, subtask: Subtask): void {
  const { task } = draft.state;
  if (task === undefined) return;
  draft.set({ task: { ...task, subtasks: { ...task.subtasks, [subtask.id]: subtask } } });
}

type Optional =
  | "lease"
  | "reviewLease"
  | "ask"
  | "assigned"
  | "reason"
  | "progress"
  | "submission"
  | "started"
  | "merging"
  | "conflict";

/** The subtask without some of its optional fields. */
export function without(subtask: Subtask, ...keys: readonly Optional[]): Subtask {
  const copy: { -readonly [Key in keyof Subtask]: Subtask[Key] } = { ...subtask };
  for (const key of keys) delete copy[key];
  return copy;
}

/** Moves a subtask. `undefined`, and nothing changed, when the table does not allow it. */
export function moveSubtask(
  draft: Draft,
  subtask: Subtask,
  move: MoveName,
  patch: Partial<Subtask> = {},
): Subtask | undefined {
  const state = after(subtask.state, move);
  if (state === undefined) return undefined;
  draft.notes.push({ kind: "moved", move });
  // Whatever happens to it, nobody waits any more for the merge of what it was.
  return putSubtask(draft, { ...without(subtask, "merging"), ...patch, state, since: draft.now });
}

export function score(draft: Draft, id: SubtaskId, agent: AgentId, reason: ScoreReason): void {
  const subtask = draft.state.task?.subtasks[id];
  if (subtask !== undefined) touchSubtask(draft, scored(subtask, agent, reason, draft.now));
}

/** Records what the patrol saw and did. */
export function patrolled(draft: Draft, entry: Omit<PatrolEntry, "ts">): void {
  const { task } = draft.state;
  if (task === undefined) return;
  draft.notes.push({ kind: "patrolled", what: entry.kind });
  putTask(draft, { patrol: [...task.patrol, { ...entry, ts: draft.now }].slice(-patrolLimit) });
}

export function keepNote(draft: Draft, subtask: SubtaskId, text: string): void {
  const { task } = draft.state;
  if (task === undefined) return;
  putTask(draft, { notes: [...task.notes, { subtask, text, ts: draft.now }].slice(-notesLimit) });
}

/** Something is shown in the room now. The version grows with it, so that every effect that shows something has its own id. */
export function remember(draft: Draft, key: string, text: string): void {
  const { task } = draft.state;
  if (task !== undefined) putTask(draft, { shown: { ...task.shown, [key]: idFrom(text) } });
}

/** What an action is decided from, and how a refusal is told. */
import type { OwnInput } from "../input.ts";
import type { RunningTurn, Session } from "../room.ts";
import type { CrewMember } from "../world.ts";
import { type MoveName, statesFor } from "./subtask-states.ts";
import type { Subtask, SubtaskId, Task } from "./task.ts";

export type Act = Extract<OwnInput, { kind: "act" }>;

/** What an action is decided from. */
export interface Acting {
  readonly input: Act;
  readonly member: CrewMember;
  readonly session: Session & { readonly running: RunningTurn };
  readonly task: Task;
}

export function known(task: Task): string {
  const ids = Object.values(task.subtasks).map(({ id, state }) => `${id} (${state})`);
  return ids.length === 0 ? "There is no plan yet." : `Subtasks: ${ids.join(", ")}.`;
}

/** Why a move is not possible now. */
export function notNow(subtask: Subtask, move: MoveName): string {
  return `\`${subtask.id}\` is ${subtask.state}; this is for a subtask that is ${statesFor(move).join(" or ")}.`;
}

/** The epoch under which this turn works on a subtask; `undefined` when it was not given in this turn. */
export function epochOf(running: RunningTurn, subtask: SubtaskId, part: "work" | "review"): number | undefined {
  const given = running.messages.flatMap(({ work }) =>
    work !== undefined && work.subtask === subtask && work.part === part ? [work.epoch] : [],
  );
  return given.length === 0 ? undefined : Math.max(...given);
}

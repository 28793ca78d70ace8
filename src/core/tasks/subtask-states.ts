/**
 * The life of a subtask, as a table. The code looks moves up here, and `docs/tasks.md` is drawn from it.
 */
import type { SubtaskState } from "./task.ts";

export interface Move {
  /** What happens. */
  readonly on: string;
  readonly from: readonly SubtaskState[];
  readonly to: SubtaskState;
  /** Who may make it happen. */
  readonly by: string;
  readonly note: string;
}

const moves = {
  unlock: { from: ["waiting"], to: "ready", by: "bridge", note: "All that it depends on is done." },
  lock: { from: ["ready"], to: "waiting", by: "bridge", note: "A new plan makes it depend on something open." },
  lease: {
    from: ["ready", "rework"],
    to: "working",
    by: "bridge, executor (`claim_subtask`), planner or supervisor (`assign`)",
    note: "An agent gets a lease with a new epoch, and is prompted.",
  },
  release: {
    from: ["working"],
    to: "ready",
    by: "its worker (`release_subtask`), patrol, a kick",
    note: "The lease is over; it is offered again.",
  },
  submit: {
    from: ["working"],
    to: "review",
    by: "its worker (`submit_work`), with the newest epoch",
    note: "The work is handed in; the best free reviewer is prompted.",
  },
  approve: {
    from: ["review"],
    to: "done",
    by: "another agent than the worker (`review_work`, score 3–5), or a supervisor",
    note: "What depends on it may begin.",
  },
  reject: {
    from: ["review"],
    to: "rework",
    by: "another agent than the worker (`review_work`, score 1–2, with issues), or a supervisor",
    note: "It goes back to its worker with the issues.",
  },
  block: {
    from: ["waiting", "ready", "working", "review", "rework"],
    to: "blocked",
    by: "its worker (`report_blocked`), a supervisor, patrol",
    note: "The planner is told; when nothing comes of it, a person.",
  },
  unblock: {
    from: ["blocked"],
    to: "ready",
    by: "planner (`assign_subtask`), a supervisor",
    note: "It is offered again.",
  },
  retry: {
    from: ["working", "review", "rework", "blocked", "done"],
    to: "ready",
    by: "a supervisor",
    note: "It is done anew. What was approved no longer counts.",
  },
  cancel: {
    from: ["waiting", "ready", "working", "review", "rework", "blocked"],
    to: "cancelled",
    by: "planner (`revise_plan`), a supervisor",
    note: "Its work ends; what depends on it no longer waits for it.",
  },
} as const satisfies Record<string, Omit<Move, "on">>;

export type MoveName = keyof typeof moves;

export const subtaskMoves: readonly Move[] = Object.entries(moves).map(([on, move]) => ({ on, ...move }));

/** Where a move leads from a state, or `undefined` when it is not allowed there. */
export function after(state: SubtaskState, move: MoveName): SubtaskState | undefined {
  const { from, to }: { readonly from: readonly SubtaskState[]; readonly to: SubtaskState } = moves[move];
  return from.includes(state) ? to : undefined;
}

/** States in which a move is possible, for the sentence of a refusal. */
export function statesFor(move: MoveName): readonly SubtaskState[] {
  return moves[move].from;
}

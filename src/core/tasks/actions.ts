/** Actions: typed requests of agents to change a task. People use commands and approvals, which do the same things. */
import type { AgentId, CommitHash } from "../ids.ts";
import type { SubtaskId, SubtaskSpec, Verdict } from "./task.ts";

/** A subtask as `revise_plan` gives it: `cancel` drops it. */
export interface RevisedSpec extends Partial<Omit<SubtaskSpec, "id">> {
  readonly id: SubtaskId;
  readonly cancel?: boolean;
}

/** The tool that each action comes from. */
export const toolOf = {
  plan: "plan_task",
  revise: "revise_plan",
  assign: "assign_subtask",
  claim: "claim_subtask",
  submit: "submit_work",
  block: "report_blocked",
  release: "release_subtask",
  review: "review_work",
  progress: "report_progress",
  concern: "raise_concern",
  ask: "ask_human",
  look: "get_task",
} as const satisfies Record<Action["kind"], string>;

export type Action =
  | { readonly kind: "plan"; readonly subtasks: readonly SubtaskSpec[] }
  | { readonly kind: "revise"; readonly subtasks: readonly RevisedSpec[]; readonly reason: string }
  | { readonly kind: "assign"; readonly subtask: SubtaskId; readonly agent: AgentId }
  | { readonly kind: "claim"; readonly subtask: SubtaskId }
  | {
      readonly kind: "submit";
      readonly subtask: SubtaskId;
      readonly summary: string;
      /** Newest commit of its branch, when it has files. */
      readonly commit?: CommitHash;
    }
  | { readonly kind: "block"; readonly subtask: SubtaskId; readonly reason: string }
  | { readonly kind: "release"; readonly subtask: SubtaskId }
  | {
      readonly kind: "review";
      readonly subtask: SubtaskId;
      readonly verdict: Verdict;
      readonly score: number;
      readonly issues: readonly string[];
      readonly comment: string;
    }
  | { readonly kind: "progress"; readonly text: string; readonly percent?: number }
  | {
      readonly kind: "concern";
      readonly subtask: SubtaskId;
      readonly severity: "info" | "warning" | "critical";
      readonly note: string;
    }
  | { readonly kind: "ask"; readonly question: string; readonly options: readonly string[] }
  | { readonly kind: "look" };

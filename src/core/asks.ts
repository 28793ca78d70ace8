/**
 * Questions that only an allowed person can answer, with a deadline: plans, final approvals, decisions, and what agents
 * ask. One message with the options as reactions; the first answer wins, and the message is edited to the outcome.
 *
 *   ask ──▶ open ──reaction, reply, !crew approve|deny──▶ answered
 *             ├──deadline────────────────────────────────▶ answered with its `timeout`
 *             └──withdrawn (its matter is settled)────────▶ gone
 */
import type { AgentId, EffectId, EventId, UserId } from "./ids.ts";
import type { SubtaskId } from "./tasks/task.ts";

export interface AskOption {
  /** `approve`, `deny`, or a word of the question's own. */
  readonly id: string;
  /** The reaction: ✅, ❌, 1️⃣ … */
  readonly key: string;
  readonly label: string;
}

export type AskMatter =
  | { readonly kind: "plan" }
  | { readonly kind: "final" }
  /** The planner failed. */
  | { readonly kind: "planner" }
  /** A subtask that nobody can go on with: rejected too often, no worker, no reviewer, blocked, concern. */
  | { readonly kind: "subtask"; readonly subtask: SubtaskId; readonly why: string }
  | { readonly kind: "budget" }
  /** An agent's `ask_human`. */
  | { readonly kind: "question"; readonly session: string; readonly agent: AgentId };

export interface Ask {
  /** Short, for `!crew approve <id>`: `a1`, `a2`, … in its room. */
  readonly id: string;
  readonly matter: AskMatter;
  /** Markdown. */
  readonly text: string;
  readonly options: readonly AskOption[];
  /** Id of the option that silence chooses. */
  readonly timeout: string;
  readonly asked: number;
  readonly deadline: number;
  /** The message that asks. */
  readonly message: EffectId;
  readonly event?: EventId;
  readonly thread?: EventId;
}

export interface Answer {
  readonly option: string;
  /** Words beside it. */
  readonly why: string;
  /** `undefined` when the deadline answered. */
  readonly by?: UserId;
}

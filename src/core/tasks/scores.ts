/**
 * What an agent's record says of it: entries with a reason, appended to the subtask that they come from, and never changed.
 * The bridge writes them when something happens; no function here takes an agent's wish, and no tool writes one.
 */
import type { AgentId } from "../ids.ts";
import type { ScoreEntry, Subtask } from "./task.ts";

export interface ScoreRule {
  readonly points: number;
  /** When it is given: a sentence for people. */
  readonly when: string;
}

export const scoreTable = {
  first_pass: { points: 5, when: "Its work was approved without a rejection before." },
  after_rework: { points: 2, when: "Its work was approved after one rejection or more." },
  on_time: { points: 1, when: "Its approved work took no longer than the planner's estimate." },
  rework: { points: -2, when: "Its work was rejected." },
  lease_expired: { points: -3, when: "It held a subtask until the lease ran out, and handed nothing in." },
  overturned_work: { points: -3, when: "A person overturned the approval of its work." },
  review_done: { points: 1, when: "It gave a review in time." },
  review_overturned: { points: -5, when: "A person overturned its review." },
  review_expired: { points: -2, when: "It held a review until the lease ran out, and gave none." },
  released: { points: 0, when: "It gave a subtask back. That is better than holding it, and costs nothing." },
} as const satisfies Record<string, ScoreRule>;

export type ScoreReason = keyof typeof scoreTable;

/** The subtask with one more entry. @param ts Milliseconds since the epoch. */
export function scored(subtask: Subtask, agent: AgentId, reason: ScoreReason, ts: number): Subtask {
  const entry: ScoreEntry = { agent, reason, points: scoreTable[reason].points, ts };
  return { ...subtask, scores: [...subtask.scores, entry] };
}

/** Entries that a newcomer is taken to have, each of no points: one bad day is not yet a bad agent. */
const benefitOfDoubt = 3;

/** How good a choice an agent is, from the sum and the number of its entries: 0 for a newcomer, at most about 6. */
export function standing(points: number, entries: number): number {
  return points / (entries + benefitOfDoubt);
}

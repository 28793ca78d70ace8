/**
 * From an agent's `submit_work` to the start of its reviewer's turn, one subtask after another on a real Synapse, so that
 * nothing waits for a free agent; and what a straight path costs where no burst lets the bridge leave steps out.
 */
import { diligence, planRule } from "../support/tasks.ts";
import type { Measure } from "./row.ts";
import { median, quantile } from "./stats.ts";
import { handOvers, openTaskStage } from "./task-stage.ts";

const subtasks = 40;
const patienceMs = 5 * 60_000;
const limitMs = 1_000;
const eventLimit = 14;

export const handOver: Measure = async (progress) => {
  const ids = Array.from({ length: subtasks }, (_, n) => `part-${n}`);
  await using stage = await openTaskStage({
    agents: ["planner", "executor", "reviewer"].map((role) => ({ id: role, roles: [role] })),
    // Each waits for the one before: the straight path, step by step.
    script: [planRule(ids.map((id, n) => ({ id, after: ids.slice(Math.max(0, n - 1), n) }))), ...diligence],
    config: { tasks: { plan_approval: "never", final_approval: "none" } },
  });
  const { took: raw } = await stage.send(100, 1);
  await stage.say("!crew new Parser — that reads CSV");
  await stage.waitForTasks("done", 1, patienceMs);
  const took = handOvers(stage.asked);
  const events = await stage.events(1);
  const begun = events.findIndex(({ type }) => type === "dev.crewroom.subtask");
  const perSubtask = events.slice(begun).filter(({ type }) => type !== "m.room.member").length / subtasks;
  progress(`hand-over: ${took.length} of ${subtasks}, ${events.length} events`);
  const p95 = quantile(took, 0.95);
  const ms = (samples: readonly number[]): string =>
    `p50 ${median(samples).toFixed(1)} ms, p95 ${quantile(samples, 0.95).toFixed(1)} ms`;
  return [
    {
      what: "Hand-over, submit → reviewer's model asked",
      figure: `${ms(took)}; ${(median(took) / median(raw)).toFixed(2)} × a send`,
      limit: `p95 < ${limitMs} ms`,
      comparedWith: `one message straight to Synapse: ${ms(raw)}`,
      ok: took.length === subtasks && p95 < limitMs,
      runs: took,
    },
    {
      what: "Events per subtask, one after another",
      figure: perSubtask.toFixed(2),
      limit: `≤ ${eventLimit}`,
      comparedWith: `${subtasks} subtasks, each waiting for the one before`,
      ok: perSubtask <= eventLimit,
      runs: [perSubtask],
    },
  ];
};

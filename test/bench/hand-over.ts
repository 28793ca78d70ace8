/**
 * From an agent's `submit_work` to the start of its reviewer's turn, one subtask after another on a real Synapse, so that
 * nothing waits for a free agent; and what a straight path costs where no burst lets the bridge leave steps out.
 */
import { diligence, planRule } from "../support/tasks.ts";
import type { Measure } from "./row.ts";
import { median, quantile } from "./stats.ts";
import { costOf, handOvers, listOf, openTaskStage } from "./task-stage.ts";

const subtasks = 40;
const patienceMs = 5 * 60_000;
const limitMs = 1_000;
const eventLimit = 14;
const slowMs = 2_000;
const slowIds = ["lexer", "parser", "printer", "guide"];
const agents = ["planner", "executor", "reviewer"].map((role) => ({ id: role, roles: [role] }));
const config = { tasks: { plan_approval: "never", final_approval: "none" } } as const;

export const handOver: Measure = async (progress) => {
  const ids = Array.from({ length: subtasks }, (_, n) => `part-${n}`);
  await using stage = await openTaskStage({
    agents,
    // Each waits for the one before: the straight path, step by step.
    script: [planRule(ids.map((id, n) => ({ id, after: ids.slice(Math.max(0, n - 1), n) }))), ...diligence],
    config,
  });
  const { took: raw } = await stage.send(100, 1);
  await stage.say("!crew new Parser — that reads CSV");
  await stage.waitForTasks("done", 1, patienceMs);
  const took = handOvers(stage.asked);
  const perSubtask = costOf(await stage.events(1)).work.length / subtasks;
  progress(`hand-over: ${took.length} of ${subtasks} subtasks, ${perSubtask.toFixed(2)} events each`);
  const straight = await slowly(slowIds.length, progress);
  const queued = await slowly(1, progress);
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
      what: `Events per subtask, straight path, models that take ${slowMs / 1_000} s for each request`,
      figure: straight.toFixed(2),
      limit: `≤ ${eventLimit}`,
      comparedWith: `work that waits for one busy worker: ${queued.toFixed(2)}; models that answer at once: ${perSubtask.toFixed(2)}`,
      ok: straight <= eventLimit,
      runs: [straight, queued, perSubtask],
    },
  ];
};

/**
 * Models that take their time let every step be shown; behind one that answers at once, newer ones overtake older ones.
 * @param parallel Subtasks that an agent works on at the same time: with 1 the others wait, and that is shown too.
 */
async function slowly(parallel: number, progress: (line: string) => void): Promise<number> {
  const script = [planRule(slowIds.map((id) => ({ id }))), ...diligence];
  await using stage = await openTaskStage({
    agents: agents.map((agent) => ({ ...agent, parallel })),
    script: script.map((rule) => ({ ...rule, answer: { ...rule.answer, delay_ms: slowMs } })),
    config,
  });
  await stage.say("!crew new Parser — that reads CSV");
  await stage.waitForTasks("done", 1, patienceMs);
  const { work } = costOf(await stage.events(1));
  progress(`hand-over, slow models, ${parallel} at a time: ${listOf(work, slowIds.length)}`);
  return work.length / slowIds.length;
}

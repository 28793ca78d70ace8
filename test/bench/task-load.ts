/**
 * Many tasks at once on a real Synapse, with models that answer at once: whether all of them finish and no action is
 * lost, how many a second, and how many events and tokens each subtask takes. BENCH_TASKS sets how many; default 50.
 */
import process from "node:process";
import { diligence, planRule } from "../support/tasks.ts";
import type { Measure } from "./row.ts";
import { grouped, median, quantile } from "./stats.ts";
import { costOf, handOvers, kindOf, listOf, openTaskStage, type RoomEvent } from "./task-stage.ts";

const tasks = Number(process.env["BENCH_TASKS"] ?? 50);
const parts = ["lexer", "parser", "printer", "guide"];
const subtasks = tasks * parts.length;
const patienceMs = 15 * 60_000;
const eventLimit = 14;
const roles = ["planner", "executor", "executor", "executor", "reviewer", "reviewer"];

export const taskLoad: Measure = async (progress) => {
  await using stage = await openTaskStage({
    // Nobody waits for a free agent: what is measured is the way, not the crew's size.
    agents: roles.map((role, n) => ({ id: `${role}${n}`, roles: [role], parallel: subtasks })),
    script: [planRule(parts.map((id) => ({ id }))), ...diligence],
    config: { tasks: { plan_approval: "never", final_approval: "none" } },
  });
  const raw = await stage.send(200, 1);
  const before = await stage.bridge.metrics();
  const began = performance.now();
  for (let n = 1; n <= tasks; n++) await stage.say(`!crew new Parser ${n} — that reads CSV`);
  const finished = stage.waitForTasks("done", tasks, patienceMs);
  const report = setInterval(() => {
    const reviews = stage.asked.filter(({ last, step }) => step === 1 && last.includes("Review `")).length;
    progress(`tasks: ${((performance.now() - began) / 1_000).toFixed(0)} s, ${reviews} of ${subtasks} reviews begun`);
  }, 10_000);
  await finished.finally(() => clearInterval(report));
  const seconds = (performance.now() - began) / 1_000;
  const after = await stage.bridge.metrics();
  const handed = handOvers(stage.asked);

  let [straight, opening, joins, lost] = [0, 0, 0, 0];
  const all: RoomEvent[] = [];
  for (let task = 1; task <= tasks; task++) {
    const events = await stage.events(task);
    const { work, ...beside } = costOf(events);
    straight += work.length;
    joins += beside.members;
    opening += beside.opening;
    all.push(...work);
    lost += parts.filter((id) => !isWhole(work, id)).length;
  }
  const grown = (name: string): number => after.value(name) - before.value(name);
  const tokens = grown("crewroom_tokens_total") / subtasks;
  const perSubtask = straight / subtasks;
  const dead = after.value("crewroom_dead_letters_total");
  const sends = straight + opening + joins;
  progress(`tasks: events per subtask: ${listOf(all, subtasks)}`);
  return [
    {
      what: `${tasks} tasks × ${parts.length} subtasks at once, all actions in their rooms`,
      figure: `${subtasks - lost} of ${subtasks} whole; ${dead} dead letters`,
      limit: `all`,
      comparedWith: `${stage.asked.length} requests to the model`,
      ok: lost === 0 && dead === 0,
      runs: [lost, dead],
    },
    {
      what: "Tasks per second, their rooms' making included",
      figure: `${(tasks / seconds).toFixed(2)} (${seconds.toFixed(0)} s); ${(sends / seconds).toFixed(1)} events/s`,
      limit: "-",
      comparedWith: `messages straight to Synapse, one after another: ${raw.perSecond.toFixed(1)}/s (${(sends / seconds / raw.perSecond).toFixed(2)} ×)`,
      runs: [seconds, sends, raw.perSecond],
    },
    {
      what: "Events per subtask, from the plan to the end",
      figure: perSubtask.toFixed(2),
      limit: `≤ ${eventLimit}`,
      comparedWith: `beside them for each task: ${(opening / tasks).toFixed(1)} that make the room, ${(joins / tasks).toFixed(1)} memberships`,
      ok: perSubtask <= eventLimit,
      runs: [perSubtask, opening / tasks, joins / tasks],
    },
    {
      what: "Hand-over under that load, submit → reviewer's model asked",
      figure: `p50 ${median(handed).toFixed(0)} ms, p95 ${quantile(handed, 0.95).toFixed(0)} ms`,
      limit: "-",
      comparedWith: `${handed.length} hand-overs`,
      runs: handed,
    },
    {
      what: "Tokens per finished subtask, counted at 4 characters each",
      figure: grouped(tokens),
      limit: "-",
      comparedWith: `a plan, ${parts.length} works and ${parts.length} reviews of two requests each, by their ${parts.length}`,
      runs: [tokens],
    },
  ];
};

/** Handed in once, judged once, and done at the end. */
function isWhole(events: readonly RoomEvent[], subtask: string): boolean {
  const told = (kind: string): number =>
    events.filter((event) => {
      const action = JSON.stringify(event.content["dev.crewroom.action"] ?? "");
      return kindOf(event) === kind && action.includes(`"subtask":"${subtask}"`);
    }).length;
  const last = events.findLast(({ type, state_key: key }) => type === "dev.crewroom.subtask" && key === subtask);
  return told("submit") === 1 && told("review") === 1 && last?.content["state"] === "done";
}

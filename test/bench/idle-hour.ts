/**
 * How often models are asked while nothing happens: four agents on a real Synapse, and an open task whose subtasks are
 * blocked until a person decides. Leases and the patrol's deadlines are so short that a minute is an hour to them.
 */
import { setTimeout as delay } from "node:timers/promises";
import { planRule } from "../support/tasks.ts";
import type { Measure } from "./row.ts";
import { openTaskStage } from "./task-stage.ts";

const idleMs = 60_000;
/** A minute of the config in minutes of the bench: 60 s stand for an hour. */
const scale = 1 / 60;
const settleMs = 3_000;

export const idleHour: Measure = async (progress) => {
  await using stage = await openTaskStage({
    agents: ["planner", "executor", "reviewer", "patrol"].map((role) => ({ id: role, roles: [role] })),
    script: [
      planRule([{ id: "wait" }, { id: "big" }]),
      {
        when: { role: "executor", last: "/Your subtask `(\\w+)`/" },
        answer: { tools: [{ name: "report_blocked", arguments: { subtask: "$1", reason: "the key is missing" } }] },
      },
      { when: {}, answer: { text: "That is all." } },
    ],
    config: {
      tasks: { plan_approval: "over 5", lease_seconds: 600 * scale, review_lease_seconds: 600 * scale },
      patrol: {
        unclaimed_minutes: 10 * scale,
        review_wait_minutes: 10 * scale,
        blocked_minutes: 30 * scale,
        silence_minutes: 60 * scale,
      },
    },
  });
  await stage.say("!crew new Parser — that reads CSV");
  await stage.waitForTasks("active", 1, 60_000);
  // What it has to do before it waits for the person.
  for (let before = -1; before !== stage.asked.length;) {
    before = stage.asked.length;
    await delay(settleMs);
  }
  const before = stage.asked.length;
  const metrics = await stage.bridge.metrics();
  await delay(idleMs);
  const asked = stage.asked.length - before;
  const after = await stage.bridge.metrics();
  const events = await stage.events(1);
  const patrolled = events.filter(({ content }) => String(content["body"]).includes("still blocked")).length;
  const turns = after.value("crewroom_turns_total") - metrics.value("crewroom_turns_total");
  progress(`idle: ${before} requests before, ${asked} in ${idleMs / 1_000} s; ${patrolled} words of the patrol`);
  return [
    {
      what: `Model calls in an idle hour, four agents, a task that waits for a person`,
      figure: `${asked} (${turns} turns)`,
      limit: "0",
      comparedWith: `an hour's deadlines in ${idleMs / 1_000} s; before it: ${before} calls; the patrol asked a person ${patrolled} times`,
      ok: asked === 0 && before > 0 && patrolled > 0,
      runs: [asked],
    },
  ];
};

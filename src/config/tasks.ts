/** `tasks` and `patrol`: how work is planned, given out, reviewed and watched over. The keys are the core's policies. */
import { z } from "zod";
import type { PatrolPolicy, TaskPolicy } from "../core/world.ts";
import { count, duration, longest } from "./fields.ts";

const planApproval = z.string().transform((text, context): TaskPolicy["plan_approval"] => {
  if (text === "always" || text === "never") return text;
  const over = /^over (\d{1,9})$/.exec(text)?.[1];
  if (over !== undefined) return { over: Number(over) };
  context.addIssue("is none of always, never, over <n>; write it like over 5");
  return z.NEVER;
});

export const tasks = z
  .strictObject({
    plan_approval: planApproval
      .prefault("over 5")
      .describe("When a person must approve a plan before work begins: always, never, or over <n> subtasks."),
    final_approval: z
      .enum(["person", "none"])
      .default("person")
      .describe("Who says that a task is done: a person, or none, so that the last review ends it."),
    dispatch: z
      .enum(["push", "claim"])
      .default("push")
      .describe("push: the bridge gives a ready subtask to the best free agent; claim: agents take one themselves."),
    max_subtasks: count(1).default(50).describe("Most subtasks of one task; a longer plan is refused."),
    max_rework: count(1)
      .default(3)
      .describe("After so many rejections of one subtask a person decides how it goes on."),
    lease_seconds: duration(longest.seconds)
      .default(600)
      .describe("How long an agent holds a subtask without a sign of life before it is offered to others."),
    review_lease_seconds: duration(longest.seconds)
      .default(600)
      .describe("How long a reviewer holds a review without a sign of life before another one is asked."),
    ask_hours: duration(longest.hours)
      .default(24)
      .describe("How long a question to people waits for an answer; then it counts as denied."),
    max_tries: count(1)
      .default(3)
      .describe(
        "After so many leases of one subtask that ended without a result it counts as blocked, and a person is asked.",
      ),
    rules: z
      .string()
      .default("")
      .describe(
        "What every agent of the crew is told, in your words; it is sent with every request, so keep it short.",
      ),
    roles: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Folder of role prompts, <role>.md each; a role without a file there has Crewroom's own, an empty file is no prompt.",
      )
      .meta({ sample: "roles" }),
  })
  .prefault({});

const checkpoints = [
  "half_estimate",
  "estimate",
  "rework",
] as const satisfies readonly PatrolPolicy["checkpoints"][number][];

export const patrol = z
  .strictObject({
    unclaimed_minutes: duration(longest.minutes)
      .default(10)
      .describe("The room is told of a subtask that is ready for so long without a worker."),
    review_wait_minutes: duration(longest.minutes)
      .default(10)
      .describe("The room is told of work that waits for a reviewer for so long."),
    blocked_minutes: duration(longest.minutes)
      .default(30)
      .describe("A person is asked about a subtask that is blocked for so long."),
    silence_minutes: duration(longest.minutes)
      .default(60)
      .describe("HQ is told of an open task in which nothing happens for so long."),
    identical_answers: count(2)
      .default(3)
      .describe(
        "After so many equal answers in a row an agent counts as going in circles: another one gets the subtask, and where " +
          "they were answers to other agents, or the same message to one of them, the breaker trips.",
      ),
    checkpoints: z
      .array(z.enum(checkpoints))
      .default([...checkpoints])
      .describe(
        "When an agent with the role patrol compares work with its acceptance criteria: at half of the estimate, " +
          "at the estimate, from the second rejection on.",
      ),
  })
  .prefault({});

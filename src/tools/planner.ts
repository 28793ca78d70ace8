/** What planners can do: plan the task, change the plan, give out subtasks. */
import { z } from "zod";
import { effectOf } from "./context.ts";
import { defineTool } from "./define.ts";
import { agentNamed, newSubtask, subtask, words } from "./fields.ts";

const title = words(200);
const deliverable = words(2_000).describe("What is there when it is done.");
const acceptance = z.array(words(500)).describe("Criteria that a reviewer can answer with yes or no.");
const dependsOn = z.array(newSubtask);
const capability = words(60).describe("What its worker must be able to do.");
const estimate = z.number().positive().describe("Expected minutes of work.");

const planFields =
  "id (a-z, 0-9, _ and -), title, deliverable, acceptance (a list of at least one criterion), depends_on (a list of ids, " +
  "empty for none) and, optionally, capability and estimate_minutes (a number)";

export const planTask = defineTool({
  name: "plan_task",
  help: "Proposes the plan of the task: all of its subtasks.",
  more: "Each is done by one agent and reviewed by another. Those that do not depend on each other run side by side.",
  takes: `subtasks, a list of objects with ${planFields}`,
  refused: "planned",
  input: z.strictObject({
    subtasks: z.array(
      z.strictObject({
        id: newSubtask,
        title,
        deliverable,
        acceptance,
        depends_on: dependsOn.describe("Ids of this list that must be done before.").exactOptional(),
        capability: capability.exactOptional(),
        estimate_minutes: estimate.exactOptional(),
      }),
    ),
  }),
  run: async ({ subtasks }, { context, call }) =>
    context.acts(call.turn, effectOf(call), {
      kind: "plan",
      subtasks: subtasks.map((spec) => ({ ...spec, depends_on: spec.depends_on ?? [] })),
    }),
});

export const revisePlan = defineTool({
  name: "revise_plan",
  help: "Changes the plan: subtasks listed here are added or changed, all others stay as they are.",
  more: "To change one, give its id and only what changes; `cancel: true` drops it. A new one needs all fields of plan_task.",
  takes: `reason, and subtasks, a list of objects with id and what changes: ${planFields}; or with id and cancel (true)`,
  refused: "revised",
  input: z.strictObject({
    subtasks: z.array(
      z.strictObject({
        id: newSubtask,
        title: title.exactOptional(),
        deliverable: words(2_000).exactOptional(),
        acceptance: z.array(words(500)).exactOptional(),
        depends_on: dependsOn.exactOptional(),
        capability: words(60).exactOptional(),
        estimate_minutes: z.number().positive().exactOptional(),
        cancel: z.boolean().exactOptional(),
      }),
    ),
    reason: words(2_000),
  }),
  run: async ({ subtasks, reason }, { context, call }) =>
    context.acts(call.turn, effectOf(call), { kind: "revise", subtasks, reason }),
});

export const assignSubtask = defineTool({
  name: "assign_subtask",
  help: "Gives a subtask to one agent; a blocked one goes on with that.",
  takes: "subtask (its id) and agent (the agent's id)",
  refused: "assigned",
  input: z.strictObject({ subtask, agent: z.string() }),
  async run({ subtask, agent: name }, { context, call, refuse }) {
    const agent = agentNamed(name, context.server);
    if (agent === undefined) return refuse(`agent: ${JSON.stringify(name.slice(0, 100))} is no agent of this bridge`);
    return context.acts(call.turn, effectOf(call), { kind: "assign", subtask, agent });
  },
});

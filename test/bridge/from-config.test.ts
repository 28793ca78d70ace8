import { expect, test } from "vitest";
import { agentsOf, worldOf } from "../../src/bridge/from-config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { noExtra, nothing } from "../../src/core/spent.ts";
import { agentUserId } from "../../src/core/ids.ts";
import { noModeration } from "../../src/core/moderation-rules.ts";
import type { Roster } from "../../src/core/world.ts";
import { packagePath } from "../../src/package.ts";
import { agentId } from "../runtimes/support.ts";

const nobody: Roster = {
  loadElsewhere: () => 0,
  scoreOf: () => ({ points: 0, entries: 0 }),
  scoresByReason: () => ({}),
  tasks: () => [],
  spentElsewhere: () => nothing,
  raisedElsewhere: () => noExtra,
};

const { config } = await loadConfig(packagePath("config/demo.yaml"), {
  env: {},
  overrides: {
    agents: [
      { id: "ada", roles: ["reviewer", "planner"], capabilities: ["python"], parallel: 2, instructions: "Be brief." },
      { id: "bo" },
    ],
    tasks: { plan_approval: "always", rules: "Answer in German.", roles: packagePath("config/roles") },
    patrol: { silence_minutes: 0.5 },
  },
});
const ada = agentId("ada");

test("the core knows each agent's capabilities and load, and the policies as they stand in the config", () => {
  const world = worldOf(config, nobody, noModeration);
  expect(world.crew.get(agentUserId(ada, "localhost"))).toMatchObject({ capabilities: ["python"], parallel: 2 });
  expect(world.crew.get(agentUserId(agentId("bo"), "localhost"))).toMatchObject({ capabilities: [], parallel: 1 });
  expect(world.tasks).toMatchObject({ plan_approval: "always", dispatch: "push", max_rework: 3 });
  expect(world.patrol).toMatchObject({ silence_minutes: 0.5, identical_answers: 3 });
  expect(world.roster).toBe(nobody);
});

test("the core's policy, which rooms may show, has no rules for agents and no path of this machine", () => {
  const { tasks } = worldOf(config, nobody, noModeration);
  expect(Object.keys(tasks)).not.toContain("rules");
  expect(Object.keys(tasks)).not.toContain("roles");
});

test("a turn's agent carries its roles' prompts in order, the crew's rules and its own instructions", () => {
  const prompts = new Map([
    ["reviewer", "Review."],
    ["planner", "Plan."],
    ["executor", ""],
  ]);
  const agents = agentsOf(config, prompts);
  expect(agents.get(ada)).toEqual({
    id: "ada",
    name: "ada",
    roles: ["reviewer", "planner"],
    rolePrompts: ["Plan.", "Review."],
    rules: "Answer in German.",
    instructions: "Be brief.",
    model: "default",
    runtime: "builtin",
  });
  expect(agents.get(agentId("bo"))).toMatchObject({ rolePrompts: [], rules: "Answer in German." });
});

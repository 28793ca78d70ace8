import { expect, test } from "vitest";
import type { Synapse } from "../../src/demo/synapse.ts";
import { sharedStage } from "../support/shared-stage.ts";
import { approvalOf, diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const shared = sharedStage({
  agents: taskCrew,
  federated: true,
  permissions: (home, away = "") => ({ [home]: "talk", [`@boss:${home}`]: "admin", [`@zoe:${away}`]: "supervise" }),
  config: { tasks: { plan_approval: "always" }, limits: { retry_max_seconds: 2 } },
  script: [planRule([{ id: "lexer" }, { id: "parser", after: ["lexer"] }]), ...diligence],
});

function away(): Synapse {
  const { away } = shared.stage;
  if (away === undefined) throw new Error("The stage is not federated");
  return away;
}

test(
  "a supervisor of another homeserver asks for a task, is invited, and approves its plan and its result there",
  { timeout: 180_000 },
  async () => {
    const { crew, synapse } = shared.stage;
    const ada = crew.agent("ada");
    const zoe = await shared.stage.person("zoe", { on: away() });
    const chat = await zoe.createDirectRoom(ada);
    await zoe.waitForMember(chat, ada, "join", patient);
    const task = await TaskRoom.open(zoe, crew, chat, "Pack a parser — for zoe", synapse.serverName);
    await expect(task.powerOf(zoe.userId)).resolves.toBe(100);
    const plan = await task.answer("plan");
    expect(approvalOf(plan)).toMatchObject({ option: "approve", by: zoe.userId });
    const final = await task.answer("final");
    expect(final.text).toContain("First draft of parser");
    expect(approvalOf(final)).toMatchObject({ option: "approve", by: zoe.userId });
    await task.waitForTask("done");
    expect(task.task).toMatchObject({ title: "Pack a parser", brief: "for zoe", progress: { done: 2, total: 2 } });
  },
);

test("and steers it by words and commands", { timeout: 180_000 }, async () => {
  const { crew, synapse } = shared.stage;
  const zoe = await shared.stage.person("zoe", { on: away() });
  const chat = await zoe.createDirectRoom(crew.bot);
  await zoe.waitForMember(chat, crew.bot, "join", patient);
  const task = await TaskRoom.open(zoe, crew, chat, "Pack another", synapse.serverName);
  const plan = await task.waitForAsk("plan");
  await zoe.reply(task.room, plan, "approve");
  expect(approvalOf(await task.waitForAnswered(plan))).toMatchObject({ option: "approve", by: zoe.userId });
  await task.waitForAsk("final");
  expect(await task.command("status")).toMatch(/2 of 2 done/);
  expect(await task.command("done")).toMatch(/Done/);
  await task.waitForTask("done");
});

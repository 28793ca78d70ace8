import { expect, test } from "vitest";
import { poll } from "../../src/demo/poll.ts";
import { saidBy, sharedStage } from "../support/shared-stage.ts";
import { diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const taskTokens = 100;
const dayTokens = 60_000;

const shared = sharedStage({
  agents: [...taskCrew, { id: "fay", name: "Fay", roles: ["helper"] }],
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  config: {
    tasks: { plan_approval: "never" },
    budgets: { task: { tokens: taskTokens }, agent_day: { tokens: dayTokens } },
    models: { default: { price: { input_usd_per_million: 2, output_usd_per_million: 8 } } },
  },
  script: [
    { when: { agent: "dan", last: "get stuck" }, answer: { text: "I am", hang: true } },
    planRule([{ id: "lexer" }, { id: "tests", after: ["lexer"] }]),
    ...diligence,
  ],
});

/** What the metrics of the bridge say, once no turn runs. */
async function atRest(): Promise<{ readonly input: number; readonly output: number; readonly usd: number }> {
  return poll(
    async () => {
      const metrics = await shared.stage.bridge.metrics();
      if (metrics.value("crewroom_turns_running") > 0) return undefined;
      const tokens = (direction: string): number => metrics.value("crewroom_tokens_total", { direction });
      return { input: tokens("input"), output: tokens("output"), usd: metrics.value("crewroom_cost_usd_total") };
    },
    { everyMs: 200, signal: AbortSignal.timeout(patient.timeoutMs) },
  );
}

test("a task pauses when its budget is used up, asks, and goes on with what a person gives it; the figures are the model's", async () => {
  const { crew } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await TaskRoom.openByBot(anna, crew, "Build a lexer");
  const asked = await task.waitForAsk("budget");
  expect(asked.text).toContain("The budget is used up");
  expect(asked.text).toContain(`of ${taskTokens} tokens are used`);
  expect((await task.waitForTask("paused")).paused).toContain("are used");

  // What a person adds is soon used up again: the next turn takes more than that.
  await anna.react(task.room, asked.id, "✅");
  await task.waitForAnswered(asked);
  await task.waitForAsk("budget", { ...patient, except: asked.id });

  expect(await task.command("budget 1m tokens")).toContain("The budget of this task is now 1 000 000 tokens.");
  await task.waitForAsk("final");
  const { input, output, usd } = await atRest();
  expect(usd).toBeCloseTo((input * 2 + output * 8) / 1e6, 9);
  const shown = (await task.command("budget")).replaceAll(/(?<=\d) (?=\d)/g, "");
  expect(shown).toContain(`**This task**: ${input + output} of 1000000 tokens`);
  expect(/In all \d+ tokens, \$(\d+\.\d+)/.exec(shown)?.[1]).toBe(String(Number(usd.toFixed(6))));
  await task.answer("final");
  const { spent } = (await task.waitForTask("done")) as unknown as { readonly spent: Record<string, unknown> };
  expect(spent).toMatchObject({ tokens: input + output, microusd: Math.round(usd * 1e6), unpriced: 0, estimated: 0 });
}, 240_000);

test("an agent that has used its day's tokens keeps its messages, also over a restart, until HQ lets it go on", async () => {
  const { crew, synapse, bridge } = shared.stage;
  const fay = crew.agent("fay");
  const [anna, boss] = [await shared.someone("anna"), await shared.stage.person("boss")];
  const { room_id: hq } = await boss.client.getRoomIdForAlias(`#crewroom-hq:${synapse.serverName}`);
  await boss.join(hq);
  const [one, other] = [await shared.direct(anna, "fay"), await shared.direct(anna, "fay")];
  // Each of these is more than ten thousand tokens, and the next turn sends it once more.
  for (const word of ["heron", "osprey", "egret", "plover"]) {
    await anna.say(one, `${word} ${"x".repeat(44_000)}`);
    const answered = (said: { readonly text: string }): boolean => said.text.includes(word) || /🪙/.test(said.text);
    await anna.waitForMessage(one, answered, { ...patient, from: fay });
    if ((await saidBy(anna, one, fay)).some(({ text }) => /begins no turn until/.test(text))) break;
  }
  await anna.waitForMessage(one, /Fay used .* tokens today, so Fay begins no turn until 00:00 UTC/, patient);
  await anna.say(other, "are you there?");
  await anna.waitForMessage(other, /Fay begins no turn until 00:00 UTC/, patient);

  await bridge.restart();
  await anna.say(other, "and now?");
  expect(await anna.say(one, "!crew ping")).toBeDefined();
  await anna.waitForMessage(one, /^Pong/, patient);
  expect((await saidBy(anna, other, fay)).filter(({ text }) => text.startsWith("fay heard"))).toEqual([]);

  const question = await boss.waitForMessage(hq, /The budget of today is used up.*Fay/, { ...patient, from: crew.bot });
  expect((await saidBy(boss, hq, crew.bot)).filter(({ text }) => /budget of today/.test(text))).toHaveLength(1);
  await boss.react(hq, question.id, "✅");
  await anna.waitForMessage(other, /fay heard: .*and now\?/s, { ...patient, from: fay });
}, 240_000);

test("a turn that is stopped counts what it used until then, as an estimate", async () => {
  const anna = await shared.someone("anna");
  const room = await shared.direct(anna, "dan");
  await anna.say(room, "get stuck");
  await anna.waitForMessage(room, /^I am/, patient);
  await anna.say(room, "!crew stop");
  await anna.waitForMessage(room, /Stopped by/, patient);
  await anna.say(room, "!crew budget");
  const { text } = await anna.waitForMessage(room, /Today, the crew/, patient);
  expect(text).toMatch(/Dan.* \d+ of the tokens estimated/);
}, 120_000);

/**
 * A crash at any instant of a task: the bridge is killed again and again while a crew works on eight subtasks, and in the
 * end each of them has ended once, each round was handed in once, and each review told its verdict once.
 */
import { randomInt } from "node:crypto";
import { setTimeout as timer } from "node:timers/promises";
import { expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import { Proxy } from "../support/proxy.ts";
import { openStage } from "../support/stage.ts";
import { actionOf, diligence, type Part, planRule, rejectRule, taskCrew, TaskRoom } from "../support/tasks.ts";
import { Random } from "./random.ts";
import { expectWell } from "./support.ts";

const kills = 12;
const patient = { timeoutMs: 240_000 };
const parts: readonly Part[] = [
  { id: "one" },
  { id: "two" },
  { id: "three", after: ["one"] },
  { id: "four", after: ["one", "two"] },
  { id: "five", after: ["three"] },
  { id: "six", after: ["four"] },
  { id: "seven", after: ["five", "six"] },
  { id: "eight", after: ["seven"] },
];
const rejected = ["two", "four", "seven"];
/** Long enough that kills find turns that run. */
const slowly = { delay_ms: 300 };

test("every subtask ends once while the bridge is killed at random instants", { timeout: 600_000 }, async () => {
  const seed = Number(process.env["CREWROOM_SEED"] ?? randomInt(2 ** 31));
  process.stderr.write(`task kill: CREWROOM_SEED=${seed} repeats these kills\n`);
  const random = new Random(seed);
  await using proxy = await Proxy.start();
  await using stage = await openStage({
    agents: taskCrew,
    permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
    config: {
      homeserver: { address: proxy.url },
      limits: { retry_max_seconds: 1 },
      tasks: { plan_approval: "always" },
    },
    script: [planRule(parts), ...rejected.map((id) => rejectRule(id)), ...diligence].map((rule) => ({
      ...rule,
      answer: { ...slowly, ...rule.answer },
    })),
    start: false,
  });
  proxy.passTo(stage.synapse.url);
  await using bridge = await BridgeProcess.start(stage.crew);
  const anna = await stage.person("anna");
  const task = await TaskRoom.openByBot(anna, stage.crew, "Count to eight");

  const killing = kill(bridge, random, proxy, () => task.task?.state === "approval");
  const approving = task.answer("plan", "✅", patient);
  const [killed] = await Promise.all([killing, approving]);
  expect(killed).toBeGreaterThanOrEqual(kills / 3);
  await task.answer("final", "✅", patient);
  await task.waitForTask("done", patient);
  await expectWell(bridge);

  for (const kind of ["opened", "finished"]) expect(await task.actions(kind)).toHaveLength(1);
  for (const { id } of parts) {
    const rounds = rejected.includes(id) ? 2 : 1;
    expect(task.subtask(id)).toMatchObject({ state: "done", rework: rounds - 1 });
    expect(await task.actions("subtask", id)).toHaveLength(1);
    const submitted = (await task.actions("submit", id)).map((said) => actionOf(said)["submission"]);
    expect(new Set(submitted).size).toBe(rounds);
    expect(submitted).toHaveLength(rounds);
    const reviews = await task.actions("review", id);
    expect(reviews.map((said) => actionOf(said)["submission"])).toEqual(submitted);
    expect(reviews.map((said) => actionOf(said)["verdict"])).toEqual(
      rounds === 1 ? ["approve"] : ["reject", "approve"],
    );
    const verdicts = (await task.history(id)).filter(({ state }) => state === "done");
    expect(new Set(verdicts.map(({ version }) => version)).size).toBe(1);
  }
});

/** While the bridge starts; at any time; while something is being sent or a state is being written. */
const instants = ["starting", "running", "writing", "writing", "writing"] as const;

async function kill(bridge: BridgeProcess, random: Random, proxy: Proxy, over: () => boolean): Promise<number> {
  let killed = 0;
  for (; killed < kills && !over(); killed++) {
    const instant = random.pick(instants);
    if (bridge.pid === undefined) {
      if (instant === "starting") bridge.launch();
      else await bridge.start();
    }
    switch (instant) {
      case "starting":
        await timer(random.whole(200, 2_500));
        break;
      case "running":
        await timer(random.whole(0, 800));
        break;
      case "writing":
        await Promise.race([furtherWrites(proxy, random.whole(1, 10)), timer(5_000)]);
        await timer(random.whole(0, 30));
        break;
    }
    await bridge.kill();
  }
  if (bridge.pid === undefined) await bridge.start();
  process.stderr.write(`task kill: ${killed} kills before the last subtask was done\n`);
  return killed;
}

/** Messages and state events on their way to the homeserver: whether it has taken them by then, only it knows. */
async function furtherWrites(proxy: Proxy, count: number): Promise<void> {
  let next = proxy.exchanges.length;
  let left = count;
  const probe = (): true | undefined => {
    for (; next < proxy.exchanges.length; next++) {
      const { method, path } = proxy.exchanges[next]?.asked ?? { method: "", path: "" };
      if (method === "PUT" && /\/(?:send|state)\//.test(path)) left -= 1;
    }
    return left <= 0 || undefined;
  };
  await proxy.until(`${count} writes`, probe, patient);
}

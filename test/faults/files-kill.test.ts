/**
 * A crash at any instant of a file's way: the bridge is killed again and again while it records, uploads and merges, and in
 * the end every commit was told once, every approved subtask is on main once, and nothing that was written is lost.
 */
import { randomInt } from "node:crypto";
import { mkdtemp, rm, watch } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as timer } from "node:timers/promises";
import { expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import {
  commitsIn,
  folderOf,
  gitOf,
  handIn,
  pathsOn,
  pull,
  quiet,
  run,
  uses,
  waitForHead,
  write,
} from "../support/files.ts";
import { Proxy } from "../support/proxy.ts";
import { openStage } from "../support/stage.ts";
import { type Part, planRule, taskCrew, TaskRoom, diligence } from "../support/tasks.ts";
import { Random } from "./random.ts";
import { expectWell } from "./support.ts";

const kills = 10;
const patient = { timeoutMs: 240_000 };
const parts: readonly Part[] = [
  { id: "one" },
  { id: "two" },
  { id: "three", after: ["one"] },
  { id: "four", after: ["two"] },
  { id: "five", after: ["three", "four"] },
];
const lines = (id: string): string => Array.from({ length: 50 }, (_, index) => `${id} ${index}\n`).join("");
/** Long enough that kills find turns that run. */
const slowlyMs = 250;

test(
  "every commit is told once and every subtask merged once while the bridge is killed at random instants",
  { timeout: 600_000 },
  async () => {
    const seed = Number(process.env["CREWROOM_SEED"] ?? randomInt(2 ** 31));
    process.stderr.write(`files kill: CREWROOM_SEED=${seed} repeats these kills\n`);
    const random = new Random(seed);
    await using proxy = await Proxy.start();
    await using stage = await openStage({
      agents: taskCrew,
      permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
      config: {
        homeserver: { address: proxy.url },
        limits: { retry_max_seconds: 1 },
        tasks: { plan_approval: "never" },
        files: { quiet_ms: 50 },
      },
      script: [
        planRule(parts),
        ...parts.flatMap(({ id }) =>
          uses(
            "executor",
            `/Your subtask \`${id}\`/`,
            [
              write(`${id}/text.txt`, lines(id)),
              write("common.txt", "the same for all\n"),
              write(`${id}/gone.txt`, "gone\n"),
              run(`head -c 100000 /dev/zero | tr '\\0' x > ${id}/large.txt; echo x >> ${id}/moved.txt`),
              ["delete_file", { path: `${id}/gone.txt` }],
              run(`test -e ${id}/new.txt || mv ${id}/moved.txt ${id}/new.txt`),
              handIn(id),
            ],
            slowlyMs,
          ),
        ),
        ...diligence.map((rule) => ({ ...rule, answer: { delay_ms: slowlyMs, ...rule.answer } })),
        quiet,
      ],
      start: false,
    });
    proxy.passTo(stage.synapse.url);
    const { crew } = stage;
    await using bridge = await BridgeProcess.start(crew);
    const anna = await stage.person("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Write five times");

    const killed = await kill(bridge, random, proxy, task, () => task.task?.state === "approval");
    expect(killed).toBeGreaterThanOrEqual(kills / 2);
    const final = await task.waitForAsk("final", patient);
    const main = await waitForHead(task, crew);
    // All that was made has been told by then, or is told now.
    const all = (await gitOf(task, crew, "rev-list", "--branches", "--min-parents=1")).split("\n").toSorted();
    await anna.waitFor(task.room, "all commits", patient, () => {
      const told = anna.seen(task.room).flatMap(({ content }) => content["dev.crewroom.commit"] ?? []);
      return told.length >= all.length ? true : undefined;
    });
    expect((await commitsIn(task)).map(({ commit }) => commit).toSorted()).toEqual(all);
    await gitOf(task, crew, "fsck", "--strict");

    const expected = [
      "common.txt",
      ...parts.flatMap(({ id }) => ["large", "new", "text"].map((name) => `${id}/${name}.txt`)),
    ];
    expect((await pathsOn(task, crew)).toSorted()).toEqual(expected.toSorted());
    for (const { id } of parts) {
      const subtask = await task.waitForSubtask(id, "done", patient);
      expect(subtask.rework).toBe(0);
      expect(await gitOf(task, crew, "show", `main:${id}/text.txt`)).toBe(lines(id).trim());
      const merges = await gitOf(task, crew, "log", "--first-parent", "--format=%s", `--grep=^Merge ${id}:`, "main");
      expect(merges.split("\n")).toEqual([`Merge ${id}: Make ${id}`]);
      expect(await task.actions("submit", id)).toHaveLength(1);
      // Nothing of it was written as if it were somebody else's.
      expect(await gitOf(task, crew, "merge-base", "--is-ancestor", subtask.commit ?? "", "main")).toBe("");
    }
    const into = await mkdtemp(path.join(tmpdir(), "crewroom-killed-"));
    try {
      const pulled = await pull(task.room, into, anna);
      expect(pulled).toMatchObject({ code: 0 });
      expect(pulled.out).toContain(`main ${main}`);
    } finally {
      await rm(into, { recursive: true, force: true });
    }
    await anna.react(task.room, final.id, "✅");
    await task.waitForTask("done", patient);
    await expectWell(bridge);
  },
);

/** While the bridge starts; at any time; when git has just begun to write; while a bundle is on its way; at a verdict. */
const instants = ["starting", "running", "recording", "recording", "uploading", "uploading", "judged"] as const;

async function kill(
  bridge: BridgeProcess,
  random: Random,
  proxy: Proxy,
  task: TaskRoom,
  over: () => boolean,
): Promise<number> {
  let killed = 0;
  for (; killed < kills && !over(); killed++) {
    const instant = random.pick(instants);
    if (bridge.pid === undefined) {
      if (instant === "starting") bridge.launch();
      else await bridge.start();
    }
    const latest = new AbortController();
    const waited = timer(5_000, undefined, { signal: latest.signal }).catch(() => undefined);
    switch (instant) {
      case "starting":
        await timer(random.whole(200, 2_500));
        break;
      case "running":
        await timer(random.whole(0, 800));
        break;
      case "recording":
        await Promise.race([written(task, bridge, latest.signal), waited]);
        await timer(random.whole(0, 60));
        break;
      case "uploading":
        await Promise.race([asked(proxy, /\/media\/v3\/(?:upload|create)/), waited]);
        await timer(random.whole(0, 30));
        break;
      case "judged":
        // What is approved is merged at once.
        await Promise.race([asked(proxy, /\/state\/dev\.crewroom\.subtask\//), waited]);
        await timer(random.whole(0, 60));
        break;
    }
    latest.abort();
    await bridge.kill();
  }
  if (bridge.pid === undefined) await bridge.start();
  process.stderr.write(`files kill: ${killed} kills before the last subtask was done\n`);
  return killed;
}

/** Until git writes a branch or an object of the task. */
async function written(task: TaskRoom, { crew }: BridgeProcess, signal: AbortSignal): Promise<void> {
  try {
    const repository = path.join(await folderOf(task, crew), "repo.git");
    for await (const { filename } of watch(repository, { recursive: true, signal }))
      if (filename !== null && /^(?:objects|refs)\//.test(filename)) return;
  } catch {
    // Not there yet, or it took too long: the caller's own time ends it.
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
}

async function asked(proxy: Proxy, looked: RegExp): Promise<void> {
  const from = proxy.exchanges.length;
  await proxy.until(
    `a request for ${looked}`,
    (exchanges) => (exchanges.slice(from).some(({ asked }) => looked.test(asked.path)) ? true : undefined),
    patient,
  );
}

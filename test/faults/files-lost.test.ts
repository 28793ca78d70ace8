/** What is in the room is enough: a bridge that has lost its data folder, or its store as well, goes on with the same files. */
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import {
  ask,
  bytesOf,
  commitsIn,
  gitOf,
  handIn,
  pathsOn,
  quiet,
  toolResults,
  touches,
  uses,
  waitForCommit,
  waitForHead,
  waitForQuestion,
  write,
} from "../support/files.ts";
import { BridgeProcess } from "../support/bridge-process.ts";
import { Proxy } from "../support/proxy.ts";
import { openStage } from "../support/stage.ts";
import { diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";
import { expectWell } from "./support.ts";

async function lose(bridge: BridgeProcess, lost: (name: string) => boolean): Promise<void> {
  const { crew } = bridge;
  await bridge.stop();
  const gone = (await readdir(crew.directory)).filter(lost);
  expect(gone).not.toEqual([]);
  await Promise.all(gone.map((name) => rm(path.join(crew.directory, name), { recursive: true })));
  await bridge.start();
}

test(
  "lost data, and a lost store with it, come back from the room, and the task goes on",
  { timeout: 300_000 },
  async () => {
    await using proxy = await Proxy.start();
    await using stage = await openStage({
      start: false,
      agents: taskCrew,
      permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
      config: {
        homeserver: { address: proxy.url },
        limits: { retry_max_seconds: 1 },
        tasks: { plan_approval: "never" },
      },
      script: [
        planRule([{ id: "first" }, { id: "second", after: ["first"] }]),
        ...uses("executor", "/Your subtask `first`/", [
          write("src/first.js", "export const first = 1;\n"),
          write('odd "names"/ü\\n.txt', "odd\n"),
          handIn("first"),
        ]),
        ...uses("executor", "/Your subtask `second`/", [
          ["list_files", {}],
          write("src/second.js", "export const second = 2;\n"),
          ["ask_human", { question: "May I hand in?" }],
        ]),
        ...uses("executor", "/you may/", [
          ["edit_file", { path: "src/first.js", old: "1", new: "one" }],
          ["read_file", { path: "src/second.js" }],
          handIn("second"),
        ]),
        ...diligence,
        quiet,
      ],
    });
    const { crew, rehearsal } = stage;
    proxy.passTo(stage.synapse.url);
    await using bridge = await BridgeProcess.start(crew);
    const anna = await stage.person("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Survive");
    await waitForQuestion(task, /May I hand in/);
    await waitForCommit(task, "the second one's first", touches("src/second.js"));
    const file = { name: "data.csv", mimeType: "text/csv", bytes: Buffer.from("1,2\n") };
    await anna.sendFile(task.room, file);
    await waitForCommit(task, "the upload", touches("data.csv"));
    const main = await waitForHead(task, crew);
    const heads = async (): Promise<string> =>
      gitOf(task, crew, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads");
    const before = await heads();
    const told = (await commitsIn(task)).length;

    // The data folder: put together with the first wish for it.
    await lose(bridge, (name) => name === "data");
    // What breaks off in the middle does not pass for all that there is.
    let bundles = 0;
    let isGone = true;
    proxy.fail({
      fits: ({ method, path: at }) => isGone && method === "GET" && at.includes("/media/download/") && ++bundles > 2,
      how: "refuse",
      answer: { status: 404, json: { errcode: "M_NOT_FOUND", error: "Not found" } },
    });
    const broken = await ask(task, crew, "show src/first.js");
    expect(broken.text).toMatch(/cannot be put together from the room/);
    isGone = false;
    const shown = await ask(task, crew, "show src/first.js");
    expect((await bytesOf(anna, shown)).toString()).toBe("export const first = 1;\n");
    expect(await heads()).toBe(before);
    expect(await gitOf(task, crew, "fsck", "--strict")).not.toContain("error");

    // Both.
    await lose(bridge, (name) => name === "data" || name.startsWith("crewroom.db"));
    await anna.waitForMessage(task.room, /I lost my notes/, { ...patient, from: crew.bot });
    const question = await anna.waitFor(task.room, "the question again", patient, () =>
      anna
        .seen(task.room)
        .filter(({ text, original }) => text.includes("May I hand in") && "dev.crewroom.approval" in original)
        .at(1),
    );
    expect(await gitOf(task, crew, "rev-parse", "main")).toBe(main);
    const [listed] = toolResults(rehearsal, /Your subtask `second`/);
    expect(listed).toContain("src/first.js");
    expect(listed).toContain("src/second.js");
    await anna.reply(task.room, question, "you may", { thread: question.thread ?? "" });
    const second = await task.waitForSubtask("second", "done");
    expect(second.submission?.summary).toBe("Made second.");
    const now = await waitForHead(task, crew);
    expect(await gitOf(task, crew, "merge-base", "--is-ancestor", main, now)).toBe("");
    expect(await pathsOn(task, crew)).toEqual(["data.csv", 'odd "names"/ü\\n.txt', "src/first.js", "src/second.js"]);
    expect(await gitOf(task, crew, "show", "main:src/first.js")).toContain("= one");
    const all = await commitsIn(task);
    expect(new Set(all.map(({ commit }) => commit)).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(told);
    // What was handed in before can still be taken back.
    const upload = anna.seen(task.room).find(({ text, sender }) => text === "data.csv" && sender === anna.userId);
    await anna.redact(task.room, upload?.id ?? "");
    await waitForCommit(task, "the withdrawal", touches("data.csv", { why: "withdraw" }));
    await task.answer("final");
    await task.waitForTask("done");
    await expectWell(bridge);
  },
);

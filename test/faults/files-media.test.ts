/** The media store is away, refuses, or takes less than a file is large: commits are kept, and told as soon as that works. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import {
  commitsIn,
  gitOf,
  handIn,
  pathsOn,
  pull,
  quiet,
  run,
  toolResults,
  touches,
  uses,
  waitForCommit,
  waitForHead,
  write,
} from "../support/files.ts";
import { type Asked, Proxy } from "../support/proxy.ts";
import { openStage } from "../support/stage.ts";
import { diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";
import { expectWell } from "./support.ts";

const large = 60_000_000;
const isUpload = ({ method, path: at }: Asked): boolean => method === "POST" && at.includes("/media/");
const isDownload = ({ method, path: at }: Asked): boolean => method === "GET" && at.includes("/media/download/");

test(
  "commits wait for the media store, a large file goes in parts, and what is over the limit is refused by its name",
  { timeout: 300_000 },
  async () => {
    await using proxy = await Proxy.start();
    await using stage = await openStage({
      agents: taskCrew,
      permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
      homeserver: { max_upload_size: "50M" },
      config: {
        homeserver: { address: proxy.url },
        limits: { retry_max_seconds: 1 },
        tasks: { plan_approval: "never" },
        files: { file_bytes: 100_000_000 },
      },
      script: [
        planRule([{ id: "small" }, { id: "large", after: ["small"] }]),
        ...uses("executor", "/Your subtask `small`/", [write("small.txt", "small\n"), handIn("small")]),
        ...uses("executor", "/Your subtask `large`/", [
          run("truncate -s 110000000 over.bin"),
          handIn("large"),
          run(`rm over.bin; head -c ${large} /dev/urandom > large.bin; sha256sum large.bin`),
          handIn("large"),
        ]),
        ...diligence,
        quiet,
      ],
      start: false,
    });
    const { crew, rehearsal, synapse } = stage;
    proxy.passTo(synapse.url);
    let away = true;
    proxy.fail({
      fits: (asked) => away && (isUpload(asked) || isDownload(asked)),
      how: "refuse",
      answer: { status: 502 },
    });
    await using bridge = await BridgeProcess.start(crew);
    const anna = await stage.person("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Keep it");

    // The work goes on without it; it is only told later.
    await task.waitForSubtask("small", "done");
    await anna.sendFile(task.room, { name: "hers.txt", mimeType: "text/plain", bytes: Buffer.from("hers\n") });
    expect(await pathsOn(task, crew)).toEqual(["small.txt"]);
    await proxy.until("two tries of an upload", (exchanges) =>
      exchanges.filter(({ asked, fate }) => isUpload(asked) && fate === "failed").length >= 2 ? true : undefined,
    );
    await proxy.until("two tries of a download", (exchanges) =>
      exchanges.filter(({ asked, fate }) => isDownload(asked) && fate === "failed").length >= 2 ? true : undefined,
    );
    expect(await commitsIn(task)).toEqual([]);
    // Also over a restart.
    await bridge.kill();
    await bridge.start();
    away = false;
    await waitForCommit(task, "the small file", touches("small.txt", { branch: "subtask/small" }), {
      timeoutMs: 90_000,
    });
    await waitForCommit(task, "its merge", touches("small.txt", { branch: "main" }));
    await waitForCommit(task, "her file", touches("hers.txt"));

    const { thread } = await task.waitForSubtask("large", "done", { timeoutMs: 180_000 });
    const [, refused, made] = toolResults(rehearsal, /Your subtask `large`/);
    expect(refused).toMatch(/^Not done: .*`over\.bin`: 110 MB, over the limit of 100 MB/);
    const held = await anna.waitForMessage(task.room, /Not recorded in `large`/, { ...patient, from: crew.bot });
    expect(held).toMatchObject({ thread });
    expect(held.text).toContain("over.bin");
    const told = await waitForCommit(task, "the large file", touches("large.bin", { branch: "subtask/large" }));
    const [, sha256 = ""] = /\b([0-9a-f]{64})\b/.exec(made ?? "") ?? [];
    expect(told.changes[0]).toMatchObject({ size: large, sha256 });
    expect(told.bundle?.parts.length).toBeGreaterThanOrEqual(2);
    expect(told.bundle?.size).toBe((told.bundle?.parts ?? []).reduce((sum, { size }) => sum + size, 0));
    const main = await waitForHead(task, crew);

    const into = await mkdtemp(path.join(tmpdir(), "crewroom-large-"));
    try {
      const pulled = await pull(task.room, into, anna);
      expect(pulled).toMatchObject({ code: 0 });
      expect(pulled.out).toContain(`main ${main}`);
      expect((await stat(path.join(into, "large.bin"))).size).toBe(large);
    } finally {
      await rm(into, { recursive: true, force: true });
    }
    const all = (await commitsIn(task)).map(({ commit }) => commit);
    expect(all.toSorted()).toEqual(
      (await gitOf(task, crew, "rev-list", "--branches", "--min-parents=1")).split("\n").toSorted(),
    );
    await expectWell(bridge);

    // A file that its homeserver does not have any more: told, not waited for.
    proxy.fail({
      fits: isDownload,
      how: "refuse",
      answer: { status: 404, json: { errcode: "M_NOT_FOUND", error: "Gone" } },
    });
    const lost = await anna.sendFile(task.room, { name: "lost.txt", mimeType: "text/plain", bytes: Buffer.from("x") });
    await anna.waitForMessage(task.room, (said) => said.replyTo === lost && said.mentions.includes(anna.userId), {
      ...patient,
      from: crew.bot,
    });
  },
);

/** No room on the disk of the bridge's data: it is told, nothing is lost, and it is recorded once there is room again. */
import { execFile } from "node:child_process";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import {
  commitsIn,
  gitOf,
  handIn,
  quiet,
  run,
  toolResults,
  touches,
  uses,
  waitForCommit,
  waitForHead,
  waitForQuestion,
  write,
} from "../support/files.ts";
import { openStage } from "../support/stage.ts";
import { diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";
import { expectWell } from "./support.ts";

const execute = promisify(execFile);

/** A disk of a few MB; `undefined` where nobody may mount one. */
async function smallDisk(at: string): Promise<AsyncDisposable | undefined> {
  await mkdir(at, { recursive: true });
  const mounted = execute("mount", ["-t", "tmpfs", "-o", "size=4m", "crewroom-test", at]);
  const works = await mounted.then(
    () => true,
    () => false,
  );
  return works ? { [Symbol.asyncDispose]: async () => void (await execute("umount", ["-l", at])) } : undefined;
}

test(
  "a full disk is told, and what could not be recorded is recorded when there is room",
  { timeout: 240_000 },
  async ({ skip }) => {
    await using stage = await openStage({
      agents: taskCrew,
      permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
      config: { tasks: { plan_approval: "never" } },
      script: [
        planRule([{ id: "report" }]),
        ...uses("executor", "/Your subtask `report`/", [
          write("small.txt", "small\n"),
          ["ask_human", { question: "Is the disk full?" }],
        ]),
        ...uses("executor", "/it is full/", [
          run("head -c 150000 /dev/urandom > noise.bin; ls -l noise.bin"),
          handIn("report"),
          ["ask_human", { question: "Is there room?" }],
        ]),
        ...uses("executor", "/there is room/", [handIn("report")]),
        ...diligence,
        quiet,
      ],
      start: false,
    });
    const { crew, rehearsal } = stage;
    const data = path.join(crew.directory, "data");
    await using disk = await smallDisk(data);
    if (disk === undefined) return skip("nobody may mount a small disk here");
    await using bridge = await BridgeProcess.start(crew);
    const anna = await stage.person("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Fill it");
    const first = await waitForQuestion(task, /Is the disk full/);
    await waitForCommit(task, "the small file", touches("small.txt"));

    // Room for the file, but not for its commit.
    const filler = path.join(data, "filler");
    const { bavail, bsize } = await statfs(data);
    await writeFile(filler, Buffer.alloc(bavail * bsize - 220_000));
    await anna.reply(task.room, first, "it is full", { thread: first.thread ?? "" });
    const second = await waitForQuestion(task, /Is there room/);
    const [, refused] = toolResults(rehearsal, /it is full/);
    expect(refused).toMatch(/^Not done: .*could not be recorded.*full/);
    const told = await anna.waitForMessage(task.room, /⚠️.*full/, { ...patient, from: crew.bot });
    expect(told.thread).toBe(task.subtask("report")?.thread);
    expect(told.text).not.toContain(crew.directory);

    await rm(filler);
    await anna.reply(task.room, second, "there is room", { thread: second.thread ?? "" });
    await task.waitForSubtask("report", "done");
    await waitForHead(task, crew);
    expect(await gitOf(task, crew, "cat-file", "-s", "main:noise.bin")).toBe("150000");
    await gitOf(task, crew, "fsck", "--strict");
    const all = (await commitsIn(task)).map(({ commit }) => commit);
    expect(new Set(all).size).toBe(all.length);
    await expectWell(bridge);
  },
);

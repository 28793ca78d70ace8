/** What agents do to a task's files, as the room tells it and as the repository has it. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { poll } from "../../src/demo/poll.ts";
import {
  approval,
  commitsIn,
  gitOf,
  handIn,
  napping,
  pathsOn,
  quiet,
  run,
  type Told,
  toolResults,
  touches,
  uses,
  waitForCommit,
  waitForHead,
  write,
} from "../support/files.ts";
import { sharedStage } from "../support/shared-stage.ts";
import { actionOf, diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const source = "export const parse = (text) => text.split(',');\n";
const testOfIt = `import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "../src/parse.js";
test("splits at commas", () => assert.deepEqual(parse("a,b"), ["a", "b"]));
`;
const nice = "notes/ü nïce 😀.txt";
const odd = [" blank ", "-n", '"quoted".txt', "line\nbreak", "a;b$(c)`d`*?.txt", "back\\slash"];
const binary = Buffer.from([0, 1, 2, 255, 0, 13, 10]);
const shellName = (name: string): string => `'${name}'`;
/** Told from other commands on the machine by its number of seconds. */
const nap = `${40_000 + Math.floor(Math.random() * 10_000)}`;

const shared = sharedStage({
  agents: taskCrew,
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  config: { tasks: { plan_approval: "never" }, files: { quiet_ms: 300 }, limits: { stream_first_ms: 0 } },
  script: [
    planRule([{ id: "parser" }, { id: "tidy", after: ["parser"] }], "plain work"),
    ...uses("executor", "/Your subtask `parser`/", [
      write("src/parse.js", source),
      write("test/parse.test.js", testOfIt),
      write(nice, ""),
      run(
        [
          `printf '\\000\\001\\002\\377\\000\\r\\n' > data.bin`,
          `printf '#!/bin/sh\\necho a tool\\n' > tool.sh && chmod +x tool.sh`,
          ...odd.map((name) => `printf odd > ./${shellName(name)}`),
          `ln -s src/parse.js link.js`,
        ].join(" && "),
      ),
      handIn("parser"),
    ]),
    ...uses("reviewer", "/Review `parser`/", [
      write("src/parse.js", "spoilt"),
      ["edit_file", { path: "src/parse.js", old: "text", new: "spoilt" }],
      ["delete_file", { path: "src/parse.js" }],
      run("echo spoilt > src/parse.js; echo spoilt > new.js; rm -f tool.sh; ls"),
      run("node --test && cat src/parse.js"),
      approval("parser"),
    ]),
    ...uses("executor", "/Your subtask `tidy`/", [
      ["read_file", { path: "src/parse.js" }],
      ["edit_file", { path: "src/parse.js", old: "(text)", new: "(line)" }],
      ["delete_file", { path: nice }],
      run("mkdir bin && mv tool.sh bin/tool.sh && chmod +x src/parse.js test/parse.test.js && ./bin/tool.sh"),
      ["file_history", { path: nice }],
      handIn("tidy"),
    ]),
    planRule([{ id: "draft" }], "slow work"),
    ...uses("executor", "/Your subtask `draft`/", [write("draft.md", "half a sentence\n")]),
    {
      when: { role: "executor", last: "/Your subtask `draft`/", step: 2 },
      answer: {
        text: "I wait.",
        tools: [
          {
            name: "run_command",
            // The second time, after the stop, there is nothing to wait for.
            arguments: {
              command: `test -e late.md || { echo late > late.md; setsid sleep ${nap} & (sleep ${nap} &); sleep ${nap}; }`,
            },
          },
        ],
      },
    },
    {
      when: { role: "executor", last: "/Your subtask `draft`/", step: 3 },
      answer: { tools: [{ name: "submit_work", arguments: { subtask: "draft", summary: "Made draft." } }] },
    },
    ...diligence,
    quiet,
  ],
});

test(
  "what agents write is recorded, told, really tested by the reviewer, merged, and is what the next one begins with",
  { timeout: 240_000 },
  async () => {
    const { crew, rehearsal } = shared.stage;
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Do some plain work");
    await task.waitForAsk("final");
    await waitForHead(task, crew);
    const told = await commitsIn(task);

    // In the subtask's thread, with all that was changed, by whom and in which turn; nobody is notified.
    const { thread, holder, commit, submission, review } = await task.waitForSubtask("parser", "done");
    const made = told.filter(({ branch }) => branch === "subtask/parser");
    expect(made.map(({ said }) => [said.sender, said.thread, said.mentions.length])).toEqual(
      made.map(() => [crew.bot, thread, 0]),
    );
    expect(new Set(made.map(({ by }) => by))).toEqual(new Set([submission?.by]));
    expect(holder ?? submission?.by).toBe(submission?.by);
    // A change may be recorded in the middle of a command; what came of all is in the merge.
    const mergeOf = (id: string): Told | undefined =>
      told.find(({ branch, subtask, why }) => branch === "main" && subtask === id && why === "merge");
    const merge = mergeOf("parser");
    const changes = merge?.changes ?? [];
    const written = ["data.bin", "link.js", nice, "src/parse.js", "test/parse.test.js", "tool.sh", ...odd];
    expect(changes.map(({ path, kind }) => `${kind} ${path}`).toSorted()).toEqual(
      written.map((path) => `added ${path}`).toSorted(),
    );
    const ofPath = (path: string) => changes.find((change) => change.path === path);
    const sha256 = createHash("sha256").update(binary).digest("hex");
    expect(ofPath("data.bin")).toMatchObject({ mode: "100644", size: binary.length, sha256 });
    expect(ofPath("data.bin")).not.toHaveProperty("added");
    expect(ofPath("tool.sh")).toMatchObject({ mode: "100755", added: 2, removed: 0 });
    expect(ofPath("link.js")).toMatchObject({ mode: "120000" });
    expect(ofPath(nice)).toMatchObject({ size: 0, added: 0 });
    expect(made.find(touches("src/parse.js"))?.said.text).toContain("export const parse");

    // What is handed in, reviewed, approved and merged is one commit.
    expect(commit).toBe(made.at(-1)?.commit);
    expect(review.commit).toBe(commit);
    expect(merge).toMatchObject({ by: crew.bot, said: { thread } });
    expect(merge?.parents.at(-1)).toBe(commit);
    const reviewed = toolResults(rehearsal, /Review `parser`/);
    expect(reviewed.slice(0, 3)).toEqual([
      expect.stringMatching(/^Not written: .*for you to read/),
      expect.stringMatching(/^Not written: .*for you to read/),
      expect.stringMatching(/^Not deleted: .*for you to read/),
    ]);
    expect(reviewed[3]).toMatch(/Read-only file system/);
    expect(reviewed[3]).not.toMatch(/new\.js$/m);
    expect(reviewed[3]).toMatch(/^tool\.sh$/m);
    expect(reviewed[4]).toMatch(/pass 1/);
    expect(reviewed[4]).toContain(source.trim());

    // In the repository: author and trailers, and the very same bytes.
    const [id = ""] = /bo|cleo/.exec(submission?.by ?? "") ?? [];
    const format = "%an <%ae>%n%(trailers:key=Crewroom-Task,key=Crewroom-Subtask,key=Crewroom-Reason,key=Crewroom-By)";
    const log = await gitOf(task, crew, "log", "-1", `--format=${format}`, commit ?? "");
    expect(log.toLowerCase()).toContain(`${id} <${submission?.by ?? "?"}>`);
    expect(log).toContain(`Crewroom-Task: ${task.task?.id}\n`);
    expect(log).toContain("Crewroom-Subtask: parser\n");
    expect(log).toContain(`Crewroom-By: ${id}`);
    expect(
      await gitOf(task, crew, "log", "-1", "--format=%(trailers:key=Crewroom-Turn,valueonly)", commit ?? ""),
    ).toContain(made.at(-1)?.turn);
    expect(Buffer.from(await gitOf(task, crew, "show", "main:data.bin"), "utf8").length).toBeGreaterThan(0);
    expect(await gitOf(task, crew, "show", "main:link.js")).toBe("src/parse.js");

    // The next one begins with it; its edits, deletes, renames and modes are told as such.
    const tidied = toolResults(rehearsal, /Your subtask `tidy`/);
    expect(tidied[0]).toContain("text.split(',')");
    expect(tidied[3]).toContain("a tool");
    expect(tidied[4]).toMatch(/deleted it|added it/);
    const kinds = (mergeOf("tidy")?.changes ?? []).map(
      ({ kind, path, from }) => `${kind} ${path}${from === undefined ? "" : ` from ${from}`}`,
    );
    expect(kinds).toContain("renamed bin/tool.sh from tool.sh");
    expect(kinds).toContain(`deleted ${nice}`);
    expect(kinds).toContain("mode test/parse.test.js");
    expect(kinds.filter((kind) => kind.endsWith(" src/parse.js"))).not.toEqual([]);
    const renamed = ["bin/tool.sh", "data.bin", "link.js", "src/parse.js", "test/parse.test.js", ...odd];
    expect((await pathsOn(task, crew)).toSorted()).toEqual(renamed.toSorted());
    expect(await gitOf(task, crew, "show", "main:src/parse.js")).toBe(source.trim().replace("(text)", "(line)"));
    expect(await gitOf(task, crew, "ls-tree", "main", "src/parse.js")).toMatch(/^100755/);
    await gitOf(task, crew, "fsck", "--strict");

    // Who is asked for the last word gets all files.
    await anna.waitForMessage(task.room, (said) => said.msgtype === "m.file", { ...patient, from: crew.bot });
    const timeline = await anna.timeline(task.room);
    const archive = timeline.find((said) => said.msgtype === "m.file" && said.sender === crew.bot);
    const zip = await anna.download(String(archive?.content["url"]));
    expect(zip.subarray(0, 2).toString()).toBe("PK");
    expect(renamed.filter((path) => !zip.includes(Buffer.from(path)))).toEqual([]);
    await task.answer("final");
    await task.waitForTask("done");
  },
);

test(
  "what is written is recorded while the turn still runs; a stop ends all that a command has started, and loses nothing",
  { timeout: 180_000 },
  async () => {
    const { crew } = shared.stage;
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Do some slow work");
    const { thread } = await task.waitForSubtask("draft", "working");
    const waits = await anna.waitForMessage(task.room, "I wait.", patient);
    const change = await waitForCommit(task, "the half sentence", touches("draft.md", { branch: "subtask/draft" }));
    expect(change).toMatchObject({ why: "change", said: { thread } });
    expect((await napping(nap)).length).toBeGreaterThanOrEqual(1);
    await anna.waitForTyping(task.room, waits.sender);

    await anna.react(task.room, waits.id, "🛑");
    await anna.waitForMessage(task.room, /Stopped by/, { ...patient, from: waits.sender });
    // The result of a command comes after its processes are gone; the machine may take a moment to tell.
    const gone = async (): Promise<true | undefined> => ((await napping(nap)).length === 0 ? true : undefined);
    await poll(gone, { everyMs: 50, signal: AbortSignal.timeout(1_000) });
    await waitForCommit(task, "what the command wrote", touches("late.md", { branch: "subtask/draft" }));

    await task.command("unblock draft");
    await task.waitForSubtask("draft", "done");
    expect(await pathsOn(task, crew)).toEqual(["draft.md", "late.md"]);
    expect((await task.actions("submit")).map((said) => actionOf(said)["subtask"])).toEqual(["draft"]);
  },
);

/** Two subtasks at the same time on the same files: what goes together is merged, what does not comes back with both sides. */
import { expect, test } from "vitest";
import {
  commitsIn,
  gitOf,
  handIn,
  pathsOn,
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
import { sharedStage } from "../support/shared-stage.ts";
import { actionOf, diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const lines = (first: string): string =>
  [first, ...Array.from({ length: 8 }, (_, index) => `line ${index}`), ""].join("\n");
const asks = (subtask: string): readonly [string, Record<string, unknown>] => [
  "ask_human",
  { question: `May I hand in ${subtask}?` },
];

const shared = sharedStage({
  agents: taskCrew.map((agent) => ({ ...agent, parallel: 9 })),
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  config: { tasks: { plan_approval: "never" } },
  script: [
    planRule([{ id: "base" }, { id: "left", after: ["base"] }, { id: "right", after: ["base"] }]),
    ...uses("executor", "/Your subtask `base`/", [
      write("shared.txt", lines("nobody's")),
      write("gone.txt", lines("gone")),
      write("moved.txt", lines("moved")),
      write("whole.txt", lines("whole")),
      handIn("base"),
    ]),
    ...uses("executor", "/Your subtask `left`/", [
      ["edit_file", { path: "shared.txt", old: "nobody's", new: "left's" }],
      ["delete_file", { path: "gone.txt" }],
      run("mkdir -p new && mv moved.txt new/name.txt"),
      ["edit_file", { path: "whole.txt", old: "whole", new: "left's whole" }],
      asks("left"),
    ]),
    ...uses("executor", "/Your subtask `right`/", [
      ["edit_file", { path: "shared.txt", old: "nobody's", new: "right's" }],
      ["edit_file", { path: "gone.txt", old: "line 3", new: "line three" }],
      ["edit_file", { path: "moved.txt", old: "line 3", new: "line three" }],
      ["edit_file", { path: "whole.txt", old: "line 7", new: "line seven" }],
      asks("right"),
    ]),
    {
      when: { role: "executor", last: "/hand it in: (\\w+)/" },
      answer: { tools: [{ name: "submit_work", arguments: { subtask: "$1", summary: "Made $1." } }] },
    },
    ...uses("executor", "/`right` was approved, but does not go together/", [
      run("cat shared.txt; echo; cat gone.txt; echo; cat new/name.txt whole.txt; ls"),
      handIn("right", "Both sides as they are."),
      write("shared.txt", lines("left's and right's")),
      run("git --version >/dev/null; ls gone.txt"),
      write("gone.txt", lines("kept after all")),
      handIn("right", "Brought together."),
    ]),
    ...diligence,
    quiet,
  ],
});

test(
  "a conflict comes back as rework that names both sides, nothing is overwritten, and what goes together is merged",
  { timeout: 240_000 },
  async () => {
    const { crew, rehearsal } = shared.stage;
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Go both ways");
    // Both begin with the same, and have changed it before either is merged.
    const [left, right] = [await waitForQuestion(task, /in left/), await waitForQuestion(task, /in right/)];
    await waitForCommit(task, "the right side", touches("shared.txt", { branch: "subtask/right" }));
    await anna.reply(task.room, left, "hand it in: left", { thread: left.thread ?? "" });
    await task.waitForSubtask("left", "done");
    await anna.reply(task.room, right, "hand it in: right", { thread: right.thread ?? "" });

    const conflict = await anna.waitForMessage(task.room, /cannot be merged/, { ...patient, from: crew.bot });
    expect(conflict.thread).toBe(task.subtask("right")?.thread);
    expect(actionOf(conflict)).toMatchObject({ kind: "conflict", subtask: "right" });
    expect([...(actionOf(conflict)["paths"] as string[])].toSorted()).toEqual(["gone.txt", "shared.txt"]);
    for (const path of ["shared.txt", "gone.txt"])
      expect(conflict.text).toMatch(
        new RegExp(`\`${path}\`.*on main by (Bo|Cleo) \\(\`left\`\\) in [0-9a-f]{7}, here by`),
      );

    const done = await task.waitForSubtask("right", "done");
    expect(done.rework).toBe(1);
    const seen = toolResults(rehearsal, /`right` was approved, but does not go together/);
    expect(seen[0]).toMatch(/<<<<<<<[\s\S]*(left's|right's)[\s\S]*=======[\s\S]*(left's|right's)[\s\S]*>>>>>>>/);
    expect(seen[0]).toContain("line three");
    expect(seen[0]).toContain("left's whole");
    // With both sides still in it, it cannot be handed in.
    expect(seen[1]).toMatch(/^Not done: .*shared\.txt/);
    expect(seen[5]).not.toMatch(/^Not done/);

    await waitForHead(task, crew);
    expect(await pathsOn(task, crew)).toEqual(["gone.txt", "new/name.txt", "shared.txt", "whole.txt"]);
    const show = (path: string): Promise<string> => gitOf(task, crew, "show", `main:${path}`);
    expect(await show("shared.txt")).toBe(lines("left's and right's").trim());
    expect(await show("gone.txt")).toBe(lines("kept after all").trim());
    expect(await show("new/name.txt")).toBe(lines("moved").trim().replace("line 3", "line three"));
    expect(await show("whole.txt")).toBe(lines("left's whole").trim().replace("line 7", "line seven"));
    // Both sides are in the history, and every commit was told once.
    const told = await commitsIn(task);
    expect(new Set(told.map(({ commit }) => commit)).size).toBe(told.length);
    const all = (await gitOf(task, crew, "rev-list", "--all")).split("\n");
    expect(told.map(({ commit }) => commit).toSorted()).toEqual(
      all.filter((one) => one !== (all.at(-1) ?? "")).toSorted(),
    );
    for (const { commit } of told.filter(({ branch }) => branch === "subtask/right"))
      expect(await gitOf(task, crew, "branch", "--contains", commit, "--list", "main")).toContain("main");
    await task.answer("final");
    await task.waitForTask("done");
  },
);

/** A lost store: open tasks are read back from their rooms, and go on. */
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";
import { actionOf, diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

async function loseStore({ bridge, crew }: Stage): Promise<void> {
  await bridge.stop();
  const files = (await readdir(crew.directory)).filter((file) => file.startsWith("crewroom.db"));
  expect(files).not.toEqual([]);
  await Promise.all(files.map((file) => rm(path.join(crew.directory, file))));
  await bridge.start();
}

test(
  "a task goes on to its end when the store is lost in the middle, and what was done is not done again",
  { timeout: 240_000 },
  async () => {
    await using stage = await openStage({
      agents: taskCrew,
      permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
      config: { tasks: { plan_approval: "never" } },
      script: [
        planRule([{ id: "first" }, { id: "second", after: ["first"] }, { id: "third", after: ["second"] }]),
        {
          when: { role: "executor", last: "/Your subtask `second`/" },
          times: 1,
          answer: { text: "Let me think.", hang: true },
        },
        ...diligence,
      ],
    });
    const { crew, rehearsal } = stage;
    const anna = await stage.person("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Survive — whatever happens");
    const before = await task.waitForSubtask("second", "working");
    const first = await task.waitForSubtask("first", "done");

    await loseStore(stage);
    await anna.waitForMessage(task.room, /I lost my notes/, { ...patient, from: crew.bot });
    const second = await task.waitForSubtask("second", "done");
    expect(second.epoch).toBeGreaterThan(before.lease?.epoch ?? Infinity);
    const asked = await task.waitForAsk("final");
    await task.waitForTask("approval");
    expect(task.subtask("first")).toMatchObject({ submission: first.submission, review: first.review, rework: 0 });
    expect(task.task).toMatchObject({ title: "Survive", brief: "whatever happens", progress: { done: 3, total: 3 } });

    // What people were asked they are asked again.
    await loseStore(stage);
    const again = await task.answer("final", "✅", { ...patient, except: asked.id });
    for (const id of ["first", "second", "third"]) expect(again.text).toContain(`First draft of ${id}`);
    await task.waitForTask("done");

    for (const id of ["first", "second", "third"]) {
      expect(await task.actions("submit", id)).toHaveLength(1);
      expect(await task.actions("review", id)).toHaveLength(1);
      expect(await task.actions("subtask", id)).toHaveLength(1);
    }
    for (const kind of ["opened", "plan", "finished"]) expect(await task.actions(kind)).toHaveLength(1);
    expect(rehearsal.requests.filter(({ scene }) => /Plan it/.test(scene.last) && scene.step === 1)).toHaveLength(1);

    // A closed task stays closed, and a new one gets the next number.
    await loseStore(stage);
    const next = await TaskRoom.openByBot(anna, crew, "Another one");
    await next.answer("final");
    await next.waitForTask("done");
    expect(next.task?.id).toBe((task.task?.id ?? 0) + 1);
    expect((await task.actions("finished")).map((said) => actionOf(said)["task"])).toEqual([task.task?.id]);
  },
);

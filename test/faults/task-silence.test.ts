/** Workers and reviewers that say nothing any more: their leases end, and others go on. */
import { expect, test } from "vitest";
import { sharedStage } from "../support/shared-stage.ts";
import { actionOf, diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const silent = (role: string, last: string, times: number) => ({ when: { role, last }, times, answer: { hang: true } });

const shared = sharedStage({
  agents: taskCrew.map((agent) => ({ ...agent, parallel: 9 })),
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  config: {
    // Whoever is at work answers at once.
    tasks: {
      plan_approval: "never",
      final_approval: "none",
      lease_seconds: 3.5,
      review_lease_seconds: 3.5,
      max_tries: 2,
    },
  },
  script: [
    planRule([{ id: "lulled" }], "Worker"),
    planRule([{ id: "looked" }], "Reviewer"),
    planRule([{ id: "lonely" }], "Nobody"),
    silent("executor", "/Your subtask `lulled`/", 1),
    silent("reviewer", "/Review `looked`/", 1),
    silent("executor", "/Your subtask `lonely`/", 2),
    ...diligence,
  ],
});

test("a worker that falls silent loses its lease, and another agent does the work under a higher epoch", async () => {
  const { crew } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await TaskRoom.openByBot(anna, crew, "Worker asleep");
  const { holder, lease } = await task.waitForSubtask("lulled", "working");
  const told = await anna.waitForMessage(task.room, /gave no sign of life, so its work of .*lulled/, patient);
  expect(actionOf(told)).toMatchObject({ kind: "patrol", subtask: "lulled" });
  expect(told.thread).toBe(task.subtask("lulled")?.thread);
  const done = await task.waitForSubtask("lulled", "done");
  expect(done.submission?.by).not.toBe(holder);
  expect(done.epoch).toBeGreaterThan(lease?.epoch ?? Infinity);
  await task.waitForTask("done");
  expect(await task.command("scores")).toMatch(/lease_expired 1/);
});

test("a reviewer that falls silent is replaced by another one", async () => {
  const { crew } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await TaskRoom.openByBot(anna, crew, "Reviewer asleep");
  const { review } = await task.waitForSubtask(
    "looked",
    (now) => now.state === "review" && now.review.epoch !== undefined,
  );
  await anna.waitForMessage(task.room, /gave no sign of life, so its review of .*looked/, patient);
  const done = await task.waitForSubtask("looked", "done");
  expect(done.review.reviewer).not.toBe(review.reviewer);
  expect(await task.actions("review")).toHaveLength(1);
  await task.waitForTask("done");
});

test("when nobody gets it done a person decides, and can have it tried once more", async () => {
  const { crew } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await TaskRoom.openByBot(anna, crew, "Nobody awake");
  const asked = await task.answer("subtask", "🔁");
  expect(asked.text).toMatch(/lonely.* does not get done.*2 leases ended without a result/);
  await task.waitForSubtask("lonely", "done");
  await task.waitForTask("done");
});

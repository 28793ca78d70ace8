import { expect, test } from "vitest";
import { scored, scoreTable, standing } from "../../src/core/tasks/scores.ts";
import { bo, cy, planner, rae, spec, TaskScene } from "./tasks/task-scene.ts";

test("an entry is appended with its reason and points, and those before it stay", () => {
  const scene = new TaskScene();
  scene.plan(spec("one"));
  const before = scene.subtask("one");
  const once = scored(before, bo.id, "first_pass", 5);
  const twice = scored(once, cy.id, "lease_expired", 6);
  expect(before.scores).toEqual([]);
  expect(twice.scores).toEqual([
    { agent: "bo", reason: "first_pass", points: scoreTable.first_pass.points, ts: 5 },
    { agent: "cy", reason: "lease_expired", points: scoreTable.lease_expired.points, ts: 6 },
  ]);
  expect(twice).toMatchObject({ version: before.version, state: before.state });
});

test("a newcomer stands between who did well and who did badly, and one entry weighs less than many", () => {
  const [good, bad] = [scoreTable.first_pass.points, scoreTable.lease_expired.points];
  expect(standing(0, 0)).toBe(0);
  expect(standing(good, 1)).toBeGreaterThan(0);
  expect(standing(bad, 1)).toBeLessThan(0);
  expect(standing(good * 5, 5)).toBeGreaterThan(standing(good, 1));
  expect(standing(bad * 5, 5)).toBeLessThan(standing(bad, 1));
});

test("handing in at once is worth more than after a rejection, and who reviews gets its own", () => {
  const scene = new TaskScene({ crew: [planner, bo, rae] });
  scene.plan(spec("one", { estimate_minutes: 5 }), spec("two", { depends_on: ["one"] }));
  scene.submit(bo, "one");
  scene.review(rae, "one", "approve");
  scene.submit(bo, "two");
  scene.review(rae, "two", "reject", ["wrong"]);
  scene.submit(bo, "two", "mended");
  scene.review(rae, "two", "approve");
  const reasons = (id: string): readonly string[] =>
    scene.subtask(id).scores.map(({ agent, reason }) => `${agent} ${reason}`);
  expect(reasons("one").toSorted()).toEqual(["bo first_pass", "bo on_time", "rae review_done"]);
  expect(reasons("two").toSorted()).toEqual(["bo after_rework", "bo rework", "rae review_done", "rae review_done"]);
  expect(scoreTable.first_pass.points).toBeGreaterThan(scoreTable.after_rework.points + scoreTable.rework.points);
});

import type { EffectId } from "../../../src/core/ids.ts";
import { expect, it } from "vitest";
import { boss } from "../scene.ts";
import { bo, planner, rae, spec, TaskScene } from "./task-scene.ts";

function pinned(scene: TaskScene): string {
  const said = scene.gone.filter((effect) => effect.kind === "say" && effect.action?.["kind"] === "opened");
  const last = said.at(-1);
  return last?.kind === "say" ? last.text : "";
}

it("the pinned message says where the task stands and what waits for a person", () => {
  const scene = new TaskScene({ crew: [planner, bo, rae], policy: { plan_approval: "always" } });
  const pins = scene.gone.filter((effect) => effect.kind === "state" && effect.type === "m.room.pinned_events");
  expect(pins).toMatchObject([{ content: { pinned: [scene.task.status] } }]);
  expect(pinned(scene)).toMatch(/^📝 \*\*#7 A parser\*\*, asked for by .*: planning/);
  scene.act(planner, { kind: "plan", subtasks: [spec("one")] });
  scene.deliver();
  expect(pinned(scene)).toMatch(/Waits for a person[\s\S]*`a1` 📋/);
  scene.react("a1", "✅");
  expect(pinned(scene)).toContain(": active");
  expect(pinned(scene)).not.toContain("Waits for a person");
  scene.command("pause for lunch");
  expect(pinned(scene)).toContain("paused (");
  expect(pinned(scene)).toContain(boss);
  // Every edit is of the one message that is pinned.
  const edits = scene.gone.flatMap((effect) =>
    effect.kind === "say" && effect.action?.["kind"] === "opened" && effect.replaces !== undefined
      ? [effect.replaces]
      : [],
  );
  expect(new Set(edits.map((target) => ("event" in target ? target.event : "")))).toEqual(new Set([scene.task.status]));
});

it("the pinned message is not edited for what it does not tell", () => {
  const scene = new TaskScene({ crew: [planner, bo, rae] });
  scene.plan(spec("one"), spec("two"));
  const before = scene.gone.length;
  scene.act(bo, { kind: "progress", text: "half", percent: 50 });
  scene.deliver();
  expect(scene.gone.slice(before).some((effect) => effect.kind === "say" && effect.action?.["kind"] === "opened")).toBe(
    false,
  );
});

it("the pinned message lists some of many open questions, and counts the others", () => {
  const scene = new TaskScene({ crew: [planner, bo, rae] });
  Object.assign(scene.world, { policy: [{ tool: "run_command", do: "ask" }] });
  scene.plan(...Array.from({ length: 3 }, (_, index) => spec(`s${index}`)));
  for (const [index] of Array.from({ length: 10 }).entries())
    for (const agent of [bo, rae, planner]) {
      if (!scene.isBusy(agent)) scene.say("work", { sender: boss, mentions: [agent.user] });
      const { session, turn } = scene.turnOf(agent);
      const call = `${agent.id}${index}` as EffectId;
      scene.put({ kind: "permit", session, turn, call, tool: "run_command", about: `make ${agent.id} ${index}` });
    }
  scene.deliver();
  expect(scene.record.state.asks).toHaveLength(30);
  expect(pinned(scene).match(/^- `a\d+`/gm)).toHaveLength(20);
  expect(pinned(scene)).toContain("- … and 10 more");
});

it("the pinned message says what the task may use, and in steps how much of that it has used", () => {
  const scene = new TaskScene({ crew: [planner, bo, rae], budgets: { task: { tokens: 10_000 } } });
  expect(pinned(scene)).toMatch(/💸 Budget: 10\s000 tokens; less than 20 % of it is used\./);
  scene.plan(spec("one"));
  const { session, turn } = scene.turnOf(bo);
  const edits = (): number => scene.gone.filter((e) => e.kind === "say" && e.action?.["kind"] === "opened").length;
  const before = edits();
  for (let step = 0; step < 9; step++) {
    scene.put({ kind: "used", session, turn, usage: [{ model: "default", inputTokens: 500, outputTokens: 0 }] });
    scene.deliver();
  }
  expect(pinned(scene)).toContain("40 % of it or more are used");
  expect(edits() - before).toBe(2);
});

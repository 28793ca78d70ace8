import { describe, expect, it } from "vitest";
import type { SetState } from "../../../src/core/effect.ts";
import { defined } from "../scene.ts";
import { bo, spec, TaskScene } from "./task-scene.ts";

type Content = SetState["content"];

/** All state that has gone out, the newest of each place last. */
function written(scene: TaskScene, type: string, key = ""): readonly Content[] {
  return scene.gone.flatMap((effect) =>
    effect.kind === "state" && effect.type === type && effect.key === key ? [effect.content] : [],
  );
}

function working(): TaskScene {
  const scene = new TaskScene();
  scene.plan(spec("one"));
  scene.deliver();
  scene.act(bo, { kind: "submit", subtask: "one", summary: "done" });
  scene.deliver();
  return scene;
}

describe("what stands in the room and is older than what was written", () => {
  it.each([
    ["dev.crewroom.subtask", "one"],
    ["dev.crewroom.task", ""],
    ["m.room.topic", ""],
  ])("is written again: %s", (type, key) => {
    const scene = working();
    const before = written(scene, type, key);
    const now = defined(before.at(-1));
    const old = before.at(-2) ?? { topic: "of long ago" };
    scene.put({ kind: "overwritten", type, key, content: old });
    scene.deliver();
    const after = written(scene, type, key);
    expect(after).toHaveLength(before.length + 1);
    expect({ ...after.at(-1), version: 0 }).toEqual({ ...now, version: 0 });
  });

  it("is left alone when it says what it should, or when something newer is on its way", () => {
    const scene = working();
    for (const [type, key] of [
      ["dev.crewroom.subtask", "one"],
      ["dev.crewroom.task", ""],
      ["m.room.name", ""],
    ] as const)
      scene.put({ kind: "overwritten", type, key, content: defined(written(scene, type, key).at(-1)) });
    scene.put({
      kind: "overwritten",
      type: "m.room.topic",
      key: "",
      content: { ...defined(written(scene, "m.room.topic").at(-1)), "m.topic": {} },
    });
    scene.put({ kind: "overwritten", type: "dev.crewroom.subtask", key: "none", content: {} });
    scene.put({ kind: "overwritten", type: "dev.crewroom.else", key: "", content: {} });
    expect(scene.record.outbox.filter(({ kind }) => kind === "state")).toEqual([]);

    const next = new TaskScene();
    next.plan(spec("one"));
    next.deliver();
    const old = defined(written(next, "dev.crewroom.subtask", "one").at(-1));
    next.act(bo, { kind: "submit", subtask: "one", summary: "done" });
    const waiting = next.record.outbox.filter(({ kind }) => kind === "state");
    next.put({ kind: "overwritten", type: "dev.crewroom.subtask", key: "one", content: old });
    expect(next.record.outbox.filter(({ kind }) => kind === "state")).toEqual(waiting);
  });
});

import { describe, expect, it } from "vitest";
import type { Say } from "../../../src/core/effect.ts";
import { boss } from "../scene.ts";
import { bo, cy, planner, rae, rob, spec, TaskScene } from "./task-scene.ts";

describe("the course of a task", () => {
  it("goes from the plan over work, rejection, rework and approval to a person's last word", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    expect(scene.turnOf(planner).messages.at(-1)?.text).toContain("A parser");
    expect(scene.plan(spec("spec"), spec("code", { depends_on: ["spec"] }))).toContain("in force");
    expect(scene.taskState).toBe("active");
    expect(scene.subtask("spec")).toMatchObject({ state: "working", epoch: 1, lease: { agent: bo.id } });
    expect(scene.subtask("code").state).toBe("waiting");

    expect(scene.submit(bo, "spec")).toContain("Handed in");
    expect(scene.subtask("spec")).toMatchObject({ state: "review", reviewLease: { agent: rae.id } });
    expect(scene.turnOf(rae).messages.at(-1)?.text).toContain("spec is there");
    expect(scene.review(rae, "spec", "reject", ["line 3 is wrong"])).toContain("Rejected");
    expect(scene.subtask("spec")).toMatchObject({ state: "working", rework: 1 });
    expect(scene.turnOf(bo).messages.at(-1)?.text).toContain("line 3 is wrong");
    scene.submit(bo, "spec", "mended");
    expect(scene.review(rae, "spec", "approve")).toContain("Approved");
    expect(scene.subtask("spec").state).toBe("done");
    expect(scene.turnOf(bo).messages.at(-1)?.text).toContain("mended");
    scene.submit(bo, "code");
    scene.review(rae, "code", "approve");

    expect(scene.taskState).toBe("approval");
    expect(scene.record.state.asks?.map(({ matter }) => matter.kind)).toEqual(["final"]);
    scene.react("a1", "✅");
    expect(scene.taskState).toBe("done");
    expect(scene.task.finished?.by).toBe(boss);
    expect(scene.record.state.asks).toEqual([]);
  });

  it("shows the state in the room: state events, thread, name and topic", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.act(planner, { kind: "plan", subtasks: [spec("spec")] });
    const root = scene.says.find(({ action }) => action?.["kind"] === "subtask");
    expect(root?.text).toContain("The spec");
    scene.deliver();
    expect(scene.task.shown["subtask/spec"]).toBeDefined();
    scene.act(bo, { kind: "submit", subtask: "spec", summary: "here" });
    const state = scene.due("state").find(({ type }) => type === "dev.crewroom.subtask");
    expect(state).toMatchObject({ key: "spec", content: { state: "review", holder: bo.user, rework: 0 } });
    expect(state?.content["review"]).toMatchObject({ reviewer: rae.user });
    const edit = scene.says.find((say: Say) => say.replaces !== undefined);
    expect(edit?.text).toContain("Rae reviews it");
  });

  it("shows who of the crew takes part, and who was removed", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    const shown = (): unknown => scene.due("state").find(({ key }) => key === bo.user.slice(1))?.content;
    expect(scene.task.shown["agent/bo"]).toBeDefined();
    scene.put({
      kind: "member",
      event: scene.fresh("kick"),
      sender: boss,
      ts: scene.now,
      user: bo.user,
      membership: "leave",
      direct: false,
    });
    expect(shown()).toMatchObject({ roles: ["executor"], runtime: "builtin", state: "removed" });
  });

  it("works in the thread of each subtask, side by side, each agent on one at a time", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"), spec("two"), spec("three"));
    const holders = ["one", "two", "three"].map((id) => scene.subtask(id).lease?.agent);
    expect(holders).toEqual([bo.id, cy.id, undefined]);
    const first = scene.subtask("one");
    expect(scene.turnOf(bo).thread).toBe(first.thread);
    scene.submit(bo, "one");
    expect(scene.subtask("three")).toMatchObject({ state: "working", lease: { agent: bo.id } });
  });

  it("sends few events on the straight path", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.act(planner, { kind: "plan", subtasks: [spec("one"), spec("two", { depends_on: ["one"] })] });
    scene.end(planner);
    let events = 0;
    const deliver = (): void => {
      for (;;) {
        const due = scene.record.outbox.filter(({ kind }) => kind !== "turn");
        if (due.length === 0) return;
        for (const { id, kind } of due) {
          // What replaced it while the others were done is not sent.
          if (!scene.record.outbox.some((effect) => effect.id === id)) continue;
          if (kind === "say" || kind === "state" || kind === "react") events++;
          scene.put({ kind: "done", effect: id, ...(kind === "say" ? { event: scene.fresh("sent") } : {}) });
        }
      }
    };
    deliver();
    for (const id of ["one", "two"]) {
      scene.act(bo, { kind: "submit", subtask: id, summary: "done" });
      scene.end(bo, "I have handed it in.");
      deliver();
      scene.act(rae, { kind: "review", subtask: id, verdict: "approve", score: 5, issues: [], comment: "Good." });
      scene.end(rae, "That was a pleasure.");
      deliver();
    }
    expect(scene.taskState).toBe("approval");
    expect(events / 2).toBeLessThanOrEqual(14 + 5); // 5: the plan, the final question with its reactions, the pinned message, over two
  });
});

describe("claims and ownership", () => {
  it("lets nobody hold what another holds, and tells who does", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"), spec("two"));
    expect(scene.act(cy, { kind: "claim", subtask: "one" })).toMatch(/leased to bo/);
    expect(scene.act(cy, { kind: "submit", subtask: "one", summary: "mine!" })).toMatch(/leased to bo, not to you/);
    expect(scene.task.notes.at(-1)?.text).toContain("mine!");
    expect(scene.act(bo, { kind: "claim", subtask: "one" })).toMatch(/Yours already/);
    expect(scene.act(bo, { kind: "claim", subtask: "nine" })).toMatch(/no subtask `nine`.*one \(working\)/);
  });

  it("never lets an agent review its own work, or review for another reviewer", () => {
    const both = { ...bo, roles: ["executor", "reviewer"] };
    const scene = new TaskScene({ crew: [planner, both, rae, rob] });
    scene.plan(spec("one"), spec("two"));
    const turn = scene.turnOf(both);
    expect(scene.act(both, { kind: "submit", subtask: "one", summary: "x" })).toContain("Handed in");
    const own = { kind: "review", subtask: "one", verdict: "approve", score: 5, issues: [], comment: "" } as const;
    expect(scene.actIn(turn, own)).toMatch(/worked on `one` yourself/);
    const lease = scene.subtask("one").reviewLease;
    expect(lease?.agent).toBe(rae.id);
    expect(scene.subtask("one").reviews).toEqual([]);
  });

  it("holds score and verdict to each other, and wants issues with a rejection", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    scene.submit(bo, "one");
    const judge = (verdict: "approve" | "reject", score: number, issues: readonly string[]): string =>
      scene.act(rae, { kind: "review", subtask: "one", verdict, score, issues, comment: "" });
    expect(judge("approve", 2, [])).toMatch(/3 to 5/);
    expect(judge("reject", 5, ["x"])).toMatch(/1 or 2/);
    expect(judge("reject", 1, [" "])).toMatch(/needs issues/);
    expect(judge("approve", 3.5, [])).toMatch(/whole number/);
    expect(judge("approve", 5, [])).toMatch(/Approved/);
    expect(judge("approve", 5, [])).toMatch(/Not done/);
    expect(scene.subtask("one").reviews).toHaveLength(1);
  });

  it("refuses an action on an old version, and an old epoch", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    const { version } = scene.subtask("one");
    expect(scene.act(bo, { kind: "submit", subtask: "one", summary: "x" }, version - 1)).toMatch(/you saw version/);
    const old = scene.turnOf(bo);
    scene.now += 11 * 60_000;
    scene.put({ kind: "tick" });
    expect(scene.subtask("one")).toMatchObject({ epoch: 2, state: "working" });
    expect(scene.actIn(old, { kind: "submit", subtask: "one", summary: "late" })).toMatch(/turn is over/);
    expect(scene.task.notes.at(-1)?.text).toContain("late");
    expect(scene.submit(bo, "one", "in time")).toContain("Handed in");
  });

  it("does the same call once, also when a turn is repeated after a crash", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    const turn = scene.turnOf(bo);
    const action = { kind: "submit", subtask: "one", summary: "x" } as const;
    const first = scene.actIn(turn, action, undefined, "the call");
    expect(scene.actIn(turn, action, undefined, "the call")).toBe(first);
    expect(scene.says.filter(({ text }) => text.includes("Handed in"))).toHaveLength(1);
  });
});

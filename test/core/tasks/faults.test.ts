import { describe, expect, it } from "vitest";
import { asRoomId, type EffectId } from "../../../src/core/ids.ts";
import type { CrewroomState } from "../../../src/core/input.ts";
import { subtasksOf } from "../../../src/core/tasks/derive.ts";
import { emptyRoom } from "../../../src/core/room.ts";
import { nextDeadline } from "../../../src/core/tasks/deadlines.ts";
import { anna, boss, bot, room, Scene, world } from "../scene.ts";
import { bo, cy, planner, rae, rob, spec, TaskScene, watch } from "./task-scene.ts";

function remove(scene: TaskScene, agent: typeof bo, membership: "leave" | "ban"): void {
  scene.put({
    kind: "member",
    event: scene.fresh("kick"),
    sender: boss,
    ts: scene.now,
    user: agent.user,
    membership,
    direct: false,
  });
  scene.deliver();
}

describe("plans that cannot be carried out", () => {
  it.each([
    [
      "a cycle",
      [spec("one", { depends_on: ["two"] }), spec("two", { depends_on: ["one"] })],
      /wait for each other: `one` → `two` → `one`/,
    ],
    ["an unknown id", [spec("one", { depends_on: ["nine"] })], /depends on `nine`, which is not in the plan/],
    ["itself", [spec("one", { depends_on: ["one"] })], /depends on itself/],
    ["no acceptance", [spec("one", { acceptance: [" "] })], /`one` has no acceptance criteria/],
    ["no deliverable", [spec("one", { deliverable: "" })], /has no deliverable/],
    ["a double id", [spec("one"), spec("one")], /more than once/],
    ["a bad id", [spec("One thing")], /is no id/],
    [
      "an unknown capability",
      [spec("one", { capability: "rust" })],
      /“rust”, which no executor has. Known: executor, python/,
    ],
    ["too many subtasks", Array.from({ length: 200 }, (_, n) => spec(`s${n}`)), /200 subtasks; at most 50/],
    ["none at all", [], /at least one subtask/],
  ])("are refused with the reason: %s", (_what, subtasks, why) => {
    const scene = new TaskScene();
    expect(scene.act(planner, { kind: "plan", subtasks })).toMatch(why);
    expect(scene.taskState).toBe("planning");
    expect(scene.task.subtasks).toEqual({});
  });

  it("end with a person after three, who lets the planner try again", () => {
    const scene = new TaskScene();
    for (let n = 0; n < 3; n++) scene.act(planner, { kind: "plan", subtasks: [] });
    scene.end(planner);
    scene.deliver();
    expect(scene.record.state.asks).toMatchObject([{ matter: { kind: "planner" } }]);
    expect(scene.isBusy(planner)).toBe(false);
    scene.react("a1", "🔁");
    expect(scene.isBusy(planner)).toBe(true);
    expect(scene.plan(spec("one"))).toContain("in force");
  });

  it("that never come end with a person as well", () => {
    const scene = new TaskScene();
    for (let n = 0; n < 3; n++) scene.end(planner, "I think about it.");
    scene.deliver();
    expect(scene.isBusy(planner)).toBe(false);
    scene.react("a1", "🗑️");
    expect(scene.taskState).toBe("cancelled");
  });
});

describe("agents that fail", () => {
  it("a worker that is silent loses its lease to another, under a higher epoch", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    const old = scene.turnOf(bo);
    const decision = scene.later(11);
    expect(decision.fleeting).toContainEqual({ kind: "abort", turn: old.turn });
    expect(scene.subtask("one")).toMatchObject({ state: "working", epoch: 2, lease: { agent: cy.id } });
    expect(scene.subtask("one").scores).toMatchObject([{ agent: bo.id, reason: "lease_expired" }]);
    expect(scene.task.patrol).toMatchObject([{ kind: "expired", agent: bo.id }]);
    expect(scene.actIn(old, { kind: "submit", subtask: "one", summary: "late" })).toContain("over");
  });

  it("a worker that shows life keeps its lease", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    const { session, turn } = scene.turnOf(bo);
    for (let n = 0; n < 5; n++) {
      scene.now += 9 * 60_000;
      scene.put({ kind: "alive", session, turn });
      scene.put({ kind: "tick" });
    }
    expect(scene.subtask("one")).toMatchObject({ epoch: 1, lease: { agent: bo.id } });
  });

  it("after three leases without a result a person is asked, and can have it tried again", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    for (let n = 0; n < 3; n++) scene.later(11);
    expect(scene.subtask("one")).toMatchObject({ state: "blocked", tries: 3 });
    const asked = scene.record.state.asks?.find(({ matter }) => matter.kind === "subtask");
    scene.react(asked?.id ?? "", "🔁");
    expect(scene.subtask("one")).toMatchObject({ state: "working", tries: 0, epoch: 4 });
  });

  it("a turn that ends without a result is followed by a reminder, and the third by another agent", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    scene.end(bo, "I had a look.");
    expect(scene.turnOf(bo).messages.at(-1)?.text).toContain("still yours");
    scene.end(bo, "I had another look.");
    scene.end(bo, "Hm.");
    scene.deliver();
    expect(scene.subtask("one").lease?.agent).toBe(cy.id);
    expect(scene.task.patrol.at(-1)?.kind).toBe("no_result");
  });

  it("the same answer again and again is noticed", () => {
    const scene = new TaskScene({ patrol: { identical_answers: 2 } });
    scene.plan(spec("one"));
    scene.end(bo, "I am on it.");
    scene.end(bo, "I am on it.");
    expect(scene.task.patrol.at(-1)).toMatchObject({ kind: "identical", agent: bo.id });
  });

  it("a failed turn is tried again later, not at once", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    scene.end(bo, "", "failed");
    expect(scene.isBusy(bo)).toBe(false);
    expect(nextDeadline(scene.record.state, scene.world)).toBe(scene.now + 30_000);
    scene.later(0.5);
    expect(scene.isBusy(bo)).toBe(true);
  });

  it("a silent reviewer is replaced, and after three a person judges", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    scene.submit(bo, "one");
    expect(scene.subtask("one").reviewLease?.agent).toBe(rae.id);
    scene.later(11);
    expect(scene.subtask("one").reviewLease?.agent).toBe(rob.id);
    scene.later(11);
    scene.later(11);
    const asked = scene.record.state.asks?.find(({ matter }) => matter.kind === "subtask");
    expect(asked?.text).toContain("needs your review");
    scene.react(asked?.id ?? "", "✅");
    expect(scene.subtask("one").state).toBe("done");
  });

  it("without any reviewer a person judges, and says what to mend", () => {
    const scene = new TaskScene({ crew: [planner, bo] });
    scene.plan(spec("one"));
    scene.submit(bo, "one");
    const event = scene.askEvent("a1");
    scene.say("deny the tests are missing", { sender: boss, ...(event === undefined ? {} : { replyTo: event }) });
    scene.deliver();
    expect(scene.subtask("one")).toMatchObject({ state: "working", rework: 1 });
    expect(scene.turnOf(bo).messages.at(-1)?.text).toContain("the tests are missing");
  });

  it("a worker and a planner that hand work back and forth end with a person", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    for (let n = 0; n < 3; n++) {
      expect(scene.act(bo, { kind: "block", subtask: "one", reason: "no key" })).toContain("planner is told");
      scene.end(bo);
      scene.act(planner, { kind: "assign", subtask: "one", agent: bo.id });
      scene.end(planner);
      scene.deliver();
    }
    expect(scene.isBusy(bo)).toBe(false);
    expect(scene.record.state.asks).toMatchObject([{ matter: { kind: "subtask", subtask: "one" } }]);
    expect(scene.act(planner, { kind: "assign", subtask: "one", agent: bo.id })).toContain("a person is asked");
  });

  it("one that a person stops is not prompted again until they say so", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    scene.say("!crew stop bo", { sender: boss });
    const { session, turn } = scene.turnOf(bo);
    scene.put({ kind: "turnEnded", session, turn, outcome: { kind: "cancelled", text: "" } });
    scene.deliver();
    expect(scene.subtask("one").state).toBe("blocked");
    expect(scene.isBusy(bo)).toBe(false);
    scene.command("unblock one");
    expect(scene.subtask("one")).toMatchObject({ state: "working", lease: { agent: bo.id } });
  });
});

describe("agents that are removed", () => {
  it("leave their work to others, and come back only when a person wants it", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    remove(scene, bo, "leave");
    expect(scene.subtask("one")).toMatchObject({ state: "working", lease: { agent: cy.id }, epoch: 2 });
    remove(scene, cy, "ban");
    expect(scene.subtask("one")).toMatchObject({ state: "ready" });
    expect(scene.record.state.asks?.at(-1)?.text).toContain("Nobody of the crew can do");
    expect(scene.due("invite")).toEqual([]);
    scene.say("!crew assign one bo", { sender: boss });
    expect(scene.due("invite")).toMatchObject([{ user: bo.user }]);
  });

  it("from the config while they hold a lease, too", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    const less = new TaskScene({ crew: [planner, cy, rae, rob, watch] });
    less.record = scene.record;
    less.now = scene.now;
    less.later(1);
    expect(less.subtask("one")).toMatchObject({ state: "working", lease: { agent: cy.id }, epoch: 2 });
  });

  it("as the planner: another one plans, or a person hears that none is there", () => {
    const scene = new TaskScene();
    remove(scene, planner, "leave");
    expect(scene.task.planner).toBeUndefined();
    expect(scene.record.state.asks?.at(-1)?.text).toContain("Nobody plans this task");
  });
});

describe("people", () => {
  it("approve a plan, or deny it with words that reach the planner", () => {
    const scene = new TaskScene({ policy: { plan_approval: "always" } });
    expect(scene.plan(spec("one"))).toContain("waits for a person");
    expect(scene.task.subtasks).toEqual({});
    const event = scene.askEvent("a1");
    scene.say("deny please add docs", { sender: boss, ...(event === undefined ? {} : { replyTo: event }) });
    scene.deliver();
    expect(scene.turnOf(planner).messages.at(-1)?.text).toContain("please add docs");
    scene.plan(spec("one"), spec("docs"));
    scene.react("a2", "✅");
    expect(Object.keys(scene.task.subtasks)).toEqual(["one", "docs"]);
  });

  it("add a requirement in the middle of the work, which changes the plan", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    scene.say("It must also read TSV.", { sender: boss });
    expect(scene.turnOf(planner).messages.at(-1)?.text).toContain("TSV");
    const revise = {
      kind: "revise",
      subtasks: [spec("tsv", { depends_on: ["one"] })],
      reason: "TSV is wanted",
    } as const;
    expect(scene.act(planner, revise)).toContain("in force");
    scene.deliver();
    expect(scene.subtask("tsv").state).toBe("waiting");
    expect(scene.subtask("one").state).toBe("working");
  });

  it("who may not steer are heard by nobody but those they address", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    scene.say("What is this?", { sender: anna });
    expect(scene.isBusy(planner)).toBe(false);
    scene.say("Pia, what is this?", { sender: anna, mentions: [planner.user] });
    expect(scene.isBusy(planner)).toBe(true);
  });

  it("talk in a subtask's thread to who works on it", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    const { thread } = scene.subtask("one");
    if (thread === undefined) throw new Error("no thread");
    scene.say("Mind the quotes.", { sender: anna, thread });
    expect(scene.record.state.sessions[`bo ${thread}`]?.queue.at(-1)?.text).toBe("Mind the quotes.");
  });

  it("do not approve the result: the planner adds what is missing, or they are asked again", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    scene.submit(bo, "one");
    scene.review(rae, "one", "approve");
    scene.say("!crew deny no license", { sender: boss });
    scene.deliver();
    expect(scene.turnOf(planner).messages.at(-1)?.text).toContain("no license");
    expect(scene.record.state.asks).toEqual([]);
    scene.end(planner, "I see nothing to add.");
    scene.deliver();
    expect(scene.record.state.asks).toMatchObject([{ matter: { kind: "final" } }]);
    scene.say("!crew deny no license, really", { sender: boss });
    scene.act(planner, { kind: "revise", subtasks: [spec("license")], reason: "asked for" });
    scene.end(planner);
    scene.deliver();
    expect(scene.taskState).toBe("active");
    scene.submit(bo, "license");
    scene.review(rae, "license", "approve");
    scene.command("approve");
    expect(scene.taskState).toBe("done");
  });

  it("decide after too many rejections", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], policy: { max_rework: 2 } });
    scene.plan(spec("one"));
    for (let n = 0; n < 2; n++) {
      scene.submit(bo, "one", `try ${n}`);
      scene.review(rae, "one", "reject", ["no"]);
    }
    expect(scene.isBusy(bo)).toBe(false);
    const asked = scene.record.state.asks?.at(-1);
    expect(asked?.text).toContain("rejected 2 times");
    scene.react(asked?.id ?? "", "✅");
    expect(scene.subtask("one").state).toBe("done");
    expect(scene.subtask("one").reviews.at(-1)?.reviewer).toBe(boss);
    expect(scene.subtask("one").scores.map(({ reason }) => reason)).toContain("review_overturned");
  });

  it("who leave alone in the room are told of in HQ", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    scene.put({
      kind: "member",
      event: scene.fresh("left"),
      sender: boss,
      ts: scene.now,
      user: boss,
      membership: "leave",
      direct: false,
    });
    expect(scene.due("announce").at(-1)?.text).toContain("nobody who may steer the task is there");
    expect(scene.taskState).toBe("active");
  });

  it("pause, resume, and cancel", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    const turn = scene.turnOf(bo);
    scene.command("pause lunch");
    expect(scene.taskState).toBe("paused");
    expect(scene.turns).toEqual([]);
    expect(scene.actIn(turn, { kind: "submit", subtask: "one", summary: "x" })).toContain("Not done");
    expect(nextDeadline(scene.record.state, scene.world)).toBeUndefined();
    scene.command("resume");
    expect(scene.subtask("one")).toMatchObject({ state: "working", epoch: 2 });
    scene.command("cancel no longer needed");
    expect(scene.taskState).toBe("cancelled");
    expect(scene.turns).toEqual([]);
  });

  it("who do not answer in time find the task resting, and are asked again when it goes on", () => {
    const scene = new TaskScene({ policy: { plan_approval: "always" } });
    scene.plan(spec("one"));
    scene.later(25 * 60);
    expect(scene.task.paused).toContain("nobody answered");
    scene.command("resume");
    expect(scene.isBusy(planner)).toBe(true);
  });

  it("turn a review around, which costs the reviewer", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"), spec("two"));
    scene.submit(bo, "one");
    scene.review(rae, "one", "approve");
    scene.command("overturn one reject it does not work");
    expect(scene.subtask("one").state).toBe("ready");
    expect(scene.subtask("one").scores.at(-1)).toMatchObject({ agent: rae.id, reason: "review_overturned" });
  });
});

describe("questions of agents", () => {
  it("wait without a turn, keep the lease, and wake the agent with the answer", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    scene.act(bo, { kind: "ask", question: "Which quote?", options: ["single", "double"] });
    scene.end(bo);
    scene.deliver();
    expect(scene.isBusy(bo)).toBe(false);
    scene.later(11);
    expect(scene.subtask("one").lease).toMatchObject({ agent: bo.id, epoch: 1 });
    scene.react("a1", "2️⃣");
    expect(scene.turnOf(bo).messages.at(-1)?.text).toContain("double");
  });
});

describe("questions that nobody needs an answer to any more", () => {
  it.each([
    ["the task is cancelled", (scene: TaskScene) => scene.command("cancel")],
    ["the agent is removed", (scene: TaskScene) => remove(scene, bo, "leave")],
  ])("are withdrawn: %s", (_when, happens) => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    scene.act(bo, { kind: "ask", question: "Which quote?", options: [] });
    scene.end(bo);
    scene.deliver();
    happens(scene);
    expect(scene.record.state.asks).toEqual([]);
    expect(scene.isBusy(bo)).toBe(false);
  });
});

describe("the patrol", () => {
  it("calls no model while nothing happens", () => {
    const scene = new TaskScene({ policy: { plan_approval: "always" } });
    scene.plan(spec("one"));
    for (let minute = 0; minute < 60; minute++) scene.later(1);
    expect(scene.turns).toEqual([]);
    expect(scene.record.outbox).toEqual([]);
    const quiet = scene.record;
    scene.later(1);
    expect(scene.record).toEqual(quiet);
  });

  it("tells of 80 % of the budget, and pauses at 100 %", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], budgets: { task: { tokens: 1_000 } } });
    scene.plan(spec("one"));
    const { session, turn } = scene.turnOf(bo);
    scene.put({
      kind: "turnEnded",
      session,
      turn,
      usage: [{ model: "default", inputTokens: 800, outputTokens: 50 }],
      outcome: { kind: "answered", text: "a", spoke: false },
    });
    expect(scene.says.find(({ text }) => text.includes("850 of 1 000 tokens"))).toBeDefined();
    expect(scene.task.patrol.at(-1)).toMatchObject({ kind: "budget", severity: "warning" });
    const next = scene.turnOf(bo);
    scene.put({
      kind: "turnEnded",
      session,
      turn: next.turn,
      usage: [{ model: "default", inputTokens: 150, outputTokens: 50 }],
      outcome: { kind: "answered", text: "b", spoke: false },
    });
    scene.deliver();
    expect(scene.taskState).toBe("paused");
    expect(scene.turns).toEqual([]);
    scene.react("a1", "✅");
    expect(scene.taskState).toBe("active");
    expect(scene.isBusy(bo)).toBe(true);
  });

  it("calls a patrol agent when half of the estimate is over, once, and its concern reaches a person", () => {
    const scene = new TaskScene();
    scene.plan(spec("one", { estimate_minutes: 10 }));
    scene.later(5);
    expect(scene.turnOf(watch).messages.at(-1)?.text).toContain("acceptance criteria");
    scene.act(watch, { kind: "concern", subtask: "one", severity: "critical", note: "it builds a YAML parser" });
    scene.end(watch);
    scene.deliver();
    expect(scene.record.state.asks?.at(-1)?.text).toContain("YAML parser");
    scene.later(1);
    expect(scene.isBusy(watch)).toBe(false);
  });

  it("blames nobody for the time in which the bridge was down", () => {
    const scene = new TaskScene();
    scene.plan(spec("one"));
    scene.now += 60 * 60_000;
    scene.put({ kind: "recovered" });
    scene.put({ kind: "tick" });
    expect(scene.subtask("one")).toMatchObject({ epoch: 1, lease: { agent: bo.id }, scores: [] });
  });

  it("tells HQ once of a task in which nothing happens", () => {
    const scene = new TaskScene({ policy: { dispatch: "claim" }, patrol: { unclaimed_minutes: 10_000 } });
    scene.plan(spec("one"));
    for (let hour = 0; hour < 5; hour++) scene.later(61);
    expect(scene.task.patrol.map(({ kind }) => kind)).toEqual(["silence"]);
  });

  it("tells when nobody is free for ready work", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], policy: { lease_seconds: 36_000 } });
    scene.plan(spec("one"), spec("two"));
    scene.later(11);
    expect(scene.task.patrol.at(-1)).toMatchObject({ kind: "unclaimed", subtask: "two" });
    const told = scene.task.patrol.length;
    scene.later(11);
    expect(scene.task.patrol).toHaveLength(told);
  });
});

describe("a lost store", () => {
  it("is rebuilt from the room's state, and the task goes on to its end", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    const written = new Map<string, CrewroomState>();
    const deliver = (): void => {
      for (;;) {
        const due = scene.record.outbox.filter(({ kind }) => kind !== "turn");
        if (due.length === 0) return;
        for (const effect of due) {
          if (effect.kind === "state") written.set(`${effect.type} ${effect.key}`, effect);
          scene.put({
            kind: "done",
            effect: effect.id,
            ...(effect.kind === "say" ? { event: scene.fresh("sent") } : {}),
          });
        }
      }
    };
    scene.act(planner, { kind: "plan", subtasks: [spec("one"), spec("two", { depends_on: ["one"] })] });
    deliver();
    scene.act(bo, { kind: "submit", subtask: "one", summary: "the first" });
    deliver();
    scene.act(rae, { kind: "review", subtask: "one", verdict: "approve", score: 5, issues: [], comment: "good" });
    deliver();
    const before = scene.task;

    const fresh = new TaskScene({ crew: [planner, bo, rae] });
    fresh.now = scene.now;
    fresh.record = { v: 1, state: new Scene().record.state, outbox: [], handled: [] };
    const crewroom = [...written.values()].filter(({ type }) => type.startsWith("dev.crewroom."));
    const users = [bot, planner.user, bo.user, rae.user];
    fresh.enter([boss], users, { power: { users: { [bot]: 100, [boss]: 100 } }, crewroom });
    fresh.deliver();
    expect(fresh.task).toMatchObject({ number: before.number, title: before.title, asker: boss, planned: true });
    expect(fresh.subtask("one")).toMatchObject({ state: "done", submission: { summary: "the first" } });
    expect(fresh.subtask("one").scores).toEqual(before.subtasks["one"]?.scores);
    expect(fresh.subtask("two")).toMatchObject({ state: "working", thread: before.subtasks["two"]?.thread });
    expect(fresh.subtask("two").epoch).toBeGreaterThan(before.subtasks["two"]?.epoch ?? 0);
    fresh.submit(bo, "two");
    fresh.review(rae, "two", "approve");
    fresh.command("approve a1");
    expect(fresh.taskState).toBe("approval");
    fresh.command("approve");
    expect(fresh.taskState).toBe("done");
    expect(subtasksOf(fresh.task)).toHaveLength(2);
    // Ids of questions are not those of before: somebody may still answer one of those.
    expect(fresh.record.state.asked).toBeGreaterThan(1_000);
  });
});

/** The room is upgraded, and all follow. */
function upgraded(scene: TaskScene): TaskScene {
  const replacement = asRoomId("!next:example.com:8448") ?? room;
  scene.put({ kind: "tombstone", event: scene.fresh("stone"), sender: boss, ts: scene.now, replacement });
  const [follow] = scene.due("follow");
  const next = new TaskScene({ crew: scene.crew });
  Object.assign(next.world, scene.world);
  next.now = scene.now;
  next.record = { v: 1, state: emptyRoom(replacement), outbox: [], handled: [] };
  const users = [bot, ...scene.crew.map(({ user }) => user)];
  const task = follow?.task;
  for (const who of users)
    next.put({
      kind: "joined",
      user: who,
      snapshot: {
        version: "12",
        creators: [boss],
        power: { users: { [bot]: 100 } },
        encrypted: false,
        members: [boss, ...users].map((one) => ({ user: one, membership: "join" as const })),
      },
      missed: [],
      attempts: 1,
      ...(task === undefined ? {} : { task }),
      asks: follow?.asks ?? [],
    });
  next.deliver();
  return next;
}

describe("an upgrade of the room", () => {
  it("asks again for a plan that changes one in force, and a yes puts it in force", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], policy: { plan_approval: { over: 1 } } });
    scene.plan(spec("one"));
    scene.say("add another", { sender: boss });
    scene.act(planner, { kind: "revise", subtasks: [spec("two"), spec("three")], reason: "There is more to do." });
    scene.end(planner);
    scene.deliver();
    const [before] = scene.record.state.asks ?? [];
    const next = upgraded(scene);
    expect(next.record.state.asks).toMatchObject([{ matter: { kind: "plan" }, text: before?.text }]);
    next.react("a1", "✅");
    expect(Object.keys(next.task.subtasks)).toEqual(["one", "two", "three"]);
  });

  it("asks again whether a task goes on whose budget is used up", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], budgets: { task: { tokens: 1_000 } } });
    scene.plan(spec("one"));
    scene.end(bo, "", "answered", 1_200);
    scene.deliver();
    expect(scene.record.state.asks).toMatchObject([{ matter: { kind: "budget" } }]);
    const next = upgraded(scene);
    expect(next.taskState).toBe("paused");
    expect(next.record.state.asks).toMatchObject([{ matter: { kind: "budget" } }]);
    next.react("a1", "✅");
    expect(next.taskState).toBe("active");
  });

  it("asks again how a subtask goes on, until the same time, and does not go on with it before", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], policy: { max_rework: 1 } });
    scene.plan(spec("one"));
    scene.submit(bo, "one");
    scene.review(rae, "one", "reject", ["It does not compile."]);
    const [before] = scene.record.state.asks ?? [];
    expect(before).toMatchObject({ matter: { kind: "subtask", why: "rework" } });
    scene.now += 3_600_000;
    const next = upgraded(scene);
    expect(next.record.state.asks).toMatchObject([{ matter: before?.matter, deadline: before?.deadline }]);
    expect(next.subtask("one").state).toBe("rework");
    next.react("a1", "✅");
    expect(next.subtask("one").state).toBe("done");
  });

  it("asks again whether what looks like a secret is recorded", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    const file = { path: ".env", why: "secret", detail: "a key", sha256: "ab" } as const;
    scene.put({ kind: "held", agent: bo.id, subtask: "one", files: [file] });
    scene.deliver();
    const next = upgraded(scene);
    expect(next.record.state.asks).toMatchObject([{ matter: { kind: "secret", path: ".env" } }]);
    next.react("a1", "✅");
    expect(next.task.files?.allowed).toEqual(["ab"]);
  });

  it("does not ask about the budget of a task that a person paused", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], budgets: { task: { tokens: 1_000 } } });
    scene.plan(spec("one"));
    const { session, turn } = scene.turnOf(bo);
    scene.command("pause");
    // A turn that was stopped tells late what it used.
    scene.put({ kind: "used", session, turn, usage: [{ model: "default", inputTokens: 1_200, outputTokens: 0 }] });
    expect(upgraded(scene).record.state.asks ?? []).toEqual([]);
  });

  it("takes the task along: it goes on in the next room, and asks again what it had asked", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"), spec("two"));
    scene.submit(bo, "one");
    scene.review(rae, "one", "approve");
    const replacement = asRoomId("!next:example.com:8448") ?? room;
    scene.put({ kind: "tombstone", event: scene.fresh("stone"), sender: boss, ts: scene.now, replacement });
    const [follow] = scene.due("follow");
    expect(follow?.task?.number).toBe(7);

    const next = new TaskScene({ crew: [planner, bo, rae] });
    next.record = { v: 1, state: emptyRoom(replacement), outbox: [], handled: [] };
    const members = [boss, bot, planner.user, bo.user, rae.user].map((who) => ({
      user: who,
      membership: "join" as const,
    }));
    const snapshot = {
      version: "11",
      creators: [],
      power: { users: { [bot]: 100, [boss]: 100 } },
      encrypted: false,
      members,
    };
    for (const who of [bot, planner.user, bo.user, rae.user]) {
      next.put({
        kind: "joined",
        user: who,
        snapshot,
        missed: [],
        attempts: 1,
        ...(follow?.task && { task: follow.task }),
      });
    }
    next.deliver();
    expect(next.subtask("one").state).toBe("done");
    expect(next.subtask("two")).toMatchObject({ state: "working", epoch: 2 });
    next.submit(bo, "two");
    next.review(rae, "two", "approve");
    next.command("approve");
    expect(next.taskState).toBe("done");

    scene.put({ kind: "done", effect: follow?.id ?? ("" as EffectId) });
    expect(scene.record.state.task).toBeUndefined();
  });
});

describe("a task that is asked for", () => {
  it("opens a room, and the asking room hears of it", () => {
    const scene = new Scene({}, { crew: new Map([planner, bo, rae].map((agent) => [agent.user, agent])) });
    scene.enter([boss], [bot]);
    scene.say("!crew new Build a CSV parser — with tests", { sender: boss });
    const [effect] = scene.due("openTask");
    expect(effect).toMatchObject({ title: "Build a CSV parser", brief: "with tests", asker: boss });
    if (effect === undefined) return;
    scene.put({ kind: "taskRoom", effect: effect.id, number: 3, room, alias: "#crewroom-task-3:example.com" });
    expect(scene.says.at(-1)?.text).toContain("Task #3 is open");
  });

  it("is refused to who may not, and where nobody plans", () => {
    const scene = new Scene();
    scene.enter([anna, boss], [bot]);
    scene.say("!crew new A thing", { sender: anna });
    expect(scene.due("openTask")).toEqual([]);
    scene.say("!crew new A thing", { sender: boss });
    expect(scene.says.at(-1)?.text).toContain("no agent of the crew has the role planner");
    expect(world().crew.size).toBe(2);
  });
});

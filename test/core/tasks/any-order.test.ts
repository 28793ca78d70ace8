/** Whatever agents and people do, in whatever order: nothing is held twice, nobody judges their own work, nothing is stuck. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RunTurn } from "../../../src/core/effect.ts";
import { branchOf } from "../../../src/core/files.ts";
import type { Action } from "../../../src/core/tasks/actions.ts";
import { isClosed, subtasksOf } from "../../../src/core/tasks/derive.ts";
import { nextDeadline } from "../../../src/core/tasks/deadlines.ts";
import { boss, bot } from "../scene.ts";
import { bo, cy, planner, rae, rob, spec, TaskScene, watch } from "./task-scene.ts";

const ids = ["one", "two", "three"] as const;
const crew = [planner, bo, cy, rae, rob, watch];

const anyId = fc.constantFrom(...ids, "nine");
const anyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: anyId.map((subtask): Action => ({ kind: "claim", subtask })) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(anyId, fc.nat(9))
      .map(([subtask, n]): Action => ({ kind: "submit", subtask, summary: `no. ${n}` })),
  },
  { weight: 2, arbitrary: anyId.map((subtask): Action => ({ kind: "block", subtask, reason: "no key" })) },
  { weight: 2, arbitrary: anyId.map((subtask): Action => ({ kind: "release", subtask })) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(anyId, fc.constantFrom("approve" as const, "reject" as const), fc.integer({ min: 0, max: 6 }))
      .map(([subtask, verdict, score]): Action => ({
        kind: "review",
        subtask,
        verdict,
        score,
        issues: ["a"],
        comment: "",
      })),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Action>({
      kind: "plan",
      subtasks: [spec("one"), spec("two", { depends_on: ["one"] }), spec("three")],
    }),
  },
  {
    weight: 1,
    arbitrary: anyId.map((id): Action => ({
      kind: "revise",
      subtasks: [{ ...spec(id), title: "changed" }],
      reason: "so",
    })),
  },
  {
    weight: 1,
    arbitrary: anyId.map((id): Action => ({ kind: "revise", subtasks: [{ id, cancel: true }], reason: "so" })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(anyId, fc.constantFrom(bo.id, cy.id, rae.id))
      .map(([subtask, agent]): Action => ({ kind: "assign", subtask, agent })),
  },
  {
    weight: 1,
    arbitrary: anyId.map((subtask): Action => ({ kind: "concern", subtask, severity: "critical", note: "hm" })),
  },
  { weight: 1, arbitrary: fc.constant<Action>({ kind: "ask", question: "which?", options: ["a", "b"] }) },
);

type Step =
  | { readonly do: "act"; readonly turn: number; readonly action: Action }
  | {
      readonly do: "end";
      readonly turn: number;
      readonly how: "answered" | "failed";
      readonly text: string;
      readonly tokens: number;
    }
  | { readonly do: "use"; readonly turn: number; readonly tokens: number }
  | { readonly do: "later"; readonly minutes: number }
  | { readonly do: "answer"; readonly ask: number; readonly option: number }
  | { readonly do: "kick"; readonly agent: number }
  | { readonly do: "back"; readonly agent: number }
  | { readonly do: "command"; readonly text: string };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant("act" as const), turn: fc.nat(7), action: anyAction }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      turn: fc.nat(7),
      how: fc.constantFrom("answered" as const, "failed" as const),
      text: fc.constantFrom("", "the same", "other"),
      tokens: fc.nat(400),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("use" as const), turn: fc.nat(7), tokens: fc.nat(900) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("later" as const), minutes: fc.constantFrom(1, 5, 11, 40) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("answer" as const), ask: fc.nat(3), option: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kick" as const), agent: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("back" as const), agent: fc.nat(5) }) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(
        "pause",
        "resume",
        "unblock one",
        "retry two",
        "assign three bo",
        "overturn one reject",
        "block two",
      )
      .map((text) => ({ do: "command" as const, text })),
  },
);

function membership(scene: TaskScene, agent: (typeof crew)[number], value: "leave" | "join"): void {
  scene.put({
    kind: "member",
    event: scene.fresh("member"),
    sender: value === "join" ? agent.user : boss,
    ts: scene.now,
    user: agent.user,
    membership: value,
    direct: false,
  });
  if (value === "join") scene.enter([boss], [agent.user], { power: { users: { [bot]: 100, [boss]: 100 } } });
  scene.deliver();
}

/** A person brings back who was removed. */
function comeIn(scene: TaskScene): void {
  for (const agent of crew)
    if (scene.record.state.seats[agent.user]?.place !== "joined") membership(scene, agent, "join");
}

/** Half of what is handed in has files; some of it does not go together with main. */
function withFiles(scene: TaskScene, { agent }: RunTurn, action: Action): Action {
  if (action.kind !== "submit" || !/[02468]$/.test(action.summary)) return action;
  if (scene.task.subtasks[action.subtask] === undefined) return action;
  return { ...action, commit: scene.commit(branchOf(action.subtask), agent).hash };
}

function someCollide(scene: TaskScene): void {
  let merges = 0;
  scene.filesAnswer = ({ job }) => {
    if (job.kind !== "merge") return { kind: "told", text: "" };
    merges += 1;
    return merges % 3 === 2
      ? { kind: "conflict", main: job.commit, conflicts: [{ path: "a.txt", kind: "content" }] }
      : { kind: "merged", commit: job.commit };
  };
}

function step(scene: TaskScene, one: Step): void {
  const { turns } = scene;
  switch (one.do) {
    case "act": {
      const turn = turns[one.turn % Math.max(1, turns.length)];
      if (turn !== undefined) scene.actIn(turn, withFiles(scene, turn, one.action));
      break;
    }
    case "end": {
      const turn = turns[one.turn % Math.max(1, turns.length)];
      const agent = crew.find(({ id }) => id === turn?.agent);
      if (agent !== undefined) scene.end(agent, one.text, one.how, one.tokens);
      break;
    }
    case "use": {
      const { session, turn } = turns[one.turn % Math.max(1, turns.length)] ?? {};
      const usage = [{ model: "default", inputTokens: one.tokens, outputTokens: 0 }];
      if (session !== undefined && turn !== undefined) scene.put({ kind: "used", session, turn, usage });
      break;
    }
    case "later":
      scene.later(one.minutes);
      break;
    case "answer": {
      const asks = scene.record.state.asks ?? [];
      const ask = asks[one.ask % Math.max(1, asks.length)];
      const option = ask?.options[one.option % Math.max(1, ask.options.length)];
      if (ask?.event !== undefined && option !== undefined) scene.react(ask.id, option.key);
      break;
    }
    case "kick":
    case "back": {
      const agent = crew[one.agent];
      if (agent !== undefined) membership(scene, agent, one.do === "kick" ? "leave" : "join");
      break;
    }
    case "command":
      scene.command(one.text);
  }
  scene.deliver();
}

/** Which rules are broken. */
function broken(scene: TaskScene, epochs: Map<string, number>): readonly string[] {
  const { task, asks = [] } = scene.record.state;
  if (task === undefined) return ["the task is gone"];
  const problems: string[] = [];
  const rule = (holds: boolean, text: string): void => {
    if (!holds) problems.push(text);
  };
  const held = new Map<string, number>();
  for (const subtask of subtasksOf(task)) {
    const { id, lease, reviewLease, state, epoch, reviews } = subtask;
    rule((lease !== undefined) === (state === "working"), `${id} is ${state}: a lease is there while it is worked on`);
    rule(reviewLease === undefined || state === "review", `${id} is ${state}: it is reviewed only in review`);
    rule(reviewLease === undefined || reviewLease.agent !== subtask.submission?.by, `${id} is reviewed by its worker`);
    for (const one of [lease, reviewLease]) if (one !== undefined) held.set(one.agent, (held.get(one.agent) ?? 0) + 1);
    rule(epoch >= (epochs.get(id) ?? 0), `${id}: its epoch went back`);
    epochs.set(id, epoch);
    const judged = reviews.filter(({ reviewer }) => !reviewer.startsWith("@")).map(({ submission }) => submission);
    rule(new Set(judged).size === judged.length, `${id}: the same submission was judged twice`);
    rule(state !== "done" || reviews.at(-1)?.verdict === "approve", `${id} is done without an approval`);
    rule(subtask.merging === undefined || state === "review", `${id} is ${state}, and is being merged`);
    rule(subtask.ask === undefined || asks.some((ask) => ask.id === subtask.ask), `${id}: its question is not open`);
  }
  for (const [agent, count] of held) rule(count <= 1, `${agent} holds ${count}`);
  const rests = isClosed(task) || task.paused !== undefined;
  // A turn has a time limit of its own.
  const waits = scene.turns.length > 0 || nextDeadline(scene.record.state, scene.world) !== undefined;
  rule(rests || waits, "nothing is waited for");
  return problems;
}

/** From here on everybody does what they should: the task must come to its end. */
function finish(scene: TaskScene): void {
  for (let round = 0; round < 400 && !isClosed(scene.task); round++) {
    comeIn(scene);
    if (scene.task.paused !== undefined) scene.command("resume");
    const ask = scene.record.state.asks?.[0];
    if (ask?.event !== undefined) {
      scene.react(
        ask.id,
        (ask.options.find(({ id }) => id === "approve" || id === "retry") ?? ask.options[0])?.key ?? "",
      );
      continue;
    }
    const turn = scene.turns[0];
    if (turn === undefined) scene.later(11);
    else behave(scene, turn);
  }
}

function behave(scene: TaskScene, turn: RunTurn): void {
  const agent = crew.find(({ id }) => id === turn.agent);
  if (agent === undefined) throw new Error("who is that?");
  const mine = subtasksOf(scene.task).find(({ lease, thread }) => lease?.agent === agent.id && thread === turn.thread);
  const judged = subtasksOf(scene.task).find(
    ({ reviewLease, thread }) => reviewLease?.agent === agent.id && thread === turn.thread,
  );
  if (agent === planner && !scene.task.planned && scene.task.proposal === undefined)
    scene.actIn(turn, { kind: "plan", subtasks: [spec("one")] });
  if (mine !== undefined) scene.actIn(turn, { kind: "submit", subtask: mine.id, summary: "well done" });
  if (judged !== undefined)
    scene.actIn(turn, { kind: "review", subtask: judged.id, verdict: "approve", score: 4, issues: [], comment: "" });
  if (scene.turns.some((one) => one.turn === turn.turn)) scene.end(agent, `${turn.turn} is over`);
  scene.deliver();
}

describe("a task, whatever happens", () => {
  it("holds its rules after every step, and can always be brought to an end", () => {
    fc.assert(
      fc.property(
        fc.array(anyStep, { maxLength: 60 }),
        fc.constantFrom<TaskScene["world"]["tasks"]["plan_approval"]>("always", "never", { over: 2 }),
        fc.constantFrom<Partial<TaskScene["world"]["budgets"]>>(
          {},
          { task: { tokens: 1_000 } },
          { agent_day: { tokens: 1_000 } },
          { task: { tokens: 2_000 }, day: { tokens: 1_500 } },
        ),
        (steps, approval, budgets) => {
          const scene = new TaskScene({ policy: { plan_approval: approval }, budgets });
          const epochs = new Map<string, number>();
          scene.act(planner, {
            kind: "plan",
            subtasks: [spec("one"), spec("two", { depends_on: ["one"] }), spec("three")],
          });
          scene.deliver();
          someCollide(scene);
          for (const one of steps) {
            step(scene, one);
            expect({ after: one, broken: broken(scene, epochs) }).toEqual({ after: one, broken: [] });
          }
          finish(scene);
          expect(broken(scene, epochs)).toEqual([]);
          const left = isClosed(scene.task) ? "" : JSON.stringify(scene.task.subtasks);
          expect(left, "what is stuck").toBe("");
        },
      ),
      { numRuns: 200 },
    );
  });
});

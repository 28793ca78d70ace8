import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Decision } from "../../src/core/decide.ts";
import { asRoomId, type EffectId, type RoomId } from "../../src/core/ids.ts";
import type { Input } from "../../src/core/input.ts";
import { emptyRoom } from "../../src/core/room.ts";
import { costOf, type ModelUsage, nothing, shareOf, spentOn, sumOf, usd, usedText } from "../../src/core/spent.ts";
import { nextDeadline } from "../../src/core/tasks/deadlines.ts";
import { rebuiltTask } from "../../src/core/tasks/rebuild.ts";
import type { World } from "../../src/core/world.ts";
import { RoomRoster } from "../../src/rooms/roster.ts";
import { readLimit } from "../../src/supervision/budget-commands.ts";
import { ada, anna, bo, boss, bot, defined, Scene, server, world } from "./scene.ts";
import { bo as worker, cy, planner, rae, spec, TaskScene, type TaskSceneOptions } from "./tasks/task-scene.ts";

const used = (inputTokens: number, outputTokens = 0, model = "default"): ModelUsage => ({
  model,
  inputTokens,
  outputTokens,
});
const price = { input: 250_000, output: 2_000_000, cached: 25_000 };

describe("what a call costs", () => {
  test("is exact in millionths of a dollar, rounded up, with the cache's own price", () => {
    expect(costOf({ default: price }, used(1_000_000, 1_000_000))).toBe(2_250_000);
    expect(costOf({ default: price }, used(1))).toBe(1);
    expect(costOf({ default: price }, { ...used(1_000), cachedTokens: 900 })).toBe(48);
    expect(costOf({ default: { input: 250_000, output: 0 } }, { ...used(1_000), cachedTokens: 900 })).toBe(250);
    expect(costOf({ default: { input: 0, output: 0 } }, used(5))).toBe(0);
  });

  test("is unknown for a model without a price, and that is said", () => {
    expect(costOf({ default: price }, used(5, 5, "other"))).toBeUndefined();
    expect(costOf({}, used(5, 5, "constructor"))).toBeUndefined();
    const spent = spentOn({ default: price }, [used(400, 100), { ...used(7, 0, "other"), estimated: true }]);
    expect(spent).toEqual({ tokens: 507, microusd: 300, unpriced: 7, estimated: 7 });
    expect(usedText(spent, { microusd: 1_000_000 })).toBe(
      "$0.0003 of $1.00 (without 7 tokens of models that have no price)",
    );
  });

  test("reads like money", () => {
    expect([0, 1, 10_000, 1_250_000, 1_234_567_890].map(usd)).toEqual([
      "$0.00",
      "$0.000001",
      "$0.01",
      "$1.25",
      "$1 234.56789",
    ]);
  });
});

function taskWith(
  task: World["budgets"]["task"],
  more: Partial<World["budgets"]> = {},
  crew?: TaskSceneOptions["crew"],
) {
  const scene = new TaskScene({ crew: crew ?? [planner, worker, rae], budgets: { task, ...more } });
  scene.plan(spec("one"), spec("two"));
  return scene;
}

const budgetAudits = (scene: Scene): readonly string[] =>
  (scene.record.audit?.entries ?? []).filter(({ kind }) => kind === "budget").map(({ what }) => what);

describe("a task's budget", () => {
  test("is told at 80 %, once, and at 100 % the task pauses and asks", () => {
    const scene = taskWith({ tokens: 1_000 });
    scene.end(worker, "a", "answered", 850);
    const notes = () => scene.gone.filter((effect) => effect.kind === "say" && effect.text.includes("850 of 1 000"));
    scene.deliver();
    scene.end(worker, "b", "answered", 1);
    scene.deliver();
    expect(notes()).toHaveLength(1);
    scene.end(worker, "c", "answered", 200);
    scene.deliver();
    expect(scene.taskState).toBe("paused");
    expect(scene.turns).toEqual([]);
    expect(scene.record.state.asks).toMatchObject([{ matter: { kind: "budget" } }]);
    expect(budgetAudits(scene)).toEqual(["note", "pause"]);
    expect(scene.task.spent).toEqual({ [worker.id]: { tokens: 1_051, microusd: 0, unpriced: 1_051, estimated: 0 } });
  });

  test("of money holds as that of tokens does", () => {
    const scene = taskWith({ microusd: 1_000 }, { prices: { default: price } });
    scene.end(worker, "a", "answered", 4_100);
    scene.deliver();
    expect(scene.taskState).toBe("paused");
    expect(scene.record.state.asks?.[0]?.text).toContain("$0.001025 of $0.001 are used (102 %)");
  });

  test("lets turns that run hand in what they were paid for, and pauses after them", () => {
    const scene = taskWith({ tokens: 1_000 }, {}, [planner, worker, cy, rae]);
    expect([worker, cy].map((agent) => scene.isBusy(agent))).toEqual([true, true]);
    scene.end(worker, "a", "answered", 1_100);
    scene.deliver();
    expect(scene.taskState).toBe("active");
    expect(scene.isBusy(worker)).toBe(false);
    expect(scene.gone.some((effect) => effect.kind === "say" && effect.text.includes("pauses when the turns"))).toBe(
      true,
    );
    const { subtask } = defined(scene.turnOf(cy).messages[0]?.work);
    expect(scene.act(cy, { kind: "submit", subtask, summary: "done" })).toMatch(/^Handed in/);
    scene.end(cy, "", "answered", 10);
    scene.deliver();
    expect(scene.taskState).toBe("paused");
    expect(scene.subtask(subtask).submission?.summary).toBe("done");
  });

  test("that is exceeded by half stops what runs, like 🛑, and says why", () => {
    const scene = taskWith({ tokens: 1_000 }, {}, [planner, worker, cy, rae]);
    const { session, turn } = scene.turnOf(cy);
    const usage = [used(1_400)];
    expect(scene.put({ kind: "used", session, turn, usage }).fleeting).toEqual([]);
    const { fleeting } = scene.put({ kind: "used", session, turn, usage: [used(200)] });
    expect(fleeting.filter(({ kind }) => kind === "abort")).toHaveLength(2);
    for (const agent of [worker, cy]) {
      const running = scene.turnOf(agent);
      scene.put({
        kind: "turnEnded",
        session: running.session,
        turn: running.turn,
        outcome: { kind: "cancelled", text: "half of" },
      });
    }
    expect(
      scene.says.filter(({ text }) => /half of\n\n⏹ Stopped: .*more than half above the limit/.test(text)),
    ).toHaveLength(2);
    scene.deliver();
    expect(scene.taskState).toBe("paused");
    expect(Object.values(scene.task.subtasks).map(({ state, tries }) => [state, tries])).toEqual([
      ["ready", 0],
      ["ready", 0],
    ]);
    expect(budgetAudits(scene)).toEqual(["note", "stop", "stop", "pause"]);
  });

  test("grows by as much again when a person lets it go on, each time", () => {
    const scene = taskWith({ tokens: 1_000 });
    for (const [ask, total] of [
      ["a1", 1_000],
      ["a2", 2_000],
    ] as const) {
      scene.end(worker, ask, "answered", 1_000);
      scene.deliver();
      expect(scene.record.state.asks?.[0]?.text).toContain(
        `of ${usedText({ ...nothing, tokens: total }, {}).split(",")[0]}`,
      );
      scene.react(ask, "✅");
      expect(scene.taskState).toBe("active");
      expect(scene.isBusy(worker)).toBe(true);
    }
    expect(budgetAudits(scene)).toEqual(["pause", "approve", "pause", "approve"]);
  });

  test("stays used up when a person says no, and resuming asks again", () => {
    const scene = taskWith({ tokens: 1_000 });
    scene.end(worker, "a", "answered", 1_000);
    scene.deliver();
    scene.react("a1", "❌");
    expect(scene.taskState).toBe("paused");
    scene.say("go on", { sender: boss, mentions: [worker.user] });
    expect(scene.turns).toEqual([]);
    scene.command("resume");
    expect(scene.taskState).toBe("paused");
    expect(scene.record.state.asks).toMatchObject([{ id: "a2", matter: { kind: "budget" } }]);
    scene.react("a2", "✅");
    expect(scene.turns.flatMap(({ messages }) => messages.map(({ text }) => text))).toContain("go on");
  });

  test("asks once while its question is open, however often somebody says that the task goes on", () => {
    const scene = taskWith({ tokens: 1_000 });
    scene.end(worker, "a", "answered", 1_000);
    scene.deliver();
    for (const _time of [1, 2]) scene.command("resume");
    expect(scene.gone.at(-1)).toMatchObject({ text: expect.stringContaining("`a1` asks whether") as string });
    expect(scene.record.state.asks).toMatchObject([{ id: "a1" }]);
    expect(budgetAudits(scene)).toEqual(["pause"]);
    scene.react("a1", "✅");
    expect(scene.taskState).toBe("active");
    expect(scene.record.state.asks).toEqual([]);
    expect(scene.task.budget?.now).toEqual({ tokens: 2_000 });
  });

  test("that one turn passed many times over grows so far that something is left of it, and no other limit with it", () => {
    const scene = taskWith({ tokens: 100, microusd: 5_000_000 }, { prices: { default: price } });
    scene.end(worker, "a", "answered", 3_885);
    scene.deliver();
    expect(scene.record.state.asks?.[0]?.text).toContain("Go on, up to 3 900 tokens or $10.00?");
    scene.react("a1", "✅");
    expect(scene.taskState).toBe("active");
    expect(scene.task.budget?.now).toEqual({ tokens: 3_900, microusd: 10_000_000 });
  });

  test("is set by a command, which also lets a task go on that had used it up", () => {
    const scene = taskWith({ tokens: 1_000, microusd: 5_000_000 }, { prices: { default: price } });
    scene.end(worker, "a", "answered", 1_000);
    scene.deliver();
    scene.command("budget 900 tokens");
    expect(scene.taskState).toBe("paused");
    scene.command("budget 1.5k");
    expect(scene.gone.at(-1)).toMatchObject({ text: expect.stringContaining("How much?") as string });
    scene.command("budget 3k tokens");
    expect(scene.taskState).toBe("active");
    expect(scene.record.state.asks).toEqual([]);
    expect(scene.task.budget?.now).toEqual({ tokens: 3_000, microusd: 5_000_000 });
    scene.command("budget $2.50");
    expect(scene.task.budget?.now).toEqual({ tokens: 3_000, microusd: 2_500_000 });
    scene.say("!crew budget 9 usd", { sender: anna });
    expect(scene.task.budget?.now.microusd).toBe(2_500_000);
    expect(budgetAudits(scene).filter((what) => what === "set")).toHaveLength(3);
  });

  test("of money is not set where nothing counts money, and says what it leaves out", () => {
    const none = taskWith({ tokens: 1_000 });
    none.command("budget 5 usd");
    expect(none.gone.at(-1)).toMatchObject({ text: expect.stringContaining("Money is not counted here") as string });
    expect(none.task.budget).toBeUndefined();
    expect(budgetAudits(none)).toEqual([]);
    const free = { ...worker, model: "home" };
    const some = taskWith({ tokens: 1_000 }, { prices: { default: price } }, [planner, free, rae]);
    some.command("budget 5 usd");
    expect(some.gone).toContainEqual(
      expect.objectContaining({ kind: "say", text: expect.stringContaining("no price: `home`.") as string }),
    );
    expect(some.task.budget?.now).toEqual({ tokens: 1_000, microusd: 5_000_000 });
  });

  test("does not pause a task that is done but for a person's word, unless that is no", () => {
    const scene = taskWith({ tokens: 1_000 }, {}, [planner, worker, rae]);
    for (const id of ["one", "two"]) {
      scene.submit(worker, id);
      scene.review(rae, id, "approve");
    }
    expect(scene.taskState).toBe("approval");
    while (scene.isBusy(worker)) scene.end(worker, "good");
    scene.say("well done", { sender: boss, mentions: [rae.user] });
    scene.end(rae, "thanks", "answered", 1_000);
    scene.deliver();
    expect(scene.taskState).toBe("approval");
    expect(scene.record.state.asks?.map(({ matter }) => matter.kind)).toEqual(["final"]);
    scene.command("deny the docs are missing");
    expect(scene.taskState).toBe("paused");
    expect(scene.record.state.asks?.map(({ matter }) => matter.kind)).toEqual(["budget"]);
    scene.command("approve");
    expect(scene.isBusy(planner)).toBe(true);
  });

  test("counts what a turn used that nobody wants any more, and a replayed turn once", () => {
    const scene = taskWith({ tokens: 1_000 });
    const { session, turn } = scene.turnOf(worker);
    scene.command("pause");
    expect(scene.turns).toEqual([]);
    const outcome = { kind: "cancelled", text: "" } as const;
    scene.put({ kind: "turnEnded", session, turn, outcome, usage: [used(70)] });
    scene.put({ kind: "turnEnded", session, turn, outcome });
    scene.put({ kind: "used", session, turn, usage: [used(5)] });
    expect(sumOf(scene.task.spent).tokens).toBe(75);
  });

  test("is rebuilt from the room, with what was used", () => {
    const scene = taskWith({ tokens: 1_000 }, { prices: { default: price } });
    scene.end(worker, "a", "answered", 900);
    scene.command("budget 5000 tokens");
    scene.command("pause");
    const state = scene.gone.findLast((effect) => effect.kind === "state" && effect.type === "dev.crewroom.task");
    if (state?.kind !== "state") throw new Error("the task is not shown");
    const { type, key, content } = state;
    const task = rebuiltTask(scene.world, [{ type, key, content }], scene.now);
    expect(task?.spent).toEqual(scene.task.spent);
    expect(task?.budget).toEqual({ now: { tokens: 5_000 }, each: { tokens: 5_000 } });
  });

  test("is shown by `!crew budget` and `!crew status`, by agent and with what is left", () => {
    const scene = taskWith(
      { tokens: 1_000, microusd: 1_000_000 },
      { prices: { default: price }, day: { tokens: 10_000 } },
    );
    scene.end(worker, "a", "answered", 400);
    const answer = (command: string): string => {
      scene.say(`!crew ${command}`);
      return scene.says.at(-1)?.text ?? "";
    };
    expect(answer("budget").split("\n")).toEqual([
      "- **This task**: 400 of 1 000 tokens and $0.0001 of $1.00 (40 %), 600 tokens and $0.9999 left. In all 400 tokens, $0.0001",
      "  - Bo: 400 tokens, $0.0001",
      "- **Today, the crew**: 400 of 10 000 tokens (4 %), 9 600 tokens left. In all 400 tokens, $0.0001",
      "  - **Bo**: 400 tokens, $0.0001; no limit",
      "",
      "Days end at 00:00 UTC.",
    ]);
    expect(answer("status")).toContain("Used: 400 tokens, $0.0001.");
  });
});

const day = 86_400_000;

/** Rooms that know of each other, and HQ. */
class Town {
  readonly places: Place[] = [];
  readonly roster = new RoomRoster(() => void this.freed++);
  readonly budgets: World["budgets"];
  freed = 0;
  readonly hq: Place;

  constructor(budgets: Partial<World["budgets"]>) {
    this.budgets = { ...world().budgets, ...budgets };
    this.hq = new Place("hq", this);
    this.hq.enter([boss], [bot], { power: { users: { [boss]: 100, [bot]: 100 } } });
  }

  room(name: string): Place {
    const place = new Place(name, this);
    place.enter([anna], [ada.user, bo.user], { power: {} });
    this.places.push(place);
    return place;
  }

  /** What rooms tell HQ has arrived, and rooms that wait have looked. */
  settle(): void {
    for (const place of this.places)
      for (const { id, text, budget } of place.due("announce")) {
        this.hq.put({ kind: "announce", id, text, ...(budget === undefined ? {} : { budget }) });
        place.put({ kind: "done", effect: id });
      }
    this.hq.deliver();
    for (const waiting of this.roster.waiting())
      this.places.find(({ record }) => record.state.room === waiting)?.put({ kind: "tick" });
  }

  /** Midnight of the day that it is, for everybody. */
  set now(now: number) {
    for (const place of [this.hq, ...this.places]) place.now = now;
  }
}

class Place extends Scene {
  readonly #town: Town;

  constructor(name: string, town: Town) {
    super({}, { roster: town.roster, budgets: town.budgets });
    this.#town = town;
    this.record = { ...this.record, state: emptyRoom(roomNamed(name)) };
    this.now = 10 * day + 1_000;
  }

  override put(input: Input): Decision {
    const decision = super.put(input);
    this.#town.roster.update(this.record.state.room, this.record.state);
    return decision;
  }

  /** A person asks an agent, and its answer takes so many tokens. */
  turn(agent: typeof ada, tokens: number, model?: string): boolean {
    this.say("hello", { mentions: [agent.user] });
    const turn = this.turns.find((one) => one.agent === agent.id);
    if (turn === undefined) return false;
    const usage = [used(tokens, 0, model)];
    const outcome = { kind: "answered", text: `${tokens}`, spoke: false } as const;
    this.put({ kind: "turnEnded", session: turn.session, turn: turn.turn, outcome, usage });
    return true;
  }

  get notices(): readonly string[] {
    return this.says.filter(({ text }) => text.startsWith("🪙")).map(({ text }) => text);
  }
}

function roomNamed(name: string): RoomId {
  return defined(asRoomId(`!${name}:${server}`));
}

describe("the limit of a day", () => {
  test("of an agent is told at 80 % where that happened, and then holds its turns in every room, but no other agent's", () => {
    const town = new Town({ agent_day: { tokens: 1_000 } });
    const [one, two] = [town.room("one"), town.room("two")];
    one.turn(ada, 500);
    two.turn(ada, 350);
    expect([one, two].map(({ notices }) => notices)).toEqual([[], ["🪙 Ada used 850 of 1 000 tokens today (85 %)."]]);
    one.turn(ada, 150);
    expect(one.notices).toHaveLength(1);
    expect(one.notices[0]).toContain("Ada used 1 000 of 1 000 tokens today, so Ada begins no turn until 00:00 UTC");
    expect(two.turn(ada, 1)).toBe(false);
    expect(two.turn(ada, 1)).toBe(false);
    expect(two.notices).toHaveLength(2);
    expect(two.record.state.sessions["ada"]?.queue).toHaveLength(2);
    expect(two.turn(bo, 1)).toBe(true);
    expect(nextDeadline(two.record.state, two.world)).toBe(11 * day);
  });

  test("is asked about in HQ once; a yes lets as much again be used, in all rooms", () => {
    const town = new Town({ agent_day: { tokens: 1_000 } });
    const [one, two] = [town.room("one"), town.room("two")];
    one.turn(ada, 1_000);
    two.turn(ada, 1);
    town.settle();
    const asks = town.hq.record.state.asks ?? [];
    expect(asks).toMatchObject([{ matter: { kind: "budget", scope: "ada", day: 10 }, deadline: 11 * day }]);
    expect(asks[0]?.text).toContain("Go on, up to 2 000 tokens for today?");
    town.hq.say("!crew approve a1", { sender: anna });
    expect(town.hq.record.state.asks).toHaveLength(1);
    town.hq.say("!crew approve a1", { sender: boss });
    expect(town.freed).toBe(1);
    town.settle();
    expect(two.turns).toHaveLength(1);
    expect(two.record.state.spending?.heldUntil).toBeUndefined();
    // The second limit is told and asked about like the first.
    two.answer(two.turns[0], "here I am");
    two.turn(ada, 1_000);
    town.settle();
    expect(town.hq.record.state.asks?.[0]?.text).toContain("2 000 of 2 000 tokens");
    expect(budgetAudits(town.hq)).toEqual(["approve"]);
  });

  test("without a yes lets go by itself at midnight", () => {
    const town = new Town({ day: { tokens: 1_000 } });
    const one = town.room("one");
    one.turn(bo, 1_000);
    expect(one.turn(ada, 1)).toBe(false);
    town.settle();
    town.hq.say("!crew deny a1 enough", { sender: boss });
    town.settle();
    expect(one.turns).toEqual([]);
    town.now = 11 * day - 1;
    one.put({ kind: "tick" });
    expect(one.turns).toEqual([]);
    town.now = 11 * day;
    one.put({ kind: "tick" });
    expect(one.turns).toMatchObject([{ agent: "ada", messages: [{ text: "hello" }] }]);
    expect(nextDeadline(one.record.state, one.world)).toBeUndefined();
    expect(town.roster.spentElsewhere(town.hq.record.state.room, 11, "*")).toEqual(nothing);
  });

  test("that nobody answered goes on at midnight as well, and the question is closed", () => {
    const town = new Town({ day: { tokens: 1_000 } });
    const one = town.room("one");
    one.turn(bo, 1_000);
    town.settle();
    town.now = 11 * day;
    town.hq.put({ kind: "tick" });
    expect(town.hq.record.state.asks).toEqual([]);
    expect(one.turn(bo, 1)).toBe(true);
  });

  test("is known after a restart from the rooms' records alone", () => {
    const town = new Town({ agent_day: { tokens: 1_000 } });
    town.room("one").turn(ada, 1_000);
    const two = town.room("two");
    const fresh = new RoomRoster(() => undefined);
    for (const { record } of town.places) fresh.update(record.state.room, record.state);
    expect(fresh.spentElsewhere(two.record.state.room, 10, ada.id)).toMatchObject({ tokens: 1_000 });
  });

  test("that is exceeded by half stops the agent's turns where they run", () => {
    const town = new Town({ agent_day: { tokens: 1_000 } });
    const one = town.room("one");
    one.say("hello", { mentions: [ada.user, bo.user] });
    const [first] = one.turns;
    const { session, turn } = defined(first);
    const { fleeting } = one.put({ kind: "used", session, turn, usage: [used(1_500)] });
    expect(fleeting).toEqual([{ kind: "abort", turn }]);
    one.put({ kind: "turnEnded", session, turn, outcome: { kind: "cancelled", text: "" } });
    expect(one.says.at(-1)?.text).toContain("⏹ Stopped: Ada used 1 500 of 1 000 tokens today");
    expect(one.turns).toMatchObject([{ agent: "bo" }]);
  });
});

describe("work", () => {
  test("goes to those who have budget left, and nobody is blamed for having none", () => {
    const scene = new TaskScene({ crew: [planner, worker, cy, rae], budgets: { agent_day: { tokens: 1_000 } } });
    scene.now = 10 * day;
    scene.say("hello", { sender: boss, mentions: [worker.user] });
    scene.end(worker, "hello", "answered", 1_000);
    scene.plan(spec("one"), spec("two"));
    expect(Object.values(scene.task.subtasks).map(({ lease }) => lease?.agent)).toEqual([cy.id, undefined]);
    scene.end(cy, "used up", "answered", 1_000);
    expect(scene.isBusy(cy)).toBe(false);
    scene.later(11);
    expect(scene.subtask("one")).toMatchObject({ state: "ready", tries: 0, scores: [] });
    expect(scene.task.patrol.map(({ did }) => did)).toContain(
      "cy has used up a limit of today; its work is offered to others",
    );
    scene.now = 11 * day;
    scene.put({ kind: "tick" });
    expect(Object.values(scene.task.subtasks).map(({ state }) => state)).toEqual(["working", "working"]);
  });

  test("waits for midnight where nobody has budget left", () => {
    const scene = new TaskScene({ crew: [planner, worker, rae], budgets: { agent_day: { tokens: 1_000 } } });
    scene.now = 10 * day;
    scene.say("hello", { sender: boss, mentions: [worker.user] });
    scene.end(worker, "hello", "answered", 1_000);
    scene.plan(spec("one"));
    expect(scene.record.state.spending?.heldUntil).toBe(11 * day);
  });
});

describe("the breaker", () => {
  test("trips at a rate of cost, and measures anew when it was released", () => {
    const one = new Scene(
      {},
      { budgets: { ...world().budgets, prices: { default: price }, rate_microusd_per_hour: 6_000_000 } },
    );
    one.enter([anna, boss], [ada.user], { power: { users: { [boss]: 100 } } });
    const turn = (tokens: number): void => {
      one.say("hello", { mentions: [ada.user] });
      const { session, turn: id } = defined(one.turns[0]);
      const outcome = { kind: "answered", text: `${tokens}`, spoke: false } as const;
      one.put({ kind: "turnEnded", session, turn: id, outcome, usage: [used(tokens)] });
    };
    turn(4_000_000);
    expect(one.record.state.breaker.open).toBeUndefined();
    turn(4);
    expect(one.record.state.breaker.open?.reason).toBe(
      "turns here cost $1.000001 within 10 min, which is more than $6.00 an hour",
    );
    one.say("!crew release", { sender: boss });
    expect(one.record.state.breaker).toEqual({ wakes: [], held: [] });
    turn(4_000_000);
    one.now += 600_000;
    turn(4_000_000);
    expect(one.record.state.breaker.open).toBeUndefined();
    expect(one.record.state.breaker.costs).toHaveLength(1);
  });

  test("trips when an agent gives other agents the same answer again and again, but not for people", () => {
    const one = new Scene({ breaker_hops: 100 });
    one.enter([anna], [ada.user, bo.user]);
    let calls = 0;
    const pass = (): void => {
      const { session, turn, agent } = defined(one.turns[0]);
      const to = agent === "ada" ? bo.user : ada.user;
      one.put({ kind: "agentSays", session, turn, call: `call${calls++}` as EffectId, to, text: `ball ${calls}` });
      one.answer(one.turns[0], agent === "ada" ? "I passed it on." : `caught ${calls}`);
    };
    one.say("play", { mentions: [ada.user] });
    for (let round = 0; round < 3; round++) {
      pass();
      pass();
    }
    expect(one.record.state.breaker.open).toBeUndefined();
    pass();
    expect(one.record.state.breaker.open?.reason).toBe("ada gave other agents the same answer 3 times");
    const people = new Scene();
    people.enter([anna], [ada.user]);
    for (let round = 0; round < 9; round++) {
      people.say("hello", { mentions: [ada.user] });
      people.answer(people.turns[0], "Hello.");
    }
    expect(people.record.state.breaker.open).toBeUndefined();
  });
});

test("sums never drift and limits hold, whatever comes in which order", () => {
  const budgets = { agent_day: { tokens: 900 }, day: { microusd: 150 }, prices: { default: price } };
  const step = fc.record({
    room: fc.nat(2),
    agent: fc.constantFrom(ada, bo),
    tokens: fc.nat(400),
    model: fc.constantFrom("default", "other"),
    hours: fc.constantFrom(0, 0, 0, 5, 20),
    approve: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const town = new Town(budgets);
      const rooms = ["one", "two", "three"].map((name) => town.room(name));
      const spent = new Map<string, number>();
      const count = (key: string, tokens: number): void => void spent.set(key, (spent.get(key) ?? 0) + tokens);
      let now = 10 * day;
      for (const { room, agent, tokens, model, hours, approve } of steps) {
        now += hours * 3_600_000;
        town.now = now;
        for (const place of [town.hq, ...rooms]) place.put({ kind: "tick" });
        const today = Math.floor(now / day);
        const place = defined(rooms[room]);
        const raised = town.roster.raisedElsewhere(place.record.state.room, today, agent.id).tokens;
        const raisedAll = town.roster.raisedElsewhere(place.record.state.room, today, "*").microusd;
        const money = spent.get(`${today} $`) ?? 0;
        const before = spent.get(`${today} ${agent.id}`) ?? 0;
        const ran = place.turn(agent, tokens, model);
        const isUsedUp = before >= 900 + raised || money >= 150 + raisedAll;
        expect(ran && isUsedUp).toBe(false);
        if (ran) for (const scope of [agent.id, "*"]) count(`${today} ${scope}`, tokens);
        if (ran && model === "default") count(`${today} $`, Math.ceil(tokens / 4));
        town.settle();
        const [ask] = town.hq.record.state.asks ?? [];
        if (approve && ask !== undefined) town.hq.say(`!crew approve ${ask.id}`, { sender: boss });
        town.settle();
        for (const other of rooms)
          for (const { session, turn } of other.turns)
            other.put({
              kind: "turnEnded",
              session,
              turn,
              outcome: { kind: "answered", text: "late", spoke: false },
            });
      }
      const today = Math.floor(now / day);
      for (const scope of [ada.id, bo.id, "*"] as const) {
        const sum = town.roster.spentElsewhere(roomNamed("nowhere"), today, scope);
        expect(sum.tokens).toBe(spent.get(`${today} ${scope}`) ?? 0);
        expect(Object.values(sum).every((figure) => Number.isSafeInteger(figure) && figure >= 0)).toBe(true);
      }
      const { microusd } = town.roster.spentElsewhere(roomNamed("nowhere"), today, "*");
      expect(microusd).toBe(spent.get(`${today} $`) ?? 0);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ["1,500.50 usd", { microusd: 1_500_500_000 }],
  ["1 500 000 tokens", { tokens: 1_500_000 }],
  ["$0.000001", { microusd: 1 }],
  ["500k tokens", { tokens: 500_000 }],
  ["0,500 usd", undefined],
  ["2,50 usd", undefined],
  ["1,5000 tokens", undefined],
  ["-5 usd", undefined],
  ["0 tokens", undefined],
])("%s is an amount that nobody can take for another", (words, limit) => {
  expect(readLimit(words)).toEqual(limit);
});

test("a share is the larger one of both limits", () => {
  expect(shareOf({ ...nothing, tokens: 799, microusd: 9 }, { tokens: 1_000, microusd: 10 })).toBe(90);
  expect(shareOf({ ...nothing, tokens: 799 }, { tokens: 1_000 })).toBe(79);
  expect(shareOf({ ...nothing, tokens: 799 }, {})).toBe(0);
});

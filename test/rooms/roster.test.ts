import { describe, expect, test } from "vitest";
import { asRoomId, type RoomId } from "../../src/core/ids.ts";
import type { Ask } from "../../src/core/asks.ts";
import { emptyRoom } from "../../src/core/room.ts";
import type { Task } from "../../src/core/tasks/task.ts";
import { RoomRoster } from "../../src/rooms/roster.ts";
import { ada, anna, bo, server } from "../core/scene.ts";
import { entry, lease, subtask, task, taskRoom } from "./tasks.ts";

function roomNamed(name: string): RoomId {
  const room = asRoomId(`!${name}:${server}`);
  if (room === undefined) throw new Error(`no room id: ${name}`);
  return room;
}

const [one, other, third] = [roomNamed("one"), roomNamed("other"), roomNamed("third")];

const ask = { id: "a1" } as Ask;

function open(): { readonly roster: RoomRoster; readonly freed: () => number } {
  let freed = 0;
  const roster = new RoomRoster(() => void freed++);
  return { roster, freed: () => freed };
}

describe("the load of an agent", () => {
  test("is what it works on and reviews in all other rooms", () => {
    const { roster } = open();
    const work = subtask("work", "working", { lease: lease(ada.id) });
    const review = subtask("review", "review", { reviewLease: lease(ada.id), worker: bo.id });
    roster.update(one, taskRoom(one, task([work, review])));
    roster.update(other, taskRoom(other, task([work, subtask("theirs", "working", { lease: lease(bo.id) })])));
    expect(roster.loadElsewhere(ada.id, other)).toBe(2);
    expect(roster.loadElsewhere(ada.id, one)).toBe(1);
    expect(roster.loadElsewhere(ada.id, third)).toBe(3);
    expect(roster.loadElsewhere(bo.id, other)).toBe(0);
  });

  test("follows each decision of a room", () => {
    const { roster } = open();
    roster.update(one, taskRoom(one, task([subtask("a", "working", { lease: lease(ada.id) })])));
    expect(roster.loadElsewhere(ada.id, other)).toBe(1);
    roster.update(one, taskRoom(one, task([subtask("a", "review", { reviewLease: lease(bo.id) })])));
    expect([ada, bo].map(({ id }) => roster.loadElsewhere(id, other))).toEqual([0, 1]);
  });

  test("counts nothing of a task that was cancelled or is finished, or of a room without one", () => {
    const { roster } = open();
    const work = [subtask("a", "working", { lease: lease(ada.id) })];
    for (const end of [
      task(work, { cancelled: { by: anna, why: "" } }),
      task(work, { finished: { by: anna, ts: 0 } }),
      undefined,
    ]) {
      roster.update(one, taskRoom(one, task(work)));
      expect(roster.loadElsewhere(ada.id, other)).toBe(1);
      roster.update(one, end === undefined ? emptyRoom(one) : taskRoom(one, end));
      expect(roster.loadElsewhere(ada.id, other)).toBe(0);
    }
  });
});

describe("scores", () => {
  test("are summed over all rooms, those of finished tasks included", () => {
    const { roster } = open();
    const done = subtask("a", "done", { scores: [entry(ada.id, "first_pass", 5), entry(bo.id, "review", 1)] });
    roster.update(one, taskRoom(one, task([done], { finished: { by: anna, ts: 0 } })));
    const rework = subtask("a", "rework", { scores: [entry(ada.id, "first_pass", 5), entry(ada.id, "rework", -2)] });
    roster.update(other, taskRoom(other, task([rework])));
    expect(roster.scoreOf(ada.id)).toEqual({ points: 8, entries: 3 });
    expect(roster.scoresByReason(ada.id)).toEqual({ first_pass: 2, rework: 1 });
    expect(roster.scoreOf(bo.id)).toEqual({ points: 1, entries: 1 });
  });

  test("count once, however often their room decides", () => {
    const { roster } = open();
    const first = entry(ada.id, "first_pass", 5);
    const finished = { finished: { by: anna, ts: 0 } };
    roster.update(one, taskRoom(one, task([subtask("a", "working", { scores: [first] })])));
    roster.update(one, taskRoom(one, task([subtask("a", "done", { scores: [first, first] })], finished)));
    roster.update(one, taskRoom(one, task([subtask("a", "done", { scores: [first, first] })], finished)));
    expect(roster.scoreOf(ada.id)).toEqual({ points: 10, entries: 2 });
  });

  test("of an agent without any are nothing", () => {
    const { roster } = open();
    expect(roster.scoreOf(ada.id)).toEqual({ points: 0, entries: 0 });
    expect(roster.scoresByReason(ada.id)).toEqual({});
  });
});

describe("the tasks", () => {
  test("are the open ones by number, with their progress and whether they wait for a person", () => {
    const { roster } = open();
    const half = [subtask("a", "done"), subtask("b", "ready"), subtask("c", "cancelled")];
    roster.update(other, taskRoom(other, task(half, { number: 9, title: "Nine" })));
    roster.update(one, taskRoom(one, task([], { number: 2, title: "Two", planned: false }), { asks: [ask] }));
    roster.update(third, taskRoom(third, task([], { finished: { by: anna, ts: 0 } })));
    expect(roster.tasks()).toEqual([
      { number: 2, title: "Two", state: "planning", done: 0, total: 0, room: one, waitsForPerson: true },
      { number: 9, title: "Nine", state: "active", done: 1, total: 2, room: other, waitsForPerson: false },
    ]);
    expect(roster.states()).toEqual({ planning: 1, active: 1, approval: 0, paused: 0, done: 1, cancelled: 0 });
  });

  test("tell that a person has answered although nothing else of the task has changed", () => {
    const { roster } = open();
    const same = task([subtask("a", "ready")]);
    roster.update(one, taskRoom(one, same, { asks: [ask] }));
    roster.update(one, taskRoom(one, same, { asks: [] }));
    expect(roster.tasks()).toMatchObject([{ waitsForPerson: false }]);
  });

  test("are not looked through again when nothing of them has changed", () => {
    const { roster } = open();
    let looks = 0;
    const { subtasks, ...rest } = task([subtask("a", "ready")]);
    const same: Task = {
      ...rest,
      get subtasks() {
        looks++;
        return subtasks;
      },
    };
    roster.update(one, taskRoom(one, same));
    const before = looks;
    expect(before).toBeGreaterThan(0);
    roster.update(one, taskRoom(one, same));
    expect(looks).toBe(before);
  });
});

describe("a room that waits for an agent", () => {
  const held = task([subtask("a", "working", { lease: lease(ada.id) })]);
  const waits = (since: number) => task([subtask("a", "ready", { since })]);

  test("comes in the order in which it began to wait, whatever it decided since", () => {
    const { roster } = open();
    roster.update(one, taskRoom(one, waits(30)));
    roster.update(other, taskRoom(other, waits(10)));
    roster.update(third, taskRoom(third, waits(20)));
    roster.update(other, taskRoom(other, waits(10)));
    expect(roster.waiting()).toEqual([other, third, one]);
  });

  test("is one with work or a review that nobody has, while its task is active", () => {
    const { roster } = open();
    const cases = {
      ready: task([subtask("a", "ready")]),
      rework: task([subtask("a", "rework")]),
      review: task([subtask("a", "review")]),
      paused: task([subtask("a", "ready")], { paused: "" }),
      planning: task([subtask("a", "ready")], { planned: false }),
      reviewed: task([subtask("a", "review", { reviewLease: lease(ada.id) })]),
      waiting: task([subtask("a", "waiting")]),
      blocked: task([subtask("a", "blocked")]),
      asked: task([subtask("a", "ready", { ask: "a1" })]),
    };
    const waiting = Object.entries(cases).filter(([, each]) => {
      roster.update(one, taskRoom(one, each));
      return roster.waiting().length > 0;
    });
    expect(waiting.map(([name]) => name)).toEqual(["ready", "rework", "review"]);
  });

  test("makes an agent's release known, once per decision", () => {
    const { roster, freed } = open();
    roster.update(one, taskRoom(one, held));
    roster.update(other, taskRoom(other, waits(0)));
    expect(freed()).toBe(0);
    roster.update(one, taskRoom(one, task([subtask("a", "review", { reviewLease: lease(bo.id) })])));
    expect(freed()).toBe(1);
    roster.update(one, taskRoom(one, task([], { cancelled: { by: anna, why: "" } })));
    expect(freed()).toBe(2);
  });

  test("is the only reason to make it known", () => {
    const { roster, freed } = open();
    roster.update(one, taskRoom(one, held));
    roster.update(one, taskRoom(one, task([subtask("a", "blocked")])));
    expect(freed()).toBe(0);
  });
});

describe("what was used on a day", () => {
  const spent = (tokens: number) => ({ tokens, microusd: tokens * 2, unpriced: 0, estimated: 0 });
  const used = (room: RoomId, day: number, agents: Readonly<Record<string, number>>, more = {}) => ({
    ...emptyRoom(room),
    spending: {
      day,
      agents: Object.fromEntries(Object.entries(agents).map(([agent, tokens]) => [agent, spent(tokens)])),
      raised: {},
      told: [],
      ...more,
    },
  });

  test("is summed over all other rooms, by agent and in all, and follows each decision", () => {
    const { roster } = open();
    roster.update(one, used(one, 5, { ada: 10, bo: 1 }));
    roster.update(other, used(other, 5, { ada: 20 }));
    roster.update(other, used(other, 5, { ada: 25 }));
    expect(roster.spentElsewhere(third, 5, ada.id)).toEqual(spent(35));
    expect(roster.spentElsewhere(one, 5, ada.id)).toEqual(spent(25));
    expect(roster.spentElsewhere(third, 5, "*")).toEqual(spent(36));
    roster.update(one, used(one, 6, { bo: 3 }));
    expect([5, 6].map((day) => roster.spentElsewhere(third, day, "*").tokens)).toEqual([25, 3]);
  });

  test("wakes rooms that are held back when a person lets a limit go on", () => {
    const { roster, freed } = open();
    roster.update(one, used(one, 5, { ada: 10 }, { heldUntil: 9 }));
    expect(roster.waiting()).toEqual([one]);
    roster.update(third, used(third, 5, {}, { raised: { ada: { tokens: 7, microusd: 0 } } }));
    expect(freed()).toBe(1);
    expect([one, third].map((room) => roster.raisedElsewhere(room, 5, ada.id).tokens)).toEqual([7, 0]);
    roster.update(one, used(one, 5, { ada: 10 }));
    expect(roster.waiting()).toEqual([]);
  });
});

import { expect, test } from "vitest";
import { asRoomId, type EffectId, type RoomId } from "../../src/core/ids.ts";
import type { RoomRecord } from "../../src/core/record.ts";
import { emptyRoom, type Seat } from "../../src/core/room.ts";
import type { Task } from "../../src/core/tasks/task.ts";
import type { World } from "../../src/core/world.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Rooms } from "../../src/rooms/rooms.ts";
import { RoomRoster } from "../../src/rooms/roster.ts";
import { Sweep } from "../../src/rooms/sweep.ts";
import { ada, anna, bot, event, server, world } from "../core/scene.ts";
import { subtask, task } from "./tasks.ts";

function roomNamed(name: string): RoomId {
  const room = asRoomId(`!${name}:${server}`);
  if (room === undefined) throw new Error(`no room id: ${name}`);
  return room;
}

const [first, second, third] = [roomNamed("first"), roomNamed("second"), roomNamed("third")];
const seat: Seat = { place: "joined", direct: false };

/** Task rooms that share one agent, each with one subtask that is ready since the given second. */
function open(readySince: ReadonlyMap<RoomId, number>) {
  const records = new Map<RoomId, RoomRecord>();
  for (const [room, since] of readySince) {
    const work = subtask("work", "ready", { since: since * 1_000, thread: event("thread") });
    const state = {
      ...emptyRoom(room),
      people: [anna],
      seats: { [bot]: seat, [ada.user]: seat },
      task: task([work], { planner: ada.id }),
    };
    records.set(room, { v: 1, state, outbox: [], handled: [] });
  }
  const sweep = new Sweep({
    waiting: () => roster.waiting(),
    tick: (room) => rooms.put(room, { kind: "tick" }),
    log: createLogger({ level: "silent", format: "json" }),
  });
  const roster = new RoomRoster(() => sweep.request());
  const crew: World["crew"] = new Map([[ada.user, ada]]);
  const rooms = new Rooms(
    { ...world(), crew, roster },
    {
      load: async (room) => records.get(room),
      save: async (room, record) => void records.set(room, record),
      audit: async () => undefined,
      dispatch: () => undefined,
      note: () => undefined,
      decided: (room, state) => roster.update(room, state),
      now: () => 60_000,
    },
  );
  for (const [room, { state }] of records) roster.update(room, state);
  /** Rooms where Ada has the work. */
  const holding = (): readonly RoomId[] =>
    [...records].flatMap(([room, { state }]) => (workOf(state.task)?.lease?.agent === ada.id ? [room] : []));
  return { rooms, sweep, holding };
}

function workOf(of: Task | undefined): Task["subtasks"][string] | undefined {
  return of?.subtasks["work"];
}

test("one free agent is given work by one room only, although all decide in the same moment", async () => {
  const { rooms, holding } = open(new Map([first, second, third].map((room) => [room, 0])));
  await Promise.all([first, second, third].map((room) => rooms.put(room, { kind: "tick" })));
  expect(holding()).toHaveLength(1);
});

test("who becomes free goes to the room that waits longest", async () => {
  const { rooms, sweep, holding } = open(
    new Map([
      [first, 0],
      [second, 30],
      [third, 20],
    ]),
  );
  await rooms.put(first, { kind: "tick" });
  expect(holding()).toEqual([first]);
  const [prompted] = Object.entries(rooms.lane(first).state?.sessions ?? {});
  const turn = prompted?.[1].running?.id;
  if (prompted === undefined || turn === undefined) throw new Error("Ada was not prompted");
  await rooms.put(first, {
    kind: "act",
    session: prompted[0],
    turn,
    call: "call" as EffectId,
    action: { kind: "submit", subtask: "work", summary: "It is done." },
  });
  await sweep[Symbol.asyncDispose]();
  expect(holding()).toEqual([third]);
});

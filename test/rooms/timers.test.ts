import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { asRoomId, type RoomId } from "../../src/core/ids.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Timers } from "../../src/rooms/timers.ts";
import { server } from "../core/scene.ts";

const log = createLogger({ level: "silent", format: "json" });

function roomNamed(name: string): RoomId {
  const room = asRoomId(`!${name}:${server}`);
  if (room === undefined) throw new Error(`no room id: ${name}`);
  return room;
}

const [one, two] = [roomNamed("one"), roomNamed("two")];
const noon = new Date("2030-01-01T12:00:00Z").getTime();

beforeEach(() => void vi.useFakeTimers({ now: noon }));
afterEach(() => void vi.useRealTimers());

/** Timers on vitest's clock; `ticks` are the rooms woken, with seconds since noon. */
function open(tick: (room: RoomId) => Promise<unknown> = async () => undefined) {
  const ticks: (readonly [RoomId, number])[] = [];
  const timers = new Timers({
    clock: {
      now: Date.now,
      after: (ms, signal) =>
        new Promise((resolve, reject) => {
          const timer = setTimeout(resolve, ms);
          signal.addEventListener("abort", () => {
            clearTimeout(timer);
            reject(new Error("aborted"));
          });
        }),
    },
    tick: (room) => {
      ticks.push([room, (Date.now() - noon) / 1_000]);
      return tick(room);
    },
    log,
  });
  timers.start();
  return { timers, ticks, at: (room: RoomId, seconds: number) => timers.set(room, noon + seconds * 1_000) };
}

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);

test("rooms are woken at their times, the earliest first, by one timer", async () => {
  const { ticks, at } = open();
  at(one, 20);
  at(two, 10);
  expect(vi.getTimerCount()).toBe(1);
  await seconds(15);
  expect(ticks).toEqual([[two, 10]]);
  await seconds(60);
  expect(ticks).toEqual([
    [two, 10],
    [one, 20],
  ]);
});

test("a time that was taken back or put off does not come", async () => {
  const { timers, ticks, at } = open();
  at(one, 10);
  at(two, 10);
  timers.set(one, undefined);
  at(two, 30);
  await seconds(29);
  expect(ticks).toEqual([]);
  await seconds(1);
  expect(ticks).toEqual([[two, 30]]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a time in the past comes at once, and when it stays there once a second", async () => {
  const { ticks, at } = open(async (room) => at(room, -5));
  at(one, -5);
  await seconds(0);
  expect(ticks).toEqual([[one, 0]]);
  await seconds(3.5);
  expect(ticks.map(([, when]) => when)).toEqual([0, 1, 2, 3]);
});

test("a room that has decided nothing new is not woken again", async () => {
  const { ticks, at } = open();
  at(one, 1);
  await seconds(3_600);
  expect(ticks).toHaveLength(1);
});

test("a room that could not be woken is tried again", async () => {
  let broken = true;
  const { ticks, at } = open(async () => {
    if (!broken) return;
    broken = false;
    throw new Error("unreadable");
  });
  at(one, 5);
  await seconds(3_600);
  expect(ticks).toEqual([
    [one, 5],
    [one, 6],
  ]);
});

test("a time further away than a timer can wait still comes, not before", async () => {
  const { ticks, at } = open();
  const days = 60 * 24 * 3_600;
  at(one, days);
  await seconds(days - 1);
  expect(ticks).toEqual([]);
  await seconds(1);
  expect(ticks).toEqual([[one, days]]);
});

test("before the start nothing is woken, and then all that is due", async () => {
  const ticks: RoomId[] = [];
  const timers = new Timers({
    clock: { now: Date.now, after: async () => undefined },
    tick: async (room) => void ticks.push(room),
    log,
  });
  timers.set(one, noon - 2);
  timers.set(two, noon - 1);
  await seconds(1);
  expect(ticks).toEqual([]);
  timers.start();
  await seconds(1);
  expect(ticks).toEqual([one, two]);
});

test("an end takes the timer away, and waits for the room that was just woken", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { timers, ticks, at } = open(() => promise);
  at(one, 1);
  at(two, 100);
  await seconds(1);
  let ended = false;
  const ending = timers[Symbol.asyncDispose]().then(() => (ended = true));
  await seconds(200);
  expect(ended).toBe(false);
  resolve();
  await ending;
  at(two, 0);
  await seconds(200);
  expect(ticks).toEqual([[one, 1]]);
  expect(vi.getTimerCount()).toBe(0);
});

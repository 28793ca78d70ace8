import { expect, test } from "vitest";
import { asRoomId, type RoomId } from "../../src/core/ids.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Sweep } from "../../src/rooms/sweep.ts";
import { server } from "../core/scene.ts";

const log = createLogger({ level: "silent", format: "json" });
const rooms = ["one", "two"].map((name) => asRoomId(`!${name}:${server}`)).filter((room) => room !== undefined);

/** A sweep whose rooms decide when the test says so. */
function open(waiting: readonly RoomId[] = rooms) {
  const asked: { readonly room: RoomId; readonly decide: () => void; readonly fail: () => void }[] = [];
  let listed = 0;
  let next = Promise.withResolvers<void>();
  const sweep = new Sweep({
    waiting: () => {
      listed++;
      return waiting;
    },
    tick: (room) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      asked.push({ room, decide: resolve, fail: () => reject(new Error("unreadable")) });
      next.resolve();
      next = Promise.withResolvers();
      return promise;
    },
    log,
  });
  return {
    sweep,
    asked,
    listed: () => listed,
    /** Resolves when the next room is asked. */
    asks: () => next.promise,
  };
}

test("rooms look one after another", async () => {
  const { sweep, asked, asks } = open();
  sweep.request();
  await asks();
  expect(asked.map(({ room }) => room)).toEqual(rooms.slice(0, 1));
  const second = asks();
  asked[0]?.decide();
  await second;
  expect(asked.map(({ room }) => room)).toEqual(rooms);
});

test("what comes together makes one sweep, and what comes while it goes on one more", async () => {
  const { sweep, asked, asks, listed } = open(rooms.slice(0, 1));
  sweep.request();
  sweep.request();
  await asks();
  sweep.request();
  sweep.request();
  const again = asks();
  asked[0]?.decide();
  await again;
  expect(listed()).toBe(2);
  asked[1]?.decide();
  await sweep[Symbol.asyncDispose]();
  expect(listed()).toBe(2);
  expect(asked).toHaveLength(2);
});

test("a room that cannot look does not keep the next from it", async () => {
  const { sweep, asked, asks } = open();
  sweep.request();
  await asks();
  const second = asks();
  asked[0]?.fail();
  await second;
  expect(asked[1]?.room).toBe(rooms[1]);
});

test("a sweep that has ended does not begin again", async () => {
  const { sweep, asked, asks, listed } = open();
  sweep.request();
  await asks();
  const ended = sweep[Symbol.asyncDispose]();
  asked[0]?.decide();
  await ended;
  sweep.request();
  await Promise.resolve();
  expect(asked).toHaveLength(1);
  expect(listed()).toBe(1);
});

import { expect, test } from "vitest";
import type { Effect } from "../../src/core/effect.ts";
import { asRoomId, type EffectId, type RoomId } from "../../src/core/ids.ts";
import type { RoomRecord } from "../../src/core/record.ts";
import { emptyRoom } from "../../src/core/room.ts";
import type { Rooms as RoomRecords } from "../../src/journal/journal.ts";
import { Lane } from "../../src/rooms/lane.ts";
import { recoverRooms } from "../../src/rooms/recovery.ts";
import { server, world } from "../core/scene.ts";
import { task, taskRoom } from "./tasks.ts";

function roomNamed(name: string): RoomId {
  const room = asRoomId(`!${name}:${server}`);
  if (room === undefined) throw new Error(`no room id: ${name}`);
  return room;
}

const [busy, quiet, late] = [roomNamed("busy"), roomNamed("quiet"), roomNamed("late")];

const announce: Effect = { kind: "announce", id: "word" as EffectId, text: "A word." };

function record(state: RoomRecord["state"], outbox: readonly Effect[] = []): RoomRecord {
  return { v: 1, state, outbox, handled: [] };
}

test("all tasks are known before any room goes on, and rooms of mere talk are not held", async () => {
  const kept = new Map([
    [busy, record(taskRoom(busy, task([])), [announce])],
    [quiet, record(emptyRoom(quiet))],
    [late, record(taskRoom(late, task([])))],
  ]);
  const records: RoomRecords = {
    load: async (room) => kept.get(room),
    save: async () => undefined,
    remove: async () => undefined,
    async *all() {
      yield* kept;
    },
  };
  const did: string[] = [];
  const lanes = new Map<RoomId, Lane>();
  const lane = (room: RoomId): Lane => {
    const made =
      lanes.get(room) ??
      new Lane(room, world(), {
        load: async (of) => kept.get(of),
        save: async () => undefined,
        audit: async () => undefined,
        dispatch: () => undefined,
        note: () => undefined,
        decided: () => undefined,
        now: () => 0,
      });
    lanes.set(room, made);
    return made;
  };
  await recoverRooms(
    records,
    (room) => did.push(`learn ${room}`),
    {
      put: (room, input) => {
        did.push(`${input.kind} ${room}`);
        return lane(room).put(input);
      },
      lane,
    },
    { dispatch: (room, effects) => did.push(`dispatch ${room} ${effects.map(({ id }) => id).join()}`) },
    world(),
    async () => undefined,
  );
  expect(did).toEqual([`learn ${busy}`, `learn ${late}`, `recovered ${busy}`, `dispatch ${busy} word`]);
});

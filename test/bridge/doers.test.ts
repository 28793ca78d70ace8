import { expect, test } from "vitest";
import { createDoers } from "../../src/bridge/doers.ts";
import type { Effect, Join } from "../../src/core/effect.ts";
import type { Entrance } from "../../src/matrix/entrance.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { Doers } from "../../src/rooms/dispatcher.ts";
import { Rooms } from "../../src/rooms/rooms.ts";
import { ada, anna, event, room, Scene, world } from "../core/scene.ts";

function unused(): never {
  throw new Error("not needed for a join");
}

interface Place {
  readonly rooms: Rooms;
  readonly due: Effect[];
  readonly effect: Join;
  readonly scene: Scene;
}

/** A room that Ada was just invited to. */
async function invitedAda(): Promise<Place> {
  const due: Effect[] = [];
  const rooms = new Rooms(world(), {
    load: async () => undefined,
    save: async () => undefined,
    dispatch: (_room, fresh) => void due.push(...fresh),
    note: () => undefined,
    now: () => 0,
  });
  const invited = { sender: anna, ts: 0, user: ada.user, membership: "invite", direct: true } as const;
  await rooms.put(room, { kind: "member", event: event("invite"), ...invited });
  const [effect] = due;
  if (effect?.kind !== "join") throw new Error("no join is due");
  return { rooms, due, effect, scene: new Scene() };
}

function doersOf(rooms: Rooms, entrance: Pick<Entrance, "join" | "missed">): Doers {
  return createDoers({
    server: world().server,
    messenger: unused,
    settling: unused,
    turns: unused,
    intake: unused,
    rooms: () => rooms,
    metrics: createMetrics(),
    entrance: () => ({ ...entrance, adopt: unused, reject: unused, follow: unused }),
  });
}

const members = [anna, ada.user].map((user) => ({ user, membership: "join" as const }));
const snapshot = { version: "11", creators: [], power: {}, encrypted: false, members };

test("what is pushed while a join reads back, into a room that is not known yet, is answered all the same", async () => {
  const { rooms, due, effect, scene } = await invitedAda();
  const hello = scene.message("hello");
  const doers = doersOf(rooms, {
    // The room is read, and only then comes the person's first word.
    join: async () => {
      await rooms.put(room, hello);
      return { kind: "joined", user: ada.user, snapshot, missed: [], attempts: 1 };
    },
    missed: async () => [hello],
  });
  await doers.join(room, effect, new AbortController().signal);
  await rooms.put(room, { kind: "done", effect: effect.id });

  expect(due.filter(({ kind }) => kind === "turn")).toMatchObject([{ messages: [{ text: "hello" }] }]);
});

test("a mute that comes while the room is read is not undone by what was read before it", async () => {
  const { rooms, due, effect, scene } = await invitedAda();
  const muted = { users: { [ada.user]: -1 } };
  let looks = 0;
  const doers = doersOf(rooms, {
    join: async () => {
      looks++;
      if (looks > 1)
        return { kind: "joined", user: ada.user, snapshot: { ...snapshot, power: muted }, missed: [], attempts: 1 };
      await rooms.put(room, { kind: "power", event: event("mute"), sender: anna, ts: 0, power: muted });
      return { kind: "joined", user: ada.user, snapshot, missed: [], attempts: 1 };
    },
    missed: async () => [],
  });
  await doers.join(room, effect, new AbortController().signal);
  await rooms.put(room, scene.message("hello"));

  expect(looks).toBe(2);
  expect(due.map(({ kind }) => kind)).toEqual(["join"]);
  await rooms.put(room, { kind: "power", event: event("unmute"), sender: anna, ts: 0, power: {} });
  expect(due.map(({ kind }) => kind)).toEqual(["join", "turn"]);
});

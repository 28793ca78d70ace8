import { expect, test } from "vitest";
import { createDoers, type DoersOptions } from "../../src/bridge/doers.ts";
import type { Ask } from "../../src/core/asks.ts";
import type { Effect, Follow, Join, OpenTask } from "../../src/core/effect.ts";
import { asRoomAlias, asRoomId, type EffectId, type RoomId } from "../../src/core/ids.ts";
import type { RoomRecord } from "../../src/core/record.ts";
import { emptyRoom, type RoomState } from "../../src/core/room.ts";
import { HomeserverError } from "../../src/matrix/homeserver-error.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { AuditFilter, AuditReader } from "../../src/journal/journal.ts";
import type { Doers } from "../../src/rooms/dispatcher.ts";
import { Rooms } from "../../src/rooms/rooms.ts";
import { ada, anna, bot, event, room, Scene, server, world } from "../core/scene.ts";

function unused(): never {
  throw new Error("not needed here");
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
    audit: async () => undefined,
    dispatch: (_room, fresh) => void due.push(...fresh),
    note: () => undefined,
    decided: () => undefined,
    now: () => 0,
  });
  const invited = { sender: anna, ts: 0, user: ada.user, membership: "invite", direct: true } as const;
  await rooms.put(room, { kind: "member", event: event("invite"), ...invited });
  const [effect] = due;
  if (effect?.kind !== "join") throw new Error("no join is due");
  return { rooms, due, effect, scene: new Scene() };
}

type Entrances = ReturnType<DoersOptions["entrance"]>;

function doersOf(rooms: Rooms, entrance: Partial<Entrances>, more: Partial<DoersOptions> = {}): Doers {
  return createDoers({
    server: world().server,
    messenger: unused,
    settling: unused,
    taskRooms: unused,
    filing: unused,
    audit: unused,
    turns: unused,
    ownState: unused,
    intake: unused,
    rooms: () => rooms,
    metrics: createMetrics(),
    entrance: () => ({
      adopt: unused,
      join: unused,
      stragglers: async () => [],
      reject: unused,
      follow: unused,
      invite: unused,
      ...entrance,
    }),
    ...more,
  });
}

const members = [anna, ada.user].map((user) => ({ user, membership: "join" as const }));
const snapshot = { version: "11", creators: [], power: {}, encrypted: false, members };

test("what is pushed while a join reads back, into a room that is not known yet, is answered all the same, in its order", async () => {
  const { rooms, due, effect, scene } = await invitedAda();
  const [before, hello, after] = [scene.message("before"), scene.message("hello"), scene.message("after")];
  const doers = doersOf(rooms, {
    // The room is read, and meanwhile comes what was read already, and what was not.
    join: async () => {
      for (const pushed of [hello, after, hello]) await rooms.put(room, pushed);
      return { kind: "joined", user: ada.user, snapshot, missed: [before, hello], attempts: 1 };
    },
  });
  await doers.join(room, effect, new AbortController().signal);
  await rooms.put(room, { kind: "done", effect: effect.id });

  expect(due.filter(({ kind }) => kind === "turn")).toMatchObject([
    { messages: [{ text: "before" }, { text: "hello" }, { text: "after" }] },
  ]);
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
  });
  await doers.join(room, effect, new AbortController().signal);
  await rooms.put(room, scene.message("hello"));

  expect(looks).toBe(2);
  expect(due.map(({ kind }) => kind)).toEqual(["join"]);
  await rooms.put(room, { kind: "power", event: event("unmute"), sender: anna, ts: 0, power: {} });
  expect(due.map(({ kind }) => kind)).toEqual(["join", "turn"]);
});

function placeNamed(name: string): RoomId {
  const place = asRoomId(`!${name}:${server}`);
  if (place === undefined) throw new Error("no room id");
  return place;
}

const [space, hq, made] = [placeNamed("space"), placeNamed("hq"), placeNamed("made")];
const alias = asRoomAlias(`#crewroom-task-7:${server}`);
const openTask: OpenTask = {
  kind: "openTask",
  id: "$asked:task" as EffectId,
  title: "CSV parser",
  brief: "with tests",
  asker: anna,
  cause: event("asked"),
};

/** Lanes in which a task was asked for, and what they want done. */
function asked(): { readonly rooms: Rooms; readonly due: (readonly [RoomId, Effect])[] } {
  const state: RoomState = { ...emptyRoom(room), people: [anna], seats: { [bot]: { place: "joined", direct: false } } };
  const records = new Map<RoomId, RoomRecord>([[room, { v: 1, state, outbox: [openTask], handled: [] }]]);
  const due: (readonly [RoomId, Effect])[] = [];
  const rooms = new Rooms(world(), {
    load: async (place) => records.get(place),
    save: async (place, record) => void records.set(place, record),
    audit: async () => undefined,
    dispatch: (place, fresh) => void due.push(...fresh.map((effect) => [place, effect] as const)),
    note: () => undefined,
    decided: () => undefined,
    now: () => 0,
  });
  return { rooms, due };
}

test("a task's room learns of its task once, and so does the room where it was asked for, though it is done twice", async () => {
  const { rooms, due } = asked();
  if (alias === undefined) throw new Error("no alias");
  const inSpaces: RoomId[] = [];
  const adopt: Entrances["adopt"] = async (_room, user) => {
    const inIt = { user, membership: "join" as const };
    return { kind: "joined", user, snapshot: { ...snapshot, members: [inIt] }, missed: [], attempts: 1 };
  };
  const doers = doersOf(
    rooms,
    { adopt },
    {
      settling: () => ({ headquarters: Promise.resolve({ space, hq }) }),
      taskRooms: () => ({
        open: async (_effect, inSpace) => {
          inSpaces.push(inSpace);
          return { number: 7, room: made, alias, created: inSpaces.length === 1 };
        },
      }),
    },
  );
  for (let times = 0; times < 2; times++) {
    expect(await doers.openTask(room, openTask, new AbortController().signal)).toBeUndefined();
  }
  await rooms.put(room, { kind: "done", effect: openTask.id });

  expect(inSpaces).toEqual([space, space]);
  const { state } = rooms.lane(made);
  expect(state?.task).toMatchObject({ number: 7, title: "CSV parser", brief: "with tests", asker: anna });
  expect(state?.seats[bot]).toMatchObject({ place: "joined" });
  const said = (place: RoomId) =>
    due.flatMap(([where, effect]) => (where === place && effect.kind === "say" ? [effect.text] : []));
  expect(said(made).filter((text) => text.includes("CSV parser"))).toHaveLength(1);
  expect(said(room)).toEqual([expect.stringContaining(encodeURIComponent(alias))]);
});

test("a task that waits for a homeserver that never came does not keep the bridge from ending", async () => {
  const { rooms } = asked();
  const end = new AbortController();
  const doers = doersOf(rooms, {}, { settling: () => ({ headquarters: new Promise(() => undefined) }) });
  const waits = doers.openTask(room, openTask, end.signal);
  end.abort(new Error("ending"));
  await expect(waits).rejects.toThrow("ending");
});

const kickOf = (name: string) =>
  ({ kind: "member", event: event(name), sender: anna, ts: 0, user: ada.user, membership: "leave" }) as const;

test("an agent that is kicked while its join is under way does not join again by itself", async () => {
  const { rooms, due, effect } = await invitedAda();
  let joins = 0;
  const doers = doersOf(rooms, {
    join: async () => {
      joins++;
      await rooms.put(room, { ...kickOf("kick"), direct: false });
      return { kind: "joined", user: ada.user, snapshot, missed: [], attempts: 1 };
    },
  });
  await doers.join(room, effect, new AbortController().signal);
  expect(joins).toBe(1);
  expect(rooms.lane(room).state?.seats[ada.user]).toMatchObject({ place: "left" });
  expect(due.map(({ kind }) => kind)).toEqual(["join"]);
});

test("a word that is refused after a kick does not bring the agent back, though its homeserver still shows it the room", async () => {
  const { rooms, effect } = await invitedAda();
  const joined = { kind: "joined", user: ada.user, snapshot, missed: [], attempts: 1 } as const;
  await rooms.put(room, joined);
  await rooms.put(room, { kind: "done", effect: effect.id });
  await rooms.put(room, { ...kickOf("kick"), direct: false });
  const refused = new HomeserverError(
    "HOMESERVER_REFUSED",
    {},
    {
      status: 403,
      errcode: "M_FORBIDDEN",
      retryable: false,
      outage: false,
    },
  );
  const before = { ...snapshot, members: members.filter(({ user }) => user !== ada.user) };
  const doers = doersOf(
    rooms,
    { adopt: async () => ({ ...joined, snapshot: before }) },
    {
      messenger: () => ({
        say: async () => Promise.reject(refused),
        setState: unused,
        react: unused,
        redact: unused,
      }),
    },
  );
  const say = {
    kind: "say",
    id: "late" as EffectId,
    as: ada.user,
    text: "late",
    style: "message",
    mentions: [],
  } as const;
  await expect(doers.say(room, say, new AbortController().signal)).rejects.toBe(refused);
  expect(rooms.lane(room).state?.seats[ada.user]).toMatchObject({ place: "left" });
});

test("questions go along to the room that replaces theirs, each once, with who asked it or with the bot", async () => {
  const { rooms } = await invitedAda();
  const next = asRoomId("!next:example.com");
  if (next === undefined) throw new Error("no room");
  const about = { text: "**Go on?**", options: [], timeout: "none", asked: 0, deadline: 3_600_000 };
  const ask = (id: string, matter: Ask["matter"]): Ask => ({ ...about, id, matter, message: id as EffectId });
  const effect: Follow = {
    kind: "follow",
    id: "follow" as EffectId,
    as: [bot, ada.user],
    replacement: next,
    via: [server],
    carried: [],
    asks: [
      ask("a1", { kind: "question", session: "ada", agent: ada.id }),
      ask("a2", { kind: "budget", scope: "*", day: 0 }),
    ],
  };
  const there = [bot, ada.user].map((user) => ({ user, membership: "join" as const }));
  const doers = doersOf(rooms, {
    follow: async () =>
      [bot, ada.user].map((user) => ({
        kind: "joined",
        user,
        snapshot: { ...snapshot, members: there },
        missed: [],
        attempts: 1,
      })),
  });
  await doers.follow(room, effect, new AbortController().signal);
  expect(rooms.lane(next).state?.asks?.map(({ matter, deadline }) => [matter.kind, deadline])).toEqual([
    ["budget", 3_600_000],
    ["question", 3_600_000],
  ]);
});

test("what the audit log is asked for is of this room, of its task also before an upgrade, or in HQ of all rooms", async () => {
  const { rooms } = asked();
  const filters: (AuditFilter | undefined)[] = [];
  const read: AuditReader["read"] = (filter) => {
    filters.push(filter);
    return (async function* () {})();
  };
  const parts: Partial<DoersOptions> = {
    settling: () => ({ headquarters: Promise.resolve({ space, hq }) }),
    audit: () => ({ read }),
  };
  const doers = doersOf(rooms, {}, parts);
  const recall = {
    kind: "recall",
    id: "$asked:audit" as EffectId,
    limit: 5,
    asked: { event: event("asked"), by: anna },
  } as const;
  const { signal } = new AbortController();
  await doers.recall(room, { ...recall, everywhere: false }, signal);
  await doers.recall(made, { ...recall, everywhere: true, task: { number: 7, created: 1_000 } }, signal);
  await doers.recall(hq, { ...recall, everywhere: true }, signal);
  await doers.recall(hq, { ...recall, everywhere: false }, signal);
  const newest = { limit: 5, newestFirst: true };
  expect(filters).toEqual([{ ...newest, room }, { ...newest, task: 7, since: 1_000 }, newest, { ...newest, room: hq }]);
});

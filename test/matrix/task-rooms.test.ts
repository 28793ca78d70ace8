import { Method } from "matrix-js-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OpenTask } from "../../src/core/effect.ts";
import type { EffectId, RoomId } from "../../src/core/ids.ts";
import type { CrewroomState } from "../../src/core/input.ts";
import { powerOf } from "../../src/core/power.ts";
import type { Facts } from "../../src/matrix/facts.ts";
import { Premises } from "../../src/matrix/headquarters.ts";
import type { Homeserver } from "../../src/matrix/homeserver.ts";
import { TaskRooms } from "../../src/matrix/task-rooms.ts";
import { taskRoomBody } from "../../src/matrix/task-room-body.ts";
import { uniqueName } from "../support/fresh-synapse.ts";
import { Person } from "../support/person.ts";
import { alias, event, room, user } from "./ids.ts";
import { ada, bot, facts, log, type RealHomeserver, realHomeserver } from "./real-homeserver.ts";

const never = new AbortController().signal;
const boss = user("@boss:localhost");
const admin = user("@admin:localhost");
const permissions = { localhost: "talk", [boss]: "supervise", [admin]: "admin", [bot]: "admin" } as const;

let real: RealHomeserver;
let space: RoomId;

async function settle(overrides: Record<string, unknown>): Promise<void> {
  real = await realHomeserver(overrides);
  const premises = new Premises({ homeserver: real.homeserver, bot, permissions, federate: true, name: "Crewroom" });
  ({ space } = await premises.open(never));
}

function taskRooms(meta: Facts, homeserver: Homeserver = real.homeserver): TaskRooms {
  return new TaskRooms({ homeserver, bot, permissions, federate: false, meta, retry: { maxWaitMs: 10 }, log });
}

let asked = 0;
function task(more: Partial<OpenTask> = {}): OpenTask {
  const cause = event(`$${uniqueName("asked")}`);
  const id = `${cause}:new` as EffectId;
  return { kind: "openTask", id, title: `Task ${asked++}`, brief: "", asker: ada, cause, ...more };
}

/** All state of a room, by type and key. */
async function stateOf(place: RoomId): Promise<ReadonlyMap<string, CrewroomState["content"]>> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(place)}/state`;
  const events = (await real.homeserver.request({ method: "GET", path, as: bot })) as {
    type: string;
    state_key: string;
    content: Record<string, unknown>;
  }[];
  return new Map(events.map((one) => [`${one.type} ${one.state_key}`.trim(), one.content]));
}

/** The rooms of the bot that are for a task, by how often they name it. */
async function roomsOfTask(number: number): Promise<number> {
  let found = 0;
  for (const place of await real.homeserver.joinedRooms(bot)) {
    found += (await stateOf(place)).get("dev.crewroom.room")?.["task"] === number ? 1 : 0;
  }
  return found;
}

/** A way to the homeserver on which something happens to the first request for a new room. */
function troubled(trouble: (send: () => Promise<Response>) => Promise<Response>): typeof fetch {
  let happened = false;
  return async (url, init) => {
    if (happened || !(typeof url === "string" && url.includes("/createRoom"))) return fetch(url, init);
    happened = true;
    return trouble(() => fetch(url, init));
  };
}

describe.each(["11", "12"])("with room version %s as the homeserver's default", (version) => {
  beforeAll(() => settle({ default_room_version: version }));
  afterAll(() => real[Symbol.asyncDispose]());

  test("A task's room has its name, its place, its bridge and its power", async () => {
    const anna = user(`@${uniqueName("anna")}:localhost`);
    const made = await taskRooms(facts()).open(task({ title: "CSV\nparser", asker: anna }), space, never);
    expect(made).toMatchObject({ created: true, alias: `#crewroom-task-${made.number}:localhost` });
    const state = await stateOf(made.room);
    expect(state.get("m.room.name")).toEqual({ name: `📝 #${made.number} CSV parser` });
    expect(state.get("m.room.topic")).toMatchObject({ topic: "planning" });
    expect(state.get("m.room.create")).toMatchObject({ "m.federate": false });
    expect(state.get("m.room.canonical_alias")).toEqual({ alias: made.alias });
    expect(state.get("dev.crewroom.room")).toMatchObject({ kind: "task", task: made.number, coordinator: bot, v: 1 });
    expect(state.get(`m.space.parent ${space}`)).toEqual({ via: ["localhost"], canonical: true });
    expect((await stateOf(space)).get(`m.space.child ${made.room}`)).toMatchObject({ via: ["localhost"] });
    for (const type of ["m.bridge", "uk.half-shot.bridge"]) {
      expect(state.get(`${type} dev.crewroom/task-${made.number}`)).toEqual({
        bridgebot: bot,
        creator: anna,
        protocol: { id: "crewroom", displayname: "Crewroom" },
        channel: { id: `task-${made.number}`, displayname: "CSV parser" },
      });
    }
    expect(state.get(`m.room.member ${anna}`)).toMatchObject({ membership: "invite" });
    const snapshot = await real.reads.snapshot(made.room, bot);
    expect(snapshot.version).toBe(version);
    const powers = [bot, anna, admin, boss, ada].map((who) => Math.min(powerOf(snapshot, who), 101));
    expect(powers).toEqual([version === "12" ? 101 : 100, 100, 100, 50, 0]);
    expect(Object.hasOwn(snapshot.power.users ?? {}, bot)).toBe(version !== "12");
    for (const name of ["room", "task", "subtask", "head", "agent"]) {
      expect(snapshot.power.events?.[`dev.crewroom.${name}`]).toBe(100);
    }
    expect(state.get("m.room.power_levels")).toMatchObject({ state_default: 50 });
  });

  test("A supervisor who is in the Space comes in without an invite, and has the power; a stranger does not come in", async () => {
    await using supervisor = await Person.login(real.synapse, "boss");
    await using stranger = await Person.login(real.synapse, uniqueName("stranger"));
    const made = await taskRooms(facts()).open(task(), space, never);
    const refused = { errcode: "M_FORBIDDEN" };
    await expect(stranger.join(made.room)).rejects.toMatchObject(refused);
    await expect(supervisor.join(made.room)).rejects.toMatchObject(refused);
    await real.homeserver.invite(space, bot, boss);
    await supervisor.join(space);
    await supervisor.join(made.room);
    await supervisor.client.setRoomTopic(made.room, "mine");
    const path = `/rooms/${encodeURIComponent(made.room)}/state/dev.crewroom.task/`;
    await expect(supervisor.client.http.authedRequest(Method.Put, path, {}, {})).rejects.toMatchObject(refused);
  });

  test("A room asked for twice is made once, and keeps what people made of it", async () => {
    const meta = facts();
    const effect = task();
    const first = await taskRooms(meta).open(effect, space, never);
    const levels = (await stateOf(first.room)).get("m.room.power_levels") ?? {};
    const users = { ...(levels["users"] as object), [boss]: 0 };
    await real.homeserver.setState(first.room, bot, "m.room.power_levels", "", { ...levels, users });
    await real.homeserver.join(first.room, ada);
    await real.homeserver.leave(first.room, ada);
    const before = await stateOf(first.room);
    expect(await taskRooms(meta).open(effect, space, never)).toEqual({ ...first, created: false });
    expect(await stateOf(first.room)).toEqual(before);
    const other = await taskRooms(meta).open(task(), space, never);
    expect(other.number).toBe(first.number + 1);
  });

  test("A room whose answer was lost is found again, not made again", async () => {
    const lossy = real.over(
      troubled(async (send) => {
        await send();
        throw new TypeError("fetch failed");
      }),
    );
    const made = await taskRooms(facts(), lossy).open(task(), space, never);
    expect(await roomsOfTask(made.number)).toBe(1);
    expect((await stateOf(space)).has(`m.space.child ${made.room}`)).toBe(true);
  });

  test("A bridge that ended between the number and the room goes on with that number", async () => {
    const meta = facts();
    const effect = task();
    const end = new AbortController();
    const dying = real.over(
      troubled(async () => {
        end.abort(new Error("killed"));
        throw new TypeError("fetch failed");
      }),
    );
    await expect(taskRooms(meta, dying).open(effect, space, end.signal)).rejects.toThrow("killed");
    const next = await taskRooms(meta).open(task(), space, never);
    const late = await taskRooms(meta).open(effect, space, never);
    expect(late).toMatchObject({ number: next.number - 1, created: true });
    expect(await roomsOfTask(late.number)).toBe(1);
  });

  test("With a lost store, numbers whose alias is taken are passed over, and the rooms are left alone", async () => {
    const before = await taskRooms(facts()).open(task(), space, never);
    const effect = task();
    const meta = facts();
    const after = await taskRooms(meta).open(effect, space, never);
    expect(after).toMatchObject({ number: before.number + 1, created: true });
    expect(await real.homeserver.resolveAlias(before.alias)).toBe(before.room);
    // The same request, with a store that was lost once more.
    expect(await taskRooms(facts()).open(effect, space, never)).toEqual({ ...after, created: false });
  });

  test("A room that the homeserver only half made is given up, and made anew under its number", async () => {
    const before = await taskRooms(facts()).open(task(), space, never);
    const number = before.number + 1;
    const half = await real.homeserver.createRoom(bot, { room_alias_name: `crewroom-task-${number}` });
    const effect = task();
    const meta = facts();
    await meta.set(`task-room:${effect.id}`, { number });
    const made = await taskRooms(meta).open(effect, space, never);
    expect(made).toMatchObject({ number, created: true });
    expect(made.room).not.toBe(half);
    expect(await real.homeserver.resolveAlias(made.alias)).toBe(made.room);
    expect(await real.homeserver.joinedRooms(bot)).not.toContain(half);
  });

  test("Rooms asked for at once get different numbers, in order", async () => {
    const rooms = taskRooms(facts());
    const made = await Promise.all([task(), task(), task()].map((effect) => rooms.open(effect, space, never)));
    const [first] = made;
    expect(made.map(({ number }) => number - (first?.number ?? 0))).toEqual([0, 1, 2]);
  });

  test("Somebody whose homeserver does not answer keeps nobody waiting", async () => {
    const end = new AbortController();
    const asker = user("@far:nowhere.invalid");
    const made = await taskRooms(facts()).open(task({ asker }), space, end.signal);
    expect(await real.homeserver.resolveAlias(made.alias)).toBe(made.room);
    end.abort();
  });

  test("What the homeserver refuses for good is told, and another try may succeed", async () => {
    const meta = facts();
    const effect = task();
    const refusing = real.over(
      troubled(async () => Response.json({ errcode: "M_FORBIDDEN", error: "no rooms today" }, { status: 403 })),
    );
    await expect(taskRooms(meta, refusing).open(effect, space, never)).rejects.toMatchObject({
      code: "HOMESERVER_REFUSED",
    });
    const made = await taskRooms(meta).open(effect, space, never);
    expect(await roomsOfTask(made.number)).toBe(1);
  });
});

test("A room whose version cannot be restricted is for invited people only", () => {
  const bodyFor = (version: string | undefined) =>
    taskRoomBody({
      number: 7,
      title: "x".repeat(200),
      asker: ada,
      origin: "o",
      bot,
      space: room("!space:localhost"),
      via: "localhost",
      federate: true,
      version,
    });
  const rules = (version: string | undefined) =>
    JSON.stringify(bodyFor(version)["initial_state"]).includes("m.room.join_rules");
  expect(["7", "8", "12", "org.example.1", undefined].map(rules)).toEqual([false, true, true, false, false]);
  const { name } = bodyFor("11");
  expect(name).toMatch(/^📝 #7 x+…$/);
  expect(name).toHaveLength(100);
  expect(alias(`#${String(bodyFor("11")["room_alias_name"])}:localhost`)).toBe("#crewroom-task-7:localhost");
});

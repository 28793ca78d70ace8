import { describe, expect, test } from "vitest";
import { CrewError } from "../../src/core/errors.ts";
import type { Say } from "../../src/core/effect.ts";
import type { EffectId } from "../../src/core/ids.ts";
import type { DeadLetter, RoomRecord } from "../../src/core/record.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Dispatcher, type Doers } from "../../src/rooms/dispatcher.ts";
import { Rooms } from "../../src/rooms/rooms.ts";
import { anna, boss, event, room, Scene, world } from "../core/scene.ts";

const log = createLogger({ level: "silent", format: "json" });

interface Desk {
  readonly scene: Scene;
  readonly rooms: Rooms;
  readonly dispatcher: Dispatcher;
  readonly buried: DeadLetter[];
  /** The end of an effect: its event, or nothing. */
  readonly over: (effect: string) => Promise<string | undefined>;
}

function open(say: Doers["say"]): Desk {
  const scene = new Scene();
  scene.enter([anna, boss]);
  let record: RoomRecord | undefined = scene.record;
  const buried: DeadLetter[] = [];
  const ends = new Map<string, PromiseWithResolvers<string | undefined>>();
  const endOf = (effect: string): PromiseWithResolvers<string | undefined> => {
    const end = ends.get(effect) ?? Promise.withResolvers<string | undefined>();
    ends.set(effect, end);
    return end;
  };
  const nothing = async (): Promise<undefined> => undefined;
  const dispatcher = new Dispatcher({
    doers: {
      say,
      join: nothing,
      leave: nothing,
      follow: nothing,
      announce: nothing,
      forget: nothing,
      turn: async () => "later",
    },
    fleeting: () => undefined,
    onOutcome: (effect, made) => endOf(effect).resolve(made),
    bury: async (letter) => void buried.push(letter),
    now: () => 7,
    log,
  });
  const rooms = new Rooms(world(), {
    load: async () => record,
    save: async (_room, next) => void (record = next),
    dispatch: (where, fresh, fleeting) => dispatcher.dispatch(where, fresh, fleeting),
    note: () => undefined,
    now: () => 0,
  });
  dispatcher.connect(rooms);
  return { scene, rooms, dispatcher, buried, over: (effect) => endOf(effect).promise };
}

describe("the dispatcher", () => {
  test("does one user's effects one after another, and records each before the next", async () => {
    const seen: string[] = [];
    const { scene, rooms, over } = open(async (_room, { id }: Say) => {
      seen.push(`${id}, of ${rooms.lane(room).outbox.length} due`);
      return event(`e${seen.length}`);
    });
    const commands = [scene.message("!crew ping"), scene.message("!crew version")];
    await Promise.all(commands.map((command) => rooms.put(room, command)));
    const ids = commands.map((command) => `${command.event}:command`);
    expect(await Promise.all(ids.map((id) => over(id)))).toEqual(["$e1", "$e2"]);
    expect(seen).toEqual([`${ids[0]}, of 2 due`, `${ids[1]}, of 1 due`]);
    expect(rooms.lane(room).outbox).toEqual([]);
  });

  test("keeps what failed for good as a dead letter, and the room hears of it in HQ where nobody else can tell it", async () => {
    const { scene, rooms, buried, over } = open(async () => {
      throw new CrewError("HOMESERVER_REFUSED", {
        what: "a message",
        status: 403,
        errcode: "M_FORBIDDEN",
        reason: "no",
      });
    });
    const command = scene.message("!crew ping");
    await rooms.put(room, command);
    expect(await over(`${command.event}:command`)).toBeUndefined();
    expect(buried).toMatchObject([{ room, code: "HOMESERVER_REFUSED", ts: 7 }]);
    expect(await over(`${command.event}:command:failure:hq`)).toBeUndefined();
    expect(rooms.lane(room).outbox).toEqual([]);
  });

  test("does not do what was taken back before its time", async () => {
    const first = Promise.withResolvers<void>();
    const done: EffectId[] = [];
    const { scene, rooms, over } = open(async (_room, { id }: Say) => {
      done.push(id);
      await first.promise;
      return undefined;
    });
    const [one, two] = [scene.message("!crew ping"), scene.message("!crew version")];
    await rooms.put(room, one);
    await rooms.put(room, two);
    const kick = {
      kind: "member",
      event: scene.fresh(),
      sender: anna,
      ts: 0,
      user: scene.world.bot,
      membership: "leave",
      direct: false,
    } as const;
    const [ada] = scene.world.crew.keys();
    if (ada === undefined) throw new Error("no crew");
    await rooms.put(room, { ...kick, user: ada });
    first.resolve();
    expect(await over(`${two.event}:command`)).toBeUndefined();
    expect(done).toEqual([`${one.event}:command`]);
  });

  test("ends without an outcome: what went on stays in the record for the next start", async () => {
    const began = Promise.withResolvers<void>();
    const { scene, rooms, dispatcher, buried } = open(async (_room, _say, signal) => {
      began.resolve();
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
      return undefined;
    });
    const command = scene.message("!crew ping");
    await rooms.put(room, command);
    await began.promise;
    await dispatcher[Symbol.asyncDispose]();
    expect(buried).toEqual([]);
    expect(rooms.lane(room).outbox).toMatchObject([{ id: `${command.event}:command` }]);
  });
});

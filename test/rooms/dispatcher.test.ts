import { describe, expect, test } from "vitest";
import { CrewError } from "../../src/core/errors.ts";
import type { OpenTask, React, Say } from "../../src/core/effect.ts";
import { asRoomId, type EffectId, type EventId, type RoomId } from "../../src/core/ids.ts";
import type { DeadLetter, RoomRecord } from "../../src/core/record.ts";
import { emptyRoom } from "../../src/core/room.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Dispatcher, type Doers } from "../../src/rooms/dispatcher.ts";
import { Rooms } from "../../src/rooms/rooms.ts";
import { ada, anna, boss, bot, event, room, Scene, server, world } from "../core/scene.ts";

const log = createLogger({ level: "silent", format: "json" });

interface Desk {
  readonly scene: Scene;
  /** What is on disk. */
  readonly records: Map<RoomId, RoomRecord>;
  readonly rooms: Rooms;
  readonly dispatcher: Dispatcher;
  readonly buried: DeadLetter[];
  /** The end of an effect: its event, or nothing. */
  readonly over: (effect: string) => Promise<string | undefined>;
}

function open(say: Doers["say"], others: Partial<Doers> = {}): Desk {
  const scene = new Scene();
  scene.enter([anna, boss]);
  const records = new Map<RoomId, RoomRecord>([[room, scene.record]]);
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
      state: nothing,
      react: nothing,
      invite: nothing,
      openTask: nothing,
      files: nothing,
      publish: nothing,
      redact: nothing,
      recall: nothing,
      turn: async () => "later",
      ...others,
    },
    fleeting: () => undefined,
    onOutcome: (effect, made) => endOf(effect).resolve(made),
    bury: async (letter) => void buried.push(letter),
    now: () => 7,
    log,
  });
  const rooms = new Rooms(world(), {
    load: async (place) => records.get(place),
    save: async (place, next) => void records.set(place, next),
    audit: async () => undefined,
    decided: () => undefined,
    dispatch: (where, fresh, fleeting) => dispatcher.dispatch(where, fresh, fleeting),
    note: () => undefined,
    now: () => 0,
  });
  dispatcher.connect(rooms);
  return { scene, records, rooms, dispatcher, buried, over: (effect) => endOf(effect).promise };
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

  test("begins a turn only after what was said before it", async () => {
    const said = Promise.withResolvers<void>();
    const order: string[] = [];
    const began = Promise.withResolvers<void>();
    const { scene, rooms } = open(
      async () => {
        await said.promise;
        order.push("said");
        return event("said");
      },
      {
        turn: async () => {
          order.push("turn");
          began.resolve();
          return "later";
        },
      },
    );
    // Decided together: the answer to a command, and a turn.
    const command = rooms.put(room, scene.message("!crew ping"));
    const words = rooms.put(
      room,
      scene.message("Please begin.", { mentions: [...scene.world.crew.keys()].slice(0, 1) }),
    );
    await Promise.all([command, words]);
    expect(order).toEqual([]);
    said.resolve();
    await began.promise;
    expect(order).toEqual(["said", "turn"]);
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

  test("opens one task at a time over all rooms, in the order in which they were asked for", async () => {
    const begun: string[] = [];
    const held = Promise.withResolvers<undefined>();
    const { records, rooms, dispatcher, over } = open(async () => undefined, {
      openTask: async (_room, { id }) => {
        begun.push(id);
        return held.promise;
      },
    });
    const ids = ["first", "second", "third"].map((name) => `${name}:task` as EffectId);
    const places = ids.map((id) => {
      const place = asRoomId(`!${id.slice(0, -5)}:${server}`);
      if (place === undefined) throw new Error("no room id");
      const effect: OpenTask = { kind: "openTask", id, title: id, brief: "", asker: anna, cause: event(id) };
      records.set(place, { v: 1, state: emptyRoom(place), outbox: [effect], handled: [] });
      return place;
    });
    for (const place of places) await rooms.put(place, { kind: "recovered" });
    for (const place of places) dispatcher.dispatch(place, rooms.lane(place).outbox, []);
    // Whatever may begin has begun by the time that something else is decided.
    await rooms.put(room, { kind: "tick" });
    expect(begun).toEqual(ids.slice(0, 1));
    held.resolve(undefined);
    await Promise.all(ids.map((id) => over(id)));
    expect(begun).toEqual(ids);
  });

  test("puts a reaction under a message only after that message, whose event it knows by then", async () => {
    const seen: string[] = [];
    const held = Promise.withResolvers<EventId>();
    const begun = Promise.withResolvers<void>();
    const message = "ask" as EffectId;
    const react: React = { kind: "react", id: "ask:✅" as EffectId, as: bot, target: { effect: message }, key: "✅" };
    const say: Say = { kind: "say", id: message, as: bot, text: "Shall we?", style: "message", mentions: [] };
    const { scene, records, rooms, dispatcher, over } = open(
      async () => {
        seen.push("say");
        begun.resolve();
        return held.promise;
      },
      {
        react: async (_room, { target }) => {
          seen.push(JSON.stringify(target));
          return event("reacted");
        },
      },
    );
    records.set(room, { ...scene.record, outbox: [say, react] });
    await rooms.put(room, { kind: "recovered" });
    dispatcher.dispatch(room, rooms.lane(room).outbox, []);
    await begun.promise;
    await rooms.put(room, { kind: "tick" });
    expect(seen).toEqual(["say"]);
    held.resolve(event("asked"));
    expect(await over(react.id)).toBe("$reacted");
    expect(seen).toEqual(["say", JSON.stringify({ event: "$asked" })]);
  });

  test("says what follows from somebody's words after those words", async () => {
    const seen: string[] = [];
    const held = Promise.withResolvers<EventId>();
    const begun = Promise.withResolvers<void>();
    const words = (id: string, as: Say["as"]): Say => ({
      kind: "say",
      id: id as EffectId,
      as,
      text: id,
      style: "message",
      mentions: [],
    });
    const cause = words("approved", ada.user);
    const consequence = words("done", bot);
    const { scene, records, rooms, dispatcher, over } = open(async (_room, { id }) => {
      seen.push(id);
      begun.resolve();
      return id === cause.id ? held.promise : event("sent");
    });
    records.set(room, { ...scene.record, outbox: [cause, consequence] });
    await rooms.put(room, { kind: "recovered" });
    dispatcher.dispatch(room, rooms.lane(room).outbox, []);
    await begun.promise;
    expect(seen).toEqual(["approved"]);
    held.resolve(event("first"));
    await over(consequence.id);
    expect(seen).toEqual(["approved", "done"]);
  });

  test("says what is decided one after another in a thread in that order, whoever says it", async () => {
    const seen: string[] = [];
    const held = Promise.withResolvers<EventId>();
    const begun = Promise.withResolvers<void>();
    const words = (id: string, as: Say["as"], thread?: EventId): Say => ({
      kind: "say",
      id: id as EffectId,
      as,
      text: id,
      style: "message",
      mentions: [],
      ...(thread === undefined ? {} : { thread }),
    });
    const thread = event("root");
    const [submission, verdict, elsewhere] = [
      words("handed in", ada.user, thread),
      words("approved", bot, thread),
      words("elsewhere", anna),
    ];
    const { scene, records, rooms, dispatcher, over } = open(async (_room, { id }) => {
      seen.push(id);
      if (id !== submission.id) return event(id.replace(" ", "-"));
      begun.resolve();
      return held.promise;
    });
    records.set(room, { ...scene.record, outbox: [submission, verdict, elsewhere] });
    await rooms.put(room, { kind: "recovered" });
    for (const effect of rooms.lane(room).outbox) dispatcher.dispatch(room, [effect], []);
    await begun.promise;
    await over(elsewhere.id);
    expect(seen).toEqual(["handed in", "elsewhere"]);
    held.resolve(event("first"));
    await over(verdict.id);
    expect(seen).toEqual(["handed in", "elsewhere", "approved"]);
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

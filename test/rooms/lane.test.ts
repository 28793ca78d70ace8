import { describe, expect, test } from "vitest";
import type { Effect } from "../../src/core/effect.ts";
import type { Ask } from "../../src/core/asks.ts";
import type { EffectId } from "../../src/core/ids.ts";
import type { RoomRecord } from "../../src/core/record.ts";
import type { RoomState } from "../../src/core/room.ts";
import { Lane, type LanePorts } from "../../src/rooms/lane.ts";
import { ada, anna, room, Scene, world } from "../core/scene.ts";
import { task } from "./tasks.ts";

interface Desk {
  readonly lane: Lane;
  readonly scene: Scene;
  readonly saved: RoomRecord[];
  readonly due: Effect[];
}

/** A lane of a room where Anna is alone with Ada, on a store that the test watches. */
function open(ports: Partial<LanePorts> = {}): Desk {
  const scene = new Scene();
  scene.enter([anna]);
  const saved: RoomRecord[] = [];
  const due: Effect[] = [];
  const lane = new Lane(room, world(), {
    load: async () => scene.record,
    save: async (_room, record) => void saved.push(record),
    audit: async () => undefined,
    dispatch: (_room, fresh) => void due.push(...fresh),
    note: () => undefined,
    now: () => 0,
    decided: () => undefined,
    ...ports,
  });
  return { lane, scene, saved, due };
}

describe("a lane", () => {
  test("decides what waits together in order, and writes it once", async () => {
    const { lane, scene, saved, due } = open();
    const outcomes = await Promise.all(["one", "two", "three"].map((text) => lane.put(scene.message(text))));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["acted", "acted", "acted"]);
    expect(saved).toHaveLength(1);
    expect(due).toMatchObject([{ kind: "turn", messages: [{ text: "one" }] }]);
    expect(saved[0]?.state.sessions[ada.id]?.queue.map(({ text }) => text)).toEqual(["two", "three"]);
  });

  test("writes nothing for what changes nothing", async () => {
    const { lane, scene, saved } = open();
    expect(await lane.put(scene.message("automatic", { notice: true }))).toEqual({ outcome: "ignored" });
    expect(saved).toEqual([]);
  });

  test("takes an event that comes again for what it is", async () => {
    const { lane, scene, due } = open();
    const message = scene.message("hello");
    await lane.put(message);
    expect(await lane.put(message)).toEqual({ outcome: "duplicate" });
    expect(due).toHaveLength(1);
  });

  test("lets effects go out, and callers know, only after the write", async () => {
    const written = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const { lane, scene, due } = open({
      save: () => {
        asked.resolve();
        return written.promise;
      },
    });
    const put = lane.put(scene.message("hello"));
    await asked.promise;
    expect(due).toEqual([]);
    written.resolve();
    await put;
    expect(due).toHaveLength(1);
  });

  test("does not begin what a later input of the same moment took back", async () => {
    const { lane, scene, due } = open();
    const kick = {
      kind: "member",
      event: scene.fresh(),
      sender: anna,
      ts: 0,
      user: ada.user,
      membership: "leave",
      direct: false,
    } as const;
    await Promise.all([lane.put(scene.message("hello")), lane.put(kick)]);
    expect(due).toEqual([]);
  });

  test("says what a room that concerns others has decided, once for all that waits together and before the write", async () => {
    const did: (readonly [string, RoomState])[] = [];
    const { lane, scene } = open({
      load: async () => ({ ...scene.record, state: { ...scene.record.state, task: task([]) } }),
      decided: (_room, state) => void did.push(["decided", state]),
      save: async (_room, { state }) => void did.push(["saved", state]),
    });
    await Promise.all(["one", "two"].map((text) => lane.put(scene.message(text, { mentions: [ada.user] }))));
    expect(did.map(([what]) => what)).toEqual(["decided", "saved"]);
    expect(did[0]?.[1]).toBe(did[1]?.[1]);
  });

  test("says it also when nothing has changed: the time that the room waits for may have passed", async () => {
    let decided = 0;
    const asks: readonly Ask[] = [
      {
        id: "a1",
        matter: { kind: "budget" },
        text: "More?",
        options: [],
        timeout: "deny",
        asked: 0,
        deadline: 1_000,
        message: "question" as EffectId,
      },
    ];
    const { lane, scene, saved } = open({
      load: async () => ({ ...scene.record, state: { ...scene.record.state, asks } }),
      decided: () => void decided++,
    });
    expect(await lane.put({ kind: "done", effect: "of another room" as EffectId })).toEqual({ outcome: "ignored" });
    expect(saved).toEqual([]);
    expect(decided).toBe(1);
  });

  test("says nothing of a room where people only talk", async () => {
    let decided = 0;
    const { lane, scene } = open({ decided: () => void decided++ });
    expect(await lane.put(scene.message("hello"))).toEqual({ outcome: "acted" });
    expect(decided).toBe(0);
  });

  test("tells its callers when the record cannot be read, and tries again for the next ones", async () => {
    let broken = true;
    const { lane, scene } = open({
      load: async () => {
        if (broken) throw new Error("unreadable");
        return undefined;
      },
    });
    await expect(lane.put(scene.message("hello"))).rejects.toThrow("unreadable");
    broken = false;
    await expect(lane.put(scene.message("hello"))).resolves.toEqual({ outcome: "ignored" });
  });
});

import { describe, expect, test } from "vitest";
import type { Effect } from "../../src/core/effect.ts";
import type { RoomRecord } from "../../src/core/record.ts";
import { Lane, type LanePorts } from "../../src/rooms/lane.ts";
import { ada, anna, room, Scene, world } from "../core/scene.ts";

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
    dispatch: (_room, fresh) => void due.push(...fresh),
    note: () => undefined,
    now: () => 0,
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

import { expect, test } from "vitest";
import { createDoers } from "../../src/bridge/doers.ts";
import type { Effect } from "../../src/core/effect.ts";
import type { EffectId } from "../../src/core/ids.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { Rooms } from "../../src/rooms/rooms.ts";
import { ada, anna, event, room, Scene, world } from "../core/scene.ts";

function unused(): never {
  throw new Error("not needed for a join");
}

test("what is pushed while a join reads back, into a room that is not known yet, is answered all the same", async () => {
  const scene = new Scene();
  const due: Effect[] = [];
  const rooms = new Rooms(world(), {
    load: async () => undefined,
    save: async () => undefined,
    dispatch: (_room, fresh) => void due.push(...fresh),
    note: () => undefined,
    now: () => 0,
  });
  const invite = event("invite");
  const invited = { sender: anna, ts: 0, user: ada.user, membership: "invite", direct: true } as const;
  await rooms.put(room, { kind: "member", event: invite, ...invited });
  const [effect] = due;
  if (effect?.kind !== "join") throw new Error("no join is due");

  const hello = scene.message("hello");
  const members = [anna, ada.user].map((user) => ({ user, membership: "join" as const }));
  const snapshot = { version: "11", creators: [], power: {}, encrypted: false, members };
  const doers = createDoers({
    server: world().server,
    messenger: unused,
    settling: unused,
    turns: unused,
    intake: unused,
    rooms: () => rooms,
    metrics: createMetrics(),
    entrance: () => ({
      // The room is read, and only then comes the person's first word.
      join: async () => {
        await rooms.put(room, hello);
        return { kind: "joined", user: ada.user, snapshot, missed: [], attempts: 1 };
      },
      missed: async () => [hello],
      reject: unused,
      follow: unused,
    }),
  });
  await doers.join(room, effect, new AbortController().signal);
  await rooms.put(room, { kind: "done", effect: effect.id });

  expect(due.filter(({ kind }) => kind === "turn")).toMatchObject([{ messages: [{ text: "hello" }] }]);
  expect(due.map(({ id }) => id)).toContain(`${invite}:join` as EffectId);
});

/** Two hundred open approvals, answered in a burst by several people at once: each has exactly one outcome. */
import { expect, test } from "vitest";
import type { Draft } from "../../src/core/draft.ts";
import type { Effect, Say } from "../../src/core/effect.ts";
import { asRoomId, type EffectId, type EventId, type RoomId } from "../../src/core/ids.ts";
import type { Message, Reaction } from "../../src/core/input.ts";
import type { RoomRecord } from "../../src/core/record.ts";
import type { World } from "../../src/core/world.ts";
import { ask } from "../../src/core/asks.ts";
import { Rooms } from "../../src/rooms/rooms.ts";
import { ada, anna, boss, bot, defined, event, user, world } from "../core/scene.ts";
import { Random } from "./random.ts";

const rooms = 10;
const each = 20;
const people = [boss, anna, user("ben")];

const roomAt = (number: number): RoomId => defined(asRoomId(`!burst${number}:example.com`));

/** Asks as often as its command is said. */
const asking = (draft: Draft, { event: cause }: Message): void => {
  const matter = { kind: "budget" } as const;
  ask(draft, { matter, text: `Go on, ${cause}?`, timeout: "deny", mentions: [] });
};

test("two hundred approvals answered in a burst", async () => {
  const kept = new Map<RoomId, RoomRecord>();
  const out: Effect[] = [];
  const here: World = {
    ...world(),
    permissions: Object.fromEntries(people.map((who) => [who, "supervise"])),
    command: asking,
  };
  const lanes = new Rooms(here, {
    load: async (room) => kept.get(room),
    save: async (room, record) => {
      kept.set(room, JSON.parse(JSON.stringify(record)) as RoomRecord);
    },
    audit: async () => undefined,
    dispatch: (_room, fresh) => out.push(...fresh),
    note: () => undefined,
    decided: () => undefined,
    now: () => 1_000_000,
  });
  const members = [...people, bot, ada.user].map((who) => ({ user: who, membership: "join" as const }));
  const power = { users: Object.fromEntries(people.map((who) => [who, 50])) };
  const from = (number: number, name: string) => ({ event: event(`${name}-${number}`), sender: boss, ts: 0 });

  const open: { readonly room: RoomId; readonly event: EventId }[] = [];
  for (let number = 0; number < rooms; number++) {
    const room = roomAt(number);
    const snapshot = { version: "11", creators: [], power, encrypted: false, members };
    await lanes.put(room, { kind: "joined", user: bot, snapshot, missed: [], attempts: 1 });
    for (let count = 0; count < each; count++) {
      const said = { kind: "message", text: "!crew ask", mentions: [], notice: false } as const;
      await lanes.put(room, { ...said, ...from(count, `ask${number}`) });
    }
    for (const { message } of kept.get(room)?.state.asks ?? []) {
      const question = event(`question-${message}`);
      await lanes.put(room, { kind: "done", effect: message, event: question });
      open.push({ room, event: question });
    }
  }
  expect(open).toHaveLength(rooms * each);
  out.length = 0;

  // Everybody answers everything, not all the same, in any order, and the homeserver says some of it twice.
  const answers = open.flatMap(({ room, event: target }) =>
    people.map((sender, index) => {
      const key = index === 1 ? "❌" : "✅";
      const reaction: Reaction = {
        kind: "reaction",
        event: event(`${target}-by-${index}`),
        sender,
        ts: 0,
        target,
        key,
      };
      return { room, reaction };
    }),
  );
  const random = new Random(20_261_121);
  const burst = [...answers, ...answers.slice(0, 200)]
    .map((one) => [random.next(), one] as const)
    .sort(([a], [b]) => a - b);
  await Promise.all(burst.map(([, { room, reaction }]) => lanes.put(room, reaction)));

  const outcomes = out.filter((effect): effect is Say => effect.kind === "say" && effect.approval !== undefined);
  const edited = outcomes.map(({ replaces }) => (replaces !== undefined && "event" in replaces ? replaces.event : ""));
  expect(new Set(edited)).toEqual(new Set(open.map((one) => one.event)));
  expect(edited).toHaveLength(open.length);
  expect(new Set(outcomes.map(({ id }): EffectId => id)).size).toBe(open.length);
  for (const { approval } of outcomes) {
    expect(approval).toMatchObject({ state: "answered" });
    expect(approval?.["option"]).toBe(approval?.["by"] === anna ? "deny" : "approve");
  }
  for (const { state } of kept.values()) expect(state.asks).toEqual([]);
});

import { expect, test } from "vitest";
import type { RoomId, UserId } from "../../src/core/ids.ts";
import { stragglersOf } from "../../src/matrix/stragglers.ts";

const room = "!r:away.example" as RoomId;
const ada = "@agent_ada:home.example" as UserId;
const isOwn = (user: UserId): boolean => user.startsWith("@agent_");

function member(user: string, ts: number, membership = "join") {
  return { type: "m.room.member", state_key: user, sender: user, origin_server_ts: ts, content: { membership } };
}

/** A room whose events are found by their time, as the homeservers in it know them together. */
function reads(state: readonly object[], events: readonly { readonly sender: string; readonly ts: number }[]) {
  const asked: number[] = [];
  return {
    asked,
    state: async () => state,
    eventFrom: async (_room: RoomId, _as: UserId, ts: number) => {
      asked.push(ts);
      const found = events.find((event) => event.ts >= ts);
      return found && { type: "m.room.message", sender: found.sender, origin_server_ts: found.ts };
    },
  };
}

const zoe = "@zoe:away.example";

test("what was said while a join was on its way is found, each once, until there is no more", async () => {
  const there = reads(
    [member(zoe, 1), member(ada, 10)],
    [5, 11, 11, 14].map((ts) => ({ sender: zoe, ts })),
  );
  const found = await stragglersOf(there, room, ada, isOwn);
  expect(found).toMatchObject([{ origin_server_ts: 11 }, { origin_server_ts: 14 }]);
  expect(there.asked).toEqual([11, 12, 15]);
});

test("it ends at what one of ours said, and after a few", async () => {
  const own = reads(
    [member(ada, 10)],
    [
      { sender: zoe, ts: 11 },
      { sender: ada, ts: 12 },
      { sender: zoe, ts: 13 },
    ],
  );
  expect(await stragglersOf(own, room, ada, isOwn)).toHaveLength(1);
  const many = reads(
    [member(ada, 0)],
    Array.from({ length: 50 }, (_, index) => ({ sender: zoe, ts: index + 1 })),
  );
  expect(await stragglersOf(many, room, ada, isOwn)).toHaveLength(10);
});

test("nothing is fetched where other people of our server are in the room, or where the join is not known", async () => {
  const said = [{ sender: zoe, ts: 11 }];
  const withBen = reads([member(ada, 10), member("@ben:home.example", 5)], said);
  expect(await stragglersOf(withBen, room, ada, isOwn)).toEqual([]);
  const left = reads(
    [member(ada, 10), member("@ben:home.example", 5, "leave"), member("@agent_bo:home.example", 6)],
    said,
  );
  expect(await stragglersOf(left, room, ada, isOwn)).toHaveLength(1);
  const absent = reads([member(ada, 10, "invite")], said);
  expect(await stragglersOf(absent, room, ada, isOwn)).toEqual([]);
  expect([...withBen.asked, ...absent.asked]).toEqual([]);
});

/** The bot's own rooms, on a real Synapse. */
import { expect, test } from "vitest";
import { Premises } from "../../src/matrix/headquarters.ts";
import { user } from "./ids.ts";
import { bot, realHomeserver } from "./real-homeserver.ts";

const never = new AbortController().signal;

test("an HQ that the homeserver had only half made when it was killed is completed, and its name may be changed later", async () => {
  await using real = await realHomeserver();
  const { homeserver, reads } = real;
  const hq = await homeserver.createRoom(bot, { room_alias_name: "crewroom-hq", preset: "private_chat" });
  const permissions = { [user("@boss:localhost")]: "admin" } as const;
  const premises = new Premises({ homeserver, bot, permissions, federate: true, name: "Crewroom" });
  expect((await premises.open(never)).hq).toBe(hq);
  const nameOf = (): Promise<unknown> =>
    homeserver.request({
      method: "GET",
      path: `/_matrix/client/v3/rooms/${encodeURIComponent(hq)}/state/m.room.name/`,
      as: bot,
    });
  expect(await nameOf()).toEqual({ name: "Crewroom HQ" });
  const mark = (await reads.snapshot(hq, bot)).crewroom?.find(({ type }) => type === "dev.crewroom.room");
  expect(mark?.content).toEqual({ kind: "hq", v: 1 });

  await homeserver.setState(hq, bot, "m.room.name", "", { name: "The bridge" });
  await premises.open(never);
  expect(await nameOf()).toEqual({ name: "The bridge" });
});

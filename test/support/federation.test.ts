import { expect, test } from "vitest";
import { startFederation } from "./federation.ts";
import { Person } from "./person.ts";

test("an invite, a join, messages and a file cross between two homeservers", { timeout: 120_000 }, async () => {
  await using pair = await startFederation();
  await using anna = await Person.login(pair.home, "anna");
  await using zoe = await Person.login(pair.away, "zoe");
  expect(zoe.userId).toBe(`@zoe:${pair.away.serverName}`);
  const room = await anna.createDirectRoom(zoe.userId, "hello over there");
  await expect(zoe.waitForInvite(anna.userId)).resolves.toBe(room);
  await zoe.join(room, [pair.home.serverName]);
  await zoe.say(room, "hello back");
  await expect(anna.waitForMessage(room, "hello back")).resolves.toMatchObject({ sender: zoe.userId });
  await anna.sendFile(room, { name: "note.txt", mimeType: "text/plain", bytes: Buffer.from("across") });
  const seen = await zoe.waitForMessage(room, "note.txt");
  await expect(zoe.download(String(seen.content["url"]))).resolves.toEqual(Buffer.from("across"));
});

import { beforeAll, describe, expect, test } from "vitest";
import type { Synapse } from "../../src/demo/synapse.ts";
import { freshSynapse, uniqueName } from "./fresh-synapse.ts";
import { Person } from "./person.ts";
import { sharedSynapse } from "./shared-synapse.ts";

describe("people on a real Synapse", { timeout: 60_000 }, () => {
  let synapse: Synapse;
  beforeAll(async () => {
    synapse = await sharedSynapse();
  }, 120_000);
  const login = (name: string): Promise<Person> => Person.login(synapse, uniqueName(name));

  async function together(): Promise<
    AsyncDisposable & { readonly anna: Person; readonly ben: Person; readonly room: string }
  > {
    const [anna, ben] = await Promise.all([login("anna"), login("ben")]);
    const room = await anna.createRoom({ name: "A room", invite: [ben.userId] });
    await ben.waitForInvite(anna.userId);
    await ben.join(room);
    await anna.waitForMember(room, ben.userId, "join");
    return {
      anna,
      ben,
      room,
      [Symbol.asyncDispose]: async () => {
        await Promise.all([anna[Symbol.asyncDispose](), ben[Symbol.asyncDispose]()]);
      },
    };
  }

  test("what one says another sees, with mentions, replies and threads as Element makes them", async () => {
    await using people = await together();
    const { anna, ben, room } = people;
    const root = await anna.mention(room, ben.userId, "are you <there>?");
    const seen = await ben.waitForMessage(room, /are you/);
    expect(seen).toMatchObject({ id: root, sender: anna.userId, mentions: [ben.userId], edits: 0 });
    expect(seen.html).toContain(`<a href="https://matrix.to/#/${ben.userId}">`);
    expect(seen.html).toContain("&lt;there&gt;");
    await ben.reply(room, seen, "yes");
    await ben.say(room, "in a thread", { thread: root });
    await expect(anna.waitForMessage(room, "yes")).resolves.toMatchObject({ replyTo: root, mentions: [anna.userId] });
    await expect(anna.waitForMessage(room, "in a thread")).resolves.toMatchObject({ thread: root, replyTo: undefined });
  });

  test("a wait also finds what arrived earlier, and a wait in vain tells what was said instead", async () => {
    await using people = await together();
    const { anna, ben, room } = people;
    await anna.say(room, "early");
    await ben.waitForMessage(room, "early");
    await expect(ben.waitForMessage(room, "early", { from: anna.userId })).resolves.toMatchObject({ text: "early" });
    const vain = ben.waitForMessage(room, "never", { timeoutMs: 50 });
    await expect(vain).rejects.toThrow(/never[\s\S]*early/);
  });

  test("edits, reactions and redactions are folded into the message", async () => {
    await using people = await together();
    const { anna, ben, room } = people;
    const first = await anna.say(room, "one");
    await anna.edit(room, first, "two");
    await anna.edit(room, first, "three");
    await ben.react(room, first, "🛑");
    await ben.waitForMessage(room, (said) => said.id === first && said.text === "three" && said.reactions.length === 1);
    const secret = await anna.say(room, "secret");
    await anna.redact(room, secret);
    await ben.waitForMessage(room, (said) => said.id === secret && said.redacted);
    // Nobody edits another's words.
    await ben.edit(room, first, "forged");
    const last = await ben.say(room, "end");
    await anna.waitForMessage(room, "end");
    for (const timeline of [await anna.timeline(room), anna.seen(room)]) {
      expect(timeline.map(({ id, text, edits, redacted }) => ({ id, text, edits, redacted }))).toEqual([
        { id: first, text: "three", edits: 2, redacted: false },
        { id: secret, text: "", edits: 0, redacted: true },
        { id: last, text: "end", edits: 0, redacted: false },
      ]);
      expect(timeline[0]?.reactions).toEqual([{ key: "🛑", sender: ben.userId }]);
    }
  });

  test("a direct chat has its first message before the other has joined", async () => {
    await using anna = await login("anna");
    await using ben = await login("ben");
    const room = await anna.createDirectRoom(ben.userId, "hello at once");
    await expect(ben.waitForInvite(anna.userId)).resolves.toBe(room);
    const types = (await anna.events(room)).map((event) => event.type);
    expect(types.indexOf("m.room.message")).toBeGreaterThan(types.indexOf("m.room.guest_access"));
    await ben.join(room);
    const timeline = await ben.timeline(room);
    expect(timeline.map((said) => said.text)).toEqual(["hello at once"]);
    await anna.waitForMember(room, ben.userId, "join");
    expect(anna.client.getAccountData("m.direct" as never)?.getContent()).toEqual({ [ben.userId]: [room] });
  });

  test("files go up and come down by authenticated media only", async () => {
    await using people = await together();
    const { anna, ben, room } = people;
    const bytes = Buffer.from("a,b\n1,2\n");
    await anna.sendFile(room, { name: "table.csv", mimeType: "text/csv", bytes, caption: "the table" });
    const seen = await ben.waitForMessage(room, "the table");
    expect(seen.content).toMatchObject({ msgtype: "m.file", filename: "table.csv", info: { size: bytes.length } });
    const mxc = String(seen.content["url"]);
    await expect(ben.download(mxc)).resolves.toEqual(bytes);
    const open = await fetch(`${synapse.url}/_matrix/client/v1/media/download/${mxc.slice("mxc://".length)}`);
    expect(open.status).toBe(401);
  });

  test("typing, receipts and memberships can be awaited", async () => {
    await using people = await together();
    const { anna, ben, room } = people;
    await ben.client.sendTyping(room, true, 20_000);
    await anna.waitForTyping(room, ben.userId);
    await ben.client.sendTyping(room, false, 20_000);
    await anna.waitForTyping(room, ben.userId, { typing: false });
    const first = await anna.say(room, "read me");
    const second = await anna.say(room, "and me");
    await ben.waitForMessage(room, "and me");
    await ben.client.sendReadReceipt(ben.client.getRoom(room)?.findEventById(second) ?? null);
    await anna.waitForReceipt(room, ben.userId, first);
    await anna.kick(room, ben.userId, "for the test");
    await ben.waitForMember(room, ben.userId, "leave");
    await anna.ban(room, ben.userId);
    await anna.waitForMember(room, ben.userId, "ban");
    await expect(ben.say(room, "let me in")).rejects.toMatchObject({ errcode: "M_FORBIDDEN" });
  });

  test("more messages than one sync carries are all seen, in order", async () => {
    await using people = await together();
    const { anna, ben, room } = people;
    ben.client.stopClient();
    const texts = Array.from({ length: 130 }, (_, index) => `message ${index}`);
    for (const text of texts) await anna.say(room, text);
    await ben.client.startClient();
    await ben.waitForMessage(room, "message 129");
    await ben.waitForMessage(room, "message 0");
    expect(ben.seen(room).map((said) => said.text)).toEqual(texts);
  });
});

test("people go on by themselves when their Synapse was killed and started again", { timeout: 60_000 }, async () => {
  await using synapse = await freshSynapse();
  await using anna = await Person.login(synapse, "anna");
  await using ben = await Person.login(synapse, "ben");
  const room = await anna.createRoom({ invite: [ben.userId] });
  await ben.waitForInvite(anna.userId);
  await ben.join(room);
  await synapse.kill();
  await synapse.start();
  const said = await anna.say(room, "still here");
  await expect(ben.waitForMessage(room, "still here")).resolves.toMatchObject({ id: said });
});

import { Method } from "matrix-js-sdk";
import { describe, expect, test } from "vitest";
import type { Person } from "../support/person.ts";
import { saidBy, sharedStage } from "../support/shared-stage.ts";

const shared = sharedStage({
  agents: ["ada", "bo"],
  config: { limits: { stream_first_ms: 100 } },
  script: [
    { when: { last: "hang" }, answer: { text: "I am at it", hang: true } },
    { when: { last: "only once stuck" }, times: 1, answer: { text: "stuck", hang: true } },
  ],
});

/** What the agent's model was told in the request whose last message has these words: all user messages, joined. */
function toldBefore(words: string): string {
  const request = shared.stage.rehearsal.requests.findLast(({ scene }) => scene.last.includes(words));
  return JSON.stringify(request?.body.messages.filter((message) => message.role !== "system") ?? []);
}

describe("an encrypted room", () => {
  test("gets one plain notice that agents cannot read there, and nothing more", async () => {
    const { crew } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const anna = await shared.someone("anna");
    const room = await anna.createRoom({ encrypted: true, invite: [ada] });
    await anna.sayEncrypted(room);
    const notice = await anna.waitForMessage(room, /end-to-end encrypted/, { from: ada });
    expect(notice).toMatchObject({ msgtype: "m.notice", mentions: [] });
    expect(notice.text).toMatch(/start a direct chat with me, or create a new room/);
    await anna.sayEncrypted(room);
    await anna.sayEncrypted(room);
    await anna.invite(room, bo);
    await anna.waitForMember(room, bo, "join");
    // Commands are the least that can be said in clear, by a client that allows it.
    await anna.say(room, "!crew ping");
    await anna.waitForMessage(room, /^Pong/);
    const said = [...(await saidBy(anna, room, ada)), ...(await saidBy(anna, room, bo))];
    expect(said).toHaveLength(2);
  });

  test("is told the same when encryption is switched on later", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    await anna.say(room, "hello");
    await anna.waitForMessage(room, "ada heard: hello", { from: ada });
    await anna.client.sendStateEvent(
      room,
      "m.room.encryption" as never,
      { algorithm: "m.megolm.v1.aes-sha2" } as never,
    );
    const notice = await anna.waitForMessage(room, /end-to-end encrypted/, { from: ada });
    expect(notice.msgtype).toBe("m.notice");
  });
});

/** As Element does it: the homeserver makes the new room, then the client invites everybody there. */
async function upgrade(person: Person, room: string, version: string, users: readonly string[]): Promise<string> {
  const { replacement_room: next } = await person.client.upgradeRoom(room, version);
  for (const user of users) await person.invite(next, user);
  for (const user of users) await person.waitForMember(next, user, "join");
  return next;
}

describe("a room upgrade", () => {
  test.each([
    { from: "10", to: "11" },
    { from: "11", to: "12" },
  ])("from version $from to $to is followed, and the conversation goes on there", async ({ from, to }) => {
    const { crew } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [], ["ada", "bo"], { version: from });
    await anna.mention(room, ada, `my word is kestrel-${from}`);
    await anna.waitForMessage(room, /kestrel/, { from: ada });
    const next = await upgrade(anna, room, to, [ada, bo]);
    await anna.mention(next, ada, `what was my word, after ${from}?`);
    await anna.waitForMessage(next, /what was my word/, { from: ada });
    expect(toldBefore(`what was my word, after ${from}?`)).toContain(`kestrel-${from}`);
    expect(await saidBy(anna, next, ada)).toHaveLength(1);
    await anna.mention(next, bo, "and you?");
    await anna.waitForMessage(next, /and you\?/, { from: bo });
  });

  test("takes along what was being worked on and what waited", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    await anna.say(room, "only once stuck");
    await anna.waitForMessage(room, "stuck", { from: ada });
    const waiting = await anna.say(room, "this waits");
    await anna.waitForReceipt(room, ada, waiting);
    const next = await upgrade(anna, room, "12", [ada]);
    await anna.waitForMessage(next, /ada heard: only once stuck\s+this waits/, { from: ada });
    expect(await saidBy(anna, next, ada)).toHaveLength(1);
  });

  test("that is forged is not followed: the agent leaves the other room, supervisors hear of it, and it works on here", async () => {
    const { crew, synapse } = shared.stage;
    const ada = crew.agent("ada");
    const boss = await shared.stage.person("boss");
    const { room_id: hq } = await boss.client.getRoomIdForAlias(`#crewroom-hq:${synapse.serverName}`);
    await boss.join(hq);
    const [anna, mallory] = [await shared.someone("anna"), await shared.someone("mallory")];
    const lure = await mallory.createRoom({ public: true });
    const room = await shared.group(anna, [mallory], ["ada"], { version: "11" });
    // In version 12 only creators may do what mallory does.
    await anna.setPowerLevel(room, mallory.userId, 100);
    await anna.mention(room, ada, "my word is osprey");
    await anna.waitForMessage(room, /osprey/, { from: ada });
    await tombstone(mallory, room, lure);
    await mallory.waitForMember(lure, ada, "leave");
    const told = await boss.waitForMessage(hq, (said) => said.text.includes(lure), { from: crew.bot });
    expect(told.text).toContain(room);
    expect(await saidBy(mallory, lure, ada)).toEqual([]);
    await anna.mention(room, ada, "are you still here?");
    await anna.waitForMessage(room, /are you still here\?/, { from: ada });
    expect(toldBefore("are you still here?")).toContain("osprey");
  });

  test("that is forged does not take an agent out of a room where it works", async () => {
    const { crew } = shared.stage;
    const ada = crew.agent("ada");
    const [anna, mallory] = [await shared.someone("anna"), await shared.someone("mallory")];
    const works = await shared.group(anna, [], ["ada", "bo"]);
    const trap = await shared.group(mallory, [], ["ada", "bo"]);
    await tombstone(mallory, trap, works);
    // The lane of the trap has decided when it answers.
    await mallory.mention(trap, ada, "well?");
    await mallory.waitForMessage(trap, /well\?/, { from: ada });
    await anna.mention(works, ada, "are you here?");
    await anna.waitForMessage(works, /are you here\?/, { from: ada });
    const left = (await anna.events(works)).filter(
      (event) => event.type === "m.room.member" && event.content["membership"] === "leave",
    );
    expect(left).toEqual([]);
  });
});

async function tombstone(person: Person, room: string, replacement: string): Promise<void> {
  const content = { body: "This room has been replaced", replacement_room: replacement };
  await person.client.http.authedRequest(
    Method.Put,
    `/rooms/${encodeURIComponent(room)}/state/m.room.tombstone/`,
    undefined,
    content,
  );
}

describe("an instruction that waits", () => {
  test("is replaced when it is edited, and dropped when it is withdrawn", async () => {
    const { crew, rehearsal } = shared.stage;
    const ada = crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const running = await anna.say(room, "hang 1");
    await anna.waitForMessage(room, "I am at it", { from: ada });
    const misspelt = await anna.say(room, "fetch the flowwers");
    const secret = await anna.say(room, "the code is 4711");
    const last = await anna.say(room, "and hurry");
    await anna.waitForReceipt(room, ada, last);
    await anna.edit(room, misspelt, "fetch the flowers");
    await anna.redact(room, secret);
    await anna.react(room, running, "🛑");
    await anna.waitForMessage(room, /ada heard: fetch the flowers\s+and hurry/, { from: ada });
    expect(JSON.stringify(rehearsal.requests)).not.toMatch(/4711|flowwers/);
  });

  test("and one that was answered is told to the agent when it is edited, without another answer", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const first = await anna.say(room, "meet me at four");
    await anna.waitForMessage(room, "ada heard: meet me at four", { from: ada });
    await anna.edit(room, first, "meet me at five");
    await anna.say(room, "when do we meet?");
    await anna.waitForMessage(room, /when do we meet\?/, { from: ada });
    expect(toldBefore("when do we meet?")).toMatch(/corrects an earlier message[^"]*meet me at five/);
    expect(await saidBy(anna, room, ada)).toHaveLength(2);
  });
});

describe("an instruction that is being worked on", () => {
  test("ends when it is withdrawn, and the agent forgets it", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const asked = await anna.say(room, "hang while you keep secret 0815");
    await anna.waitForMessage(room, "I am at it", { from: ada });
    await anna.redact(room, asked);
    await anna.say(room, "what did I tell you?");
    await anna.waitForMessage(room, "ada heard: what did I tell you?", { from: ada });
    expect(toldBefore("what did I tell you?")).not.toContain("0815");
  });

  test("is told to the agent when it is edited, in the next turn", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const asked = await anna.say(room, "hang for tea");
    const begun = await anna.waitForMessage(room, "I am at it", { from: ada });
    await anna.edit(room, asked, "wait for coffee");
    // The lane takes one after the other: its receipt means that the edit is in.
    const next = await anna.say(room, "please");
    await anna.waitForReceipt(room, ada, next);
    await anna.react(room, begun.id, "🛑");
    const told = await anna.waitForMessage(room, /corrects an earlier message[^]*wait for coffee\s+please/);
    expect(told.sender).toBe(ada);
  });

  test("and one that was answered long ago are forgotten when they are withdrawn", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const asked = await anna.say(room, "my number is 555-0100");
    await anna.waitForMessage(room, /555-0100/, { from: ada });
    await anna.redact(room, asked);
    await anna.say(room, "what is my number?");
    await anna.waitForMessage(room, /what is my number\?/, { from: ada });
    await anna.say(room, "really?");
    await anna.waitForMessage(room, /really\?/, { from: ada });
    expect(toldBefore("really?")).not.toContain("555-0100");
  });
});

describe("an agent that a person moderates", () => {
  test("says nothing while it is muted, and goes on with what waited when it may speak again", async () => {
    const { crew } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [], ["ada", "bo"]);
    await anna.setPowerLevel(room, ada, -1);
    await anna.mention(room, ada, "first while muted");
    await anna.mention(room, ada, "second while muted");
    await anna.mention(room, bo, "are you there?");
    await anna.waitForMessage(room, /are you there\?/, { from: bo });
    expect(await saidBy(anna, room, ada)).toEqual([]);
    await anna.setPowerLevel(room, ada, 0);
    await anna.waitForMessage(room, /first while muted[^]*second while muted/, { from: ada });
    expect(await saidBy(anna, room, ada)).toHaveLength(1);
  });

  test("is kicked in the middle of its work, falls silent at once, and works again when it is invited again", async () => {
    const { crew } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [], ["ada", "bo"]);
    await anna.mention(room, ada, "hang 2");
    await anna.waitForMessage(room, "I am at it", { from: ada });
    await anna.kick(room, ada, "enough");
    await anna.waitForMember(room, ada, "leave");
    await anna.say(room, "who is here?", { mentions: [ada, bo] });
    await anna.waitForMessage(room, /who is here\?/, { from: bo });
    await anna.invite(room, ada);
    await anna.waitForMember(room, ada, "join");
    await anna.mention(room, ada, "welcome back");
    await anna.waitForMessage(room, /welcome back/, { from: ada });
    expect((await saidBy(anna, room, ada)).map(({ text }) => text)).toEqual([
      "I am at it",
      expect.stringContaining("welcome back"),
    ]);
  });

  test("is banned, and comes back only after it was unbanned and invited", async () => {
    const { crew } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [], ["ada", "bo"]);
    await anna.ban(room, ada, "enough");
    await anna.waitForMember(room, ada, "ban");
    await anna.say(room, "banned?", { mentions: [ada, bo] });
    await anna.waitForMessage(room, /banned\?/, { from: bo });
    await expect(anna.invite(room, ada)).rejects.toMatchObject({ httpStatus: 403 });
    await anna.unban(room, ada);
    await anna.invite(room, ada);
    await anna.waitForMember(room, ada, "join");
    await anna.mention(room, ada, "forgiven");
    await anna.waitForMessage(room, /forgiven/, { from: ada });
    expect(await saidBy(anna, room, ada)).toHaveLength(1);
  });
});

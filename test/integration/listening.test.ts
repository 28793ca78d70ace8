import { describe, expect, test } from "vitest";
import { saidBy, sharedStage } from "../support/shared-stage.ts";

const shared = sharedStage({
  agents: ["ada", "bo"],
  config: { limits: { stream_first_ms: 200 } },
  script: [{ when: { last: "think long" }, answer: { text: "hm", hang: true } }],
});

describe("in a direct chat", () => {
  test("the first message, sent before the agent could join, is answered exactly once, and so is each further one", async () => {
    const { crew } = shared.stage;
    const ada = crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await anna.createDirectRoom(ada, "hello at once");
    await anna.waitForMessage(room, "ada heard: hello at once", { from: ada });
    await anna.say(room, "and a second");
    await anna.waitForMessage(room, "ada heard: and a second", { from: ada });
    await anna.say(room, "and a third");
    const third = await anna.waitForMessage(room, "ada heard: and a third", { from: ada });
    expect(third).toMatchObject({ msgtype: "m.text", mentions: [], replyTo: undefined, thread: undefined });
    const answers = await saidBy(anna, room, ada);
    expect(answers.map((said) => said.text)).toEqual([
      "ada heard: hello at once",
      "ada heard: and a second",
      "ada heard: and a third",
    ]);
  });

  test("several messages before the agent has joined are answered together, in order", async () => {
    const { crew } = shared.stage;
    const ada = crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await anna.createDirectRoom(ada, "one at once");
    await anna.say(room, "two at once");
    await anna.say(room, "three at once");
    await anna.waitForMessage(room, /three at once/, { from: ada });
    const answers = (await saidBy(anna, room, ada)).map((said) => said.text).join("\n");
    // The last may have come after the agent; none is answered twice.
    expect(answers.match(/(?:one|two|three) at once/g)).toEqual(["one at once", "two at once", "three at once"]);
  });

  test("an accepted message gets a read receipt, and the agent types for as long as its turn runs", async () => {
    const { crew } = shared.stage;
    const ada = crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const asked = await anna.say(room, "think long");
    await anna.waitForReceipt(room, ada, asked);
    await anna.waitForTyping(room, ada);
    await anna.react(room, asked, "🛑");
    await expect(anna.waitForTyping(room, ada, { typing: false })).resolves.toBeUndefined();
  });

  test("messages that wait while a turn runs go together, in order, into the next one", async () => {
    const { crew, rehearsal } = shared.stage;
    const ada = crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const first = await anna.say(room, "think long");
    await anna.waitForMessage(room, "hm", { from: ada });
    await anna.say(room, "first waiting");
    const last = await anna.say(room, "second waiting");
    await anna.waitForReceipt(room, ada, last);
    await anna.react(room, first, "🛑");
    await anna.waitForMessage(room, /ada heard: first waiting\s+second waiting/, { from: ada });
    expect(await saidBy(anna, room, ada)).toHaveLength(2);
    const session = rehearsal.requests.find(({ scene }) => scene.last.includes("second waiting"))?.scene.session;
    expect(rehearsal.requests.filter(({ scene }) => scene.session === session)).toHaveLength(2);
  });
});

describe("in a group room", () => {
  test("a mention, a pill without one, a reply to an agent and a thread that it works in reach it; nothing else does", async () => {
    const { crew, rehearsal } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const [anna, ben] = [await shared.someone("anna"), await shared.someone("ben")];
    const room = await shared.group(anna, [ben], ["ada", "bo"]);

    await anna.say(room, "to nobody 1");
    await ben.say(room, "by the name only: Ada, ada, bo 2");
    await anna.say(room, "for Ben alone 3", { mentions: [ben.userId] });
    await ben.send(room, "m.room.message", {
      msgtype: "m.notice",
      body: "a notice 4",
      "m.mentions": { user_ids: [ada] },
    });

    const mention = await anna.say(room, "by mention", { mentions: [ada] });
    const answer = await anna.waitForMessage(room, /^ada heard: .*by mention/, { from: ada });
    expect(answer).toMatchObject({ replyTo: mention, mentions: [anna.userId], thread: undefined });
    expect(answer.original["body"]).not.toMatch(/^>/);
    expect(answer.html ?? "").not.toContain("mx-reply");

    const pill = await ben.send(room, "m.room.message", {
      msgtype: "m.text",
      body: "Bo: by pill",
      format: "org.matrix.custom.html",
      formatted_body: `<a href="https://matrix.to/#/${bo}">Bo</a>: by pill`,
    });
    await expect(ben.waitForMessage(room, /^bo heard: .*by pill/, { from: bo })).resolves.toMatchObject({
      replyTo: pill,
      mentions: [ben.userId],
    });

    // A reply to somebody whom Element would notify, and one whose sender took the notification away.
    await ben.reply(room, answer, "by reply");
    await ben.waitForMessage(room, /^ada heard: .*by reply/, { from: ada });
    await ben.say(room, "by silent reply", { replyTo: answer.id });
    await ben.waitForMessage(room, /^ada heard: .*by silent reply/, { from: ada });

    const root = await anna.say(room, "root of a thread 5");
    await anna.say(room, "in a thread of nobody 6", { thread: root });
    await anna.mention(room, bo, "into the thread", { thread: root });
    const inThread = await anna.waitForMessage(room, /^bo heard: .*into the thread/, { from: bo });
    expect(inThread).toMatchObject({ thread: root, mentions: [anna.userId] });
    const further = await ben.say(room, "further in the thread", { thread: root });
    await expect(ben.waitForMessage(room, /^bo heard: .*further in the thread/, { from: bo })).resolves.toMatchObject({
      thread: root,
      mentions: [ben.userId],
    });
    await ben.waitForReceipt(room, bo, further);

    // What was not for an agent would have been answered before these.
    await anna.mention(room, ada, "last word");
    await anna.waitForMessage(room, /^ada heard: .*last word/, { from: ada });
    await anna.mention(room, bo, "last word");
    await anna.waitForMessage(room, /^bo heard: .*last word/, { from: bo });
    expect(await saidBy(anna, room, ada)).toHaveLength(4);
    expect(await saidBy(anna, room, bo)).toHaveLength(4);
    const heard = rehearsal.requests.map(({ scene }) => scene.last);
    for (const number of [1, 2, 3, 4, 5, 6]) {
      expect(
        heard.filter((last) => new RegExp(`(nobody|bo|alone|notice|thread|of nobody) ${number}$`).test(last)),
      ).toEqual([]);
    }
  });

  test("two agents that are mentioned in one message both answer, each once", async () => {
    const { crew } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [], ["ada", "bo"]);
    const asked = await anna.say(room, "both of you", { mentions: [ada, bo] });
    for (const agent of [ada, bo]) {
      const answer = await anna.waitForMessage(room, /both of you/, { from: agent });
      expect(answer).toMatchObject({ replyTo: asked, mentions: [anna.userId] });
    }
    expect(await saidBy(anna, room, ada)).toHaveLength(1);
    expect(await saidBy(anna, room, bo)).toHaveLength(1);
  });

  test("two agents that are invited and mentioned at once, before either has joined, both answer once", async () => {
    const { crew } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const anna = await shared.someone("anna");
    const room = await anna.createRoom({ invite: [ada, bo] });
    await anna.say(room, "you two, at once", { mentions: [ada, bo] });
    for (const agent of [ada, bo]) await anna.waitForMessage(room, /you two, at once/, { from: agent });
    await anna.say(room, "again", { mentions: [ada, bo] });
    for (const agent of [ada, bo]) {
      await anna.waitForMessage(room, /: again$/, { from: agent });
      expect(await saidBy(anna, room, agent)).toHaveLength(2);
    }
  });
});

test.each(["11", "12"])("agents work in rooms of version %s, where a creator's words count too", async (version) => {
  const { crew } = shared.stage;
  const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
  const anna = await shared.someone("anna");
  const room = await shared.group(anna, [], ["ada", "bo"], { version });
  await anna.invite(room, crew.bot);
  await anna.waitForMember(room, crew.bot, "join");
  expect(anna.client.getRoom(room)?.getVersion()).toBe(version);
  const asked = await anna.mention(room, ada, "in this version");
  await anna.waitForMessage(room, /in this version/, { from: ada });
  await anna.redact(room, asked);
  await anna.mention(room, bo, "think long");
  const begun = await anna.waitForMessage(room, "hm", { from: bo });
  await anna.react(room, begun.id, "🛑");
  await anna.waitForMessage(room, /^hm\s+⏹ Stopped by/, { from: bo });
  await anna.say(room, "!crew version");
  await anna.waitForMessage(room, /^Crewroom \d/, { from: crew.bot });
});

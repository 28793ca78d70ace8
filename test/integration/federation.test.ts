import { expect, test } from "vitest";
import type { Synapse } from "../../src/demo/synapse.ts";
import { uniqueName } from "../support/fresh-synapse.ts";
import type { Person } from "../support/person.ts";
import { saidBy, sharedStage } from "../support/shared-stage.ts";

const longReport = Array.from({ length: 900 }, (_, line) => `line ${line}: the tide comes in twice a day`).join("\n");

const shared = sharedStage({
  agents: ["ada", "bo"],
  federated: true,
  permissions: (home, away = "") => ({
    [home]: "talk",
    [`@boss:${home}`]: "admin",
    // Its people may talk, but for one.
    [away]: "talk",
    [`@yan:${away}`]: "observe",
  }),
  config: { limits: { stream_first_ms: 100, retry_max_seconds: 2, join_attempts: 1_000 } },
  script: [
    { when: { last: "hang" }, answer: { text: "I am at it", hang: true } },
    { when: { last: "report" }, answer: { text: longReport } },
  ],
});

function away(): Synapse {
  const { away } = shared.stage;
  if (away === undefined) throw new Error("The stage is not federated");
  return away;
}

const stranger = (start: string): Promise<Person> => shared.stage.person(uniqueName(start), { on: away() });

test("a person of another homeserver finds an agent by its id, and the first message of a direct chat is answered once", async () => {
  const ada = shared.stage.crew.agent("ada");
  const zoe = await stranger("zoe");
  await expect(zoe.client.getProfileInfo(ada)).resolves.toMatchObject({ displayname: "Ada" });
  const room = await zoe.createDirectRoom(ada, "hello across");
  await zoe.waitForMessage(room, "ada heard: hello across", { from: ada });
  const second = await zoe.say(room, "and a second");
  await zoe.waitForMessage(room, "ada heard: and a second", { from: ada });
  await zoe.waitForReceipt(room, ada, second);
  expect((await saidBy(zoe, room, ada)).map(({ text }) => text)).toEqual([
    "ada heard: hello across",
    "ada heard: and a second",
  ]);
});

test("in a room of their own server it is mentioned, stopped, and asked for help", async () => {
  const { crew } = shared.stage;
  const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
  const zoe = await stranger("zoe");
  const room = await zoe.createRoom({ invite: [ada, bo] });
  await zoe.say(room, "both, at once", { mentions: [ada, bo] });
  for (const agent of [ada, bo]) {
    const answer = await zoe.waitForMessage(room, /both, at once/, { from: agent });
    expect(answer.mentions).toEqual([zoe.userId]);
  }
  await zoe.say(room, "nobody in particular");
  await zoe.mention(room, ada, "hang");
  const begun = await zoe.waitForMessage(room, "I am at it", { from: ada });
  await zoe.react(room, begun.id, "🛑");
  await zoe.waitForMessage(room, (said) => said.id === begun.id && said.text.includes(`Stopped by ${zoe.userId}`));
  await zoe.mention(room, bo, "hang");
  await zoe.waitForMessage(room, "I am at it", { from: bo });
  await zoe.say(room, "!crew stop bo");
  await zoe.waitForMessage(room, /⏹ Stopped by/, { from: bo });
  expect(await saidBy(zoe, room, bo)).toHaveLength(2);
});

test("files go both ways", async () => {
  const { crew, rehearsal } = shared.stage;
  const ada = crew.agent("ada");
  const zoe = await stranger("zoe");
  const room = await zoe.createDirectRoom(ada, "hello");
  await zoe.waitForMessage(room, "ada heard: hello", { from: ada });
  const bytes = Buffer.from("day,high\nTue,5.1\n");
  await zoe.sendFile(room, { name: "tides.csv", mimeType: "text/csv", bytes, caption: "what of this?" });
  await zoe.waitForMessage(room, /what of this\?/, { from: ada });
  const request = rehearsal.requests.find(({ scene }) => scene.last.includes("what of this?"));
  expect(request?.scene.last).toContain("day,high\nTue,5.1\n");

  await zoe.say(room, "a report, please");
  const file = await zoe.waitForMessage(room, (said) => said.msgtype === "m.file" && said.sender === ada);
  expect((await zoe.download(String(file.content["url"]))).toString()).toBe(longReport);
});

test("who may not talk gets one refusal, in words, and cannot bring an agent into a room", async () => {
  const { crew, rehearsal } = shared.stage;
  const ada = crew.agent("ada");
  const yan = await shared.stage.person("yan", { on: away() });
  const zoe = await stranger("zoe");
  const room = await zoe.createRoom({ invite: [ada, yan.userId] });
  await yan.waitForInvite(zoe.userId);
  await yan.join(room);
  await zoe.waitForMember(room, ada, "join");
  await yan.say(room, "do it for me", { mentions: [ada] });
  const refusal = await yan.waitForMessage(room, /may only work for people whom my operator has named/, { from: ada });
  expect(refusal.mentions).toEqual([yan.userId]);
  await yan.say(room, "do it for me, I say", { mentions: [ada] });
  await zoe.say(room, "do it for us", { mentions: [ada] });
  await zoe.waitForMessage(room, /do it for us/, { from: ada });
  expect(await saidBy(zoe, room, ada)).toHaveLength(2);
  expect(rehearsal.requests.filter(({ scene }) => scene.last.includes("do it for me"))).toEqual([]);

  const own = await yan.createDirectRoom(ada, "then here");
  await yan.waitForMember(own, ada, "leave");
  expect(yan.client.getRoom(own)?.getMember(ada)?.events.member?.getContent()["reason"]).toMatch(/permission talk/);
});

test(
  "a join that the other server does not answer is made later, and the inviter is told",
  { timeout: 180_000 },
  async () => {
    const { bridge, crew } = shared.stage;
    const ada = crew.agent("ada");
    const zoe = await stranger("zoe");
    // The bridge learns of the invite when the other server is gone.
    await bridge.stop();
    const room = await zoe.createDirectRoom(ada, "are you coming?");
    await away().kill();
    const from = bridge.stderr.length;
    await bridge.start();
    await bridge.waitForLine(/a join did not succeed yet/, { stream: "stderr", from, timeoutMs: 90_000 });
    await away().start();
    await zoe.waitForMessage(room, "ada heard: are you coming?", { from: ada, timeoutMs: 120_000 });
    await zoe.waitForMessage(room, /Sorry that it took me \d+ attempts/, { from: ada });
    expect(await saidBy(zoe, room, ada)).toHaveLength(2);
  },
);

import { expect, test } from "vitest";
import { saidBy, sharedStage } from "../support/shared-stage.ts";

const hops = 4;
const shared = sharedStage({
  agents: ["ada", "bo"],
  permissions: (home) => ({ [home]: "talk", [`@boss:${home}`]: "admin", [`@sue:${home}`]: "supervise" }),
  config: { limits: { breaker_hops: hops } },
  script: [
    // As many as it takes to trip the breaker, and one more that is held back.
    {
      when: { agent: "ada", last: "ball" },
      times: 3,
      answer: { tools: [{ name: "send_message", arguments: { to: "bo", text: "the ball is with you, bo" } }] },
    },
    {
      when: { agent: "bo", last: "ball" },
      times: 2,
      answer: { tools: [{ name: "send_message", arguments: { to: "ada", text: "the ball is with you, ada" } }] },
    },
    { when: { last_tool: "send_message" }, answer: { text: "I passed it on." } },
    { when: { last: "ball" }, answer: { text: "{agent} keeps the ball" } },
  ],
});

test("agents that wake each other for ever are stopped, told of once, and go on when a supervisor releases them", async () => {
  const { crew, synapse, bridge, rehearsal } = shared.stage;
  const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
  const [boss, sue] = [await shared.stage.person("boss"), await shared.stage.person("sue")];
  const { room_id: hq } = await boss.client.getRoomIdForAlias(`#crewroom-hq:${synapse.serverName}`);
  await boss.join(hq);
  const anna = await shared.someone("anna");
  const room = await shared.group(anna, [sue], ["ada", "bo"]);

  await anna.mention(room, ada, "throw the ball to bo");
  const notice = await sue.waitForMessage(room, /Breaker/);
  expect(notice).toMatchObject({ msgtype: "m.notice", mentions: [sue.userId] });
  expect(notice.text).toContain(`${hops} times in a row`);
  const told = await boss.waitForMessage(hq, /Breaker/, { from: crew.bot });
  expect(told.text).toContain(room);

  // People can still talk with them.
  await anna.mention(room, bo, "how are you?");
  await anna.waitForMessage(room, /how are you\?/, { from: bo });
  const passes = (await anna.timeline(room)).filter((said) => /the ball is with you/.test(said.text));
  expect(passes.map(({ sender }) => sender)).toEqual([ada, bo, ada, bo, ada]);
  expect(passes.map(({ mentions }) => mentions)).toEqual([[bo], [ada], [bo], [ada], [bo]]);
  expect((await bridge.metrics()).value("crewroom_breaker_trips_total")).toBe(1);

  // Power in the room is not enough, nor is the permission.
  await anna.say(room, "!crew release");
  await anna.waitForMessage(room, /needs the permission `supervise`/);
  await sue.say(room, "!crew release");
  await sue.waitForMessage(room, /needs power level 50/);
  await anna.setPowerLevel(room, sue.userId, 50);
  await sue.say(room, "!crew release");
  await sue.waitForMessage(room, "Released. 1 message was held back and is delivered now.");
  await sue.waitForMessage(room, "bo keeps the ball", { from: bo });
  await sue.say(room, "!crew release");
  await sue.waitForMessage(room, /there is nothing to release/);

  const notices = [...(await saidBy(anna, room, ada)), ...(await saidBy(anna, room, bo))];
  expect(notices.filter((said) => /Breaker/.test(said.text))).toHaveLength(1);
  expect((await saidBy(boss, hq, crew.bot)).filter((said) => /Breaker/.test(said.text))).toHaveLength(1);
  // What woke an agent is told to it as the other agent's words.
  expect(rehearsal.requests.some(({ scene }) => scene.last === `${ada}: the ball is with you, bo`)).toBe(true);
});

test("agents' answers that mention each other wake nobody", async () => {
  const { crew, rehearsal } = shared.stage;
  const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
  const anna = await shared.someone("anna");
  const room = await shared.group(anna, [], ["ada", "bo"]);
  await anna.say(room, `ask ${bo} about the weather`, { mentions: [ada] });
  await anna.waitForMessage(room, /^ada heard: .*weather/, { from: ada });
  await anna.mention(room, ada, "thanks");
  await anna.waitForMessage(room, /thanks/, { from: ada });
  expect(await saidBy(anna, room, bo)).toEqual([]);
  expect(rehearsal.requests.filter(({ scene }) => scene.agent === "bo" && /weather/.test(scene.last))).toEqual([]);
});

test("agents of another bridge are stopped like ours, whoever of both goes on", async () => {
  const { crew } = shared.stage;
  const ada = crew.agent("ada");
  const [anna, sue, zed] = [
    await shared.someone("anna"),
    await shared.stage.person("sue"),
    await shared.someone("zed"),
  ];
  const room = await shared.group(anna, [sue, zed], ["ada", "bo"]);
  const says = (text: string, mark: number): Promise<string> =>
    zed.send(room, "m.room.message", {
      msgtype: "m.text",
      body: text,
      "m.mentions": { user_ids: [ada] },
      "dev.crewroom.turn": { agent: "zed", turn: text, hops: mark },
    });
  await says("first", 0);
  const answer = await anna.waitForMessage(room, /^ada heard: .*first/, { from: ada });
  // So that the other bridge counts on.
  expect(answer.content["dev.crewroom.turn"]).toMatchObject({ agent: "ada", hops: 1 });
  await says("too late", hops);
  expect((await sue.waitForMessage(room, /Breaker/)).text).toContain(`${hops} times in a row`);
  await anna.mention(room, ada, "are you there?");
  await anna.waitForMessage(room, /are you there/, { from: ada });
  await anna.setPowerLevel(room, sue.userId, 50);
  await sue.say(room, "!crew release");
  await anna.waitForMessage(room, /^ada heard: .*too late/, { from: ada });
});

import { describe, expect, test } from "vitest";
import { saidBy, sharedStage } from "../support/shared-stage.ts";
import { version } from "../../src/package.ts";

const shared = sharedStage({
  agents: ["ada", "bo"],
  permissions: (home) => ({
    [home]: "talk",
    [`@boss:${home}`]: "admin",
    [`@sue:${home}`]: "supervise",
    [`@olaf:${home}`]: "observe",
    [`@mallory:${home}`]: "observe",
  }),
});

const names = ["help", "agents", "stop", "release", "ping", "version"];

describe("commands", () => {
  test("are answered by the bot in a room where it is", async () => {
    const { crew } = shared.stage;
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [], ["ada", "bo"]);
    await anna.invite(room, crew.bot);
    await anna.waitForMember(room, crew.bot, "join");

    const asked = await anna.say(room, "!crew help");
    const help = await anna.waitForMessage(room, /!crew release/, { from: crew.bot });
    for (const name of names) expect(help.text).toContain(`!crew ${name}`);
    expect(help).toMatchObject({ msgtype: "m.notice", replyTo: asked, mentions: [anna.userId] });
    await anna.say(room, "!crew");
    await anna.waitForMessage(room, (said) => said.text === help.text && said.id !== help.id, { from: crew.bot });

    await anna.say(room, "!crew agents");
    const agents = await anna.waitForMessage(room, /on builtin/, { from: crew.bot });
    expect(agents.text).toContain(crew.agent("ada"));
    expect(agents.text.match(/is here and is free/g)).toHaveLength(2);
    await anna.say(room, "!crew ping");
    await anna.waitForMessage(room, /^Pong\. Your message took \d+ ms/, { from: crew.bot });
    await anna.say(room, "!CREW  Version");
    await anna.waitForMessage(room, `Crewroom ${version}`, { from: crew.bot });
    await anna.say(room, "!crew release");
    await anna.waitForMessage(room, /needs the permission/, { from: crew.bot });
    await anna.say(room, "!crew dance @room");
    const unknown = await anna.waitForMessage(room, /I know no command “dance”/, { from: crew.bot });
    expect(unknown.content["m.mentions"]).toEqual({ user_ids: [anna.userId] });
    await anna.say(room, "!crew stop nobody");
    await anna.waitForMessage(room, /I know no agent “nobody”\. Agents here: ada, bo\./, { from: crew.bot });
    // No agent took any of it for itself.
    for (const id of ["ada", "bo"]) expect(await saidBy(anna, room, crew.agent(id))).toEqual([]);
  });

  test("are answered by the agent in a direct chat with it, and inside the thread where they were said", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const root = await anna.say(room, "!crew ping");
    await anna.waitForMessage(room, /^Pong/, { from: ada });
    await anna.say(room, "!crew version", { thread: root });
    await expect(anna.waitForMessage(room, /^Crewroom \d/, { from: ada })).resolves.toMatchObject({ thread: root });
    await anna.say(room, "!crewmates are no command");
    await anna.waitForMessage(room, "ada heard: !crewmates are no command", { from: ada });
    expect(await saidBy(anna, room, ada)).toHaveLength(3);
  });

  test("that a person may not give are refused once, and others are still answered", async () => {
    const { crew } = shared.stage;
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [], ["ada", "bo"]);
    await anna.say(room, "!crew release");
    await anna.waitForMessage(room, /needs the permission `supervise`/);
    await anna.say(room, "!crew release");
    await anna.say(room, "!crew ping");
    await anna.waitForMessage(room, /^Pong/);
    const refusals = (await anna.timeline(room)).filter((said) => /needs the permission/.test(said.text));
    expect(refusals).toHaveLength(1);
    // By whoever of ours was in the room first.
    expect([crew.agent("ada"), crew.agent("bo")]).toContain(refusals[0]?.sender);
  });

  test("that steer agents need power in the room too", async () => {
    const sue = await shared.stage.person("sue");
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [sue], ["ada", "bo"]);
    await sue.say(room, "!crew release");
    await sue
      .waitForMessage(room, "`!crew release` needs power level 50 in this room.")
      .catch(async () => sue.waitForMessage(room, /needs power level 50 in this room/));
    await anna.setPowerLevel(room, sue.userId, 50);
    await sue.say(room, "!crew release");
    const released = await sue.waitForMessage(room, /The breaker of this room is closed/);
    expect(released.sender).toBe(shared.stage.crew.agent("ada"));
  });
});

describe("a person without the permission to talk", () => {
  test("gets one refusal in a room, however often they ask, while others are served", async () => {
    const { crew, rehearsal } = shared.stage;
    const ada = crew.agent("ada");
    const olaf = await shared.stage.person("olaf");
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [olaf], ["ada"]);
    await olaf.say(room, "not for you");
    await olaf.mention(room, ada, "do my work 1");
    const refusal = await olaf.waitForMessage(room, /Please ask the operator for the permission `talk`/, { from: ada });
    expect(refusal).toMatchObject({ msgtype: "m.notice", mentions: [olaf.userId] });
    await olaf.mention(room, ada, "do my work 2");
    await olaf.mention(room, ada, "do my work 3");
    await anna.mention(room, ada, "and mine");
    await anna.waitForMessage(room, /and mine/, { from: ada });
    expect(await saidBy(anna, room, ada)).toHaveLength(2);
    expect(rehearsal.requests.filter(({ scene }) => scene.last.includes("do my work"))).toEqual([]);
    // Their 🛑 stops nothing, and what may be seen by all may be asked by all.
    await olaf.say(room, "!crew version");
    await olaf.waitForMessage(room, /^Crewroom/, { from: ada });
  });

  test("cannot invite an agent or the bot: the invite is rejected, with the reason", async () => {
    const { crew } = shared.stage;
    const mallory = await shared.stage.person("mallory");
    for (const user of [crew.agent("ada"), crew.bot]) {
      const room = await mallory.createDirectRoom(user, "let me in");
      await mallory.waitForMember(room, user, "leave");
      const member = mallory.client.getRoom(room)?.getMember(user)?.events.member;
      expect(member?.getContent()["reason"]).toMatch(/ask the operator for the permission talk/);
      expect(await saidBy(mallory, room, user)).toEqual([]);
    }
  });
});

test("supervisors named by their id are invited to a Space and to HQ in it, where commands are answered", async () => {
  const { crew, synapse } = shared.stage;
  const boss = await shared.stage.person("boss");
  const found = async (alias: string): Promise<string> =>
    (await boss.client.getRoomIdForAlias(`#${alias}:${synapse.serverName}`)).room_id;
  const [space, hq] = [await found("crewroom"), await found("crewroom-hq")];
  for (const room of [space, hq]) {
    await boss.waitForMember(room, boss.userId, "invite");
    await boss.join(room);
    await boss.waitForMember(room, boss.userId, "join");
  }
  const state = async (room: string, type: string, key: string): Promise<unknown> =>
    boss.client.getStateEvent(room, type, key);
  await expect(state(space, "m.room.create", "")).resolves.toMatchObject({ type: "m.space" });
  await expect(state(space, "m.space.child", hq)).resolves.toMatchObject({ via: [synapse.serverName] });
  await expect(state(hq, "m.space.parent", space)).resolves.toMatchObject({ canonical: true });
  await expect(state(hq, "dev.crewroom.room", "")).resolves.toMatchObject({ kind: "hq" });
  await expect(state(hq, "m.room.power_levels", "")).resolves.toMatchObject({
    users: { [boss.userId]: 100, [`@sue:${synapse.serverName}`]: 50 },
  });
  await boss.say(hq, "!crew agents");
  const listed = await boss.waitForMessage(hq, /on builtin/, { from: crew.bot });
  expect(listed.text).toContain("is not in this room");
});

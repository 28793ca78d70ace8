/** Policy lists and ignored people: rules of a room that others keep, in force in all rooms at once. */
import { expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import type { Person } from "../support/person.ts";
import { saidBy } from "../support/shared-stage.ts";
import { openStage } from "../support/stage.ts";

const state = (person: Person, room: string, type: string, key: string, content: object): Promise<unknown> =>
  person.client.sendStateEvent(room, type as never, content as never, key);

const ban = (entity: string, recommendation = "m.ban"): object => ({ entity, recommendation, reason: "spam" });

test.each(["11", "12"])(
  "in room version %s a watched list silences people everywhere, follows its changes, and keeps its rules when it is lost",
  { timeout: 180_000 },
  async (version) => {
    await using stage = await openStage({
      agents: ["ada", "bo"],
      start: false,
      homeserver: { default_room_version: version },
      config: {
        moderation: { policy_rooms: ["#bans:localhost"], ignored: ["@noisy*:localhost"] },
        limits: { stream_first_ms: 100 },
      },
      script: [{ when: { last: "hang" }, answer: { text: "I am at it", hang: true } }],
    });
    const { crew } = stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const keeper = await stage.person("keeper");
    const list = await keeper.createRoom({ public: true });
    await keeper.client.createAlias("#bans:localhost", list);
    await state(keeper, list, "m.policy.rule.user", "rule1", ban("@old:localhost"));
    await using bridge = await BridgeProcess.start(crew);
    await bridge.waitForLine(/a policy list was read/, { stream: "stderr" });

    const boss = await stage.person("boss");
    const { room_id: hq } = await boss.client.getRoomIdForAlias("#crewroom-hq:localhost");
    await boss.join(hq);
    const [anna, old, mallory, noisy] = [
      await stage.person("anna"),
      await stage.person("old"),
      await stage.person("mallory"),
      await stage.person("noisy7"),
    ];

    // Rules that were there at the start, and those of the config: an invite is rejected, and a word is not heard.
    for (const person of [old, noisy]) {
      const lure = await person.createRoom({ invite: [ada] });
      await person.waitForMember(lure, ada, "leave");
    }
    const room = await anna.createRoom({ invite: [ada, bo, old.userId, mallory.userId] });
    for (const person of [old, mallory]) await person.join(room);
    for (const user of [ada, bo]) await anna.waitForMember(room, user, "join");
    await old.mention(room, ada, "hello?");
    const order = await old.say(room, "!crew ping");
    await old.waitForMessage(room, /moderation rule/);
    await old.say(room, "!crew ping");
    await anna.mention(room, bo, "first");
    await anna.waitForMessage(room, /first/, { from: bo });
    // Once, by whichever of the two was let in first.
    const refusals = [...(await saidBy(anna, room, ada)), ...(await saidBy(anna, room, bo))].filter(({ text }) =>
      /moderation rule/.test(text),
    );
    expect(refusals).toHaveLength(1);
    expect(order).toMatch(/^\$/);

    // A rule that comes while somebody is worked for, in two rooms at once.
    const chat = await mallory.createDirectRoom(bo);
    await mallory.waitForMember(chat, bo, "join");
    await mallory.say(chat, "hang");
    await mallory.mention(room, ada, "hang");
    await mallory.waitForMessage(chat, "I am at it", { from: bo });
    await mallory.waitForMessage(room, "I am at it", { from: ada });
    await Promise.all([mallory.waitForTyping(room, ada), mallory.waitForTyping(chat, bo)]);
    await state(keeper, list, "m.room.rule.user", "rule2", ban("@mall*:localhost", "org.matrix.mjolnir.ban"));
    await Promise.all([
      anna.waitForTyping(room, ada, { typing: false }),
      mallory.waitForTyping(chat, bo, { typing: false }),
    ]);
    // A rule that is redacted is gone.
    const forgive = await state(keeper, list, "org.matrix.mjolnir.rule.user", "rule3", ban("@anna:*"));
    const lureOfAnna = await anna.createRoom({ invite: [bo] });
    await anna.waitForMember(lureOfAnna, bo, "leave");
    const from = bridge.stderr.length;
    await keeper.redact(list, (forgive as { readonly event_id: string }).event_id);
    await bridge.waitForLine(/a policy list was read/, { stream: "stderr", from });
    await anna.mention(room, ada, "still here?");
    await anna.waitForMessage(room, /still here\?/, { from: ada });

    // The list is lost: HQ is told, and its rules stay, also after a restart.
    await state(keeper, list, "m.room.join_rules", "", { join_rule: "invite" });
    await keeper.kick(list, crew.bot);
    await boss.waitForMessage(hq, /policy list .* has removed me/, { from: crew.bot });
    await bridge.restart();
    await boss.waitForMessage(hq, /policy list #bans:localhost cannot be read/, { from: crew.bot });
    const lure = await mallory.createRoom({ invite: [ada] });
    await mallory.waitForMember(lure, ada, "leave");

    // It comes back by an invite, of whomever, and a rule that is gone is gone.
    await state(keeper, list, "m.room.rule.user", "rule2", {});
    const back = bridge.stderr.length;
    await keeper.invite(list, crew.bot);
    await keeper.waitForMember(list, crew.bot, "join");
    await bridge.waitForLine(/a policy list was read/, { stream: "stderr", from: back });
    const forgiven = await mallory.createRoom({ invite: [ada] });
    await mallory.waitForMember(forgiven, ada, "join");
  },
);

test("a list that cannot be read is told in HQ, and all else goes on", { timeout: 120_000 }, async () => {
  await using stage = await openStage({
    agents: ["ada"],
    config: { moderation: { policy_rooms: ["#nowhere:localhost"] } },
  });
  const boss = await stage.person("boss");
  const { room_id: hq } = await boss.client.getRoomIdForAlias("#crewroom-hq:localhost");
  await boss.join(hq);
  await boss.waitForMessage(hq, /policy list #nowhere:localhost cannot be read/, { from: stage.crew.bot });
  const chat = await boss.createDirectRoom(stage.crew.agent("ada"), "hello");
  const answer = await boss.waitForMessage(chat, /hello/, { from: stage.crew.agent("ada") });
  expect(answer.text).toBe("ada heard: hello");
});

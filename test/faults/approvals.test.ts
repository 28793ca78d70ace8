/** Approvals under fault: only a person who may, here and now, on the question itself, answers it; and only once. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { callApi } from "../../src/demo/client-api.ts";
import { poll } from "../../src/demo/poll.ts";
import { patienceMs } from "../support/changes.ts";
import type { Person } from "../support/person.ts";
import { sharedStage } from "../support/shared-stage.ts";
import { openStage } from "../support/stage.ts";
import { approvalOf, diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";
import type { Said } from "../support/transcript.ts";
import { expectWell, roomWith } from "./support.ts";

const asks = [{ name: "ask_human", arguments: { question: "Shall I?", options: ["yes", "no"] } }];

const shared = sharedStage({
  agents: taskCrew.map((agent) => ({ ...agent, parallel: 9 })),
  permissions: (home) => ({
    [home]: "task",
    [`@tom:${home}`]: "talk",
    [`@sue:${home}`]: "supervise",
    [`@boss:${home}`]: "admin",
  }),
  // In version 12 nobody but its creator, the bot, can upgrade a task's room.
  homeserver: { default_room_version: "11" },
  config: { tasks: { plan_approval: "always" }, limits: { queue_messages: 300 } },
  script: [
    planRule([{ id: "work" }]),
    { when: { last: "ask me", step: 1 }, answer: { tools: asks } },
    { when: { last: "ask me" }, answer: { text: "I wait." } },
    ...diligence,
  ],
});

/** A task of somebody, with others in its room, whose plan waits for approval. */
async function planned(owner: Person, others: readonly Person[] = []): Promise<{ task: TaskRoom; asked: Said }> {
  const task = await TaskRoom.openByBot(owner, shared.stage.crew, "Work");
  for (const person of others) {
    await owner.invite(task.room, person.userId);
    await person.join(task.room);
    await owner.setPowerLevel(task.room, person.userId, 50);
  }
  return { task, asked: await task.waitForAsk("plan") };
}

const stateOf = async ({ person, room }: TaskRoom, asked: Said): Promise<unknown> => {
  const now = (await person.timeline(room)).find(({ id }) => id === asked.id);
  return now && approvalOf(now)["state"];
};

/** What was sent before it has been decided when the bot answers it. */
async function settled(task: TaskRoom): Promise<void> {
  await task.command("status");
}

async function react(person: Person, room: string, event: string, key: string, more: object = {}): Promise<string> {
  return person.send(room, "m.reaction", {
    "m.relates_to": { rel_type: "m.annotation", event_id: event, key },
    ...more,
  });
}

describe("a person who is demoted in the middle of an approval", () => {
  test("no longer answers it, and others still can", async () => {
    const [anna, sue] = [await shared.someone("anna"), await shared.stage.person("sue")];
    const { task, asked } = await planned(anna, [sue]);
    await anna.setPowerLevel(task.room, sue.userId, 0);
    await sue.react(task.room, asked.id, "✅");
    await sue.reply(task.room, asked, "approve");
    await settled(task);
    expect(await stateOf(task, asked)).toBe("open");
    await anna.react(task.room, asked.id, "❌");
    expect(approvalOf(await task.waitForAnswered(asked))).toMatchObject({ option: "deny", by: anna.userId });
  });

  test("has answered it when they answered before", async () => {
    const [anna, sue] = [await shared.someone("anna"), await shared.stage.person("sue")];
    const { task, asked } = await planned(anna, [sue]);
    await sue.react(task.room, asked.id, "✅");
    await anna.setPowerLevel(task.room, sue.userId, 0);
    expect(approvalOf(await task.waitForAnswered(asked))).toMatchObject({ option: "approve", by: sue.userId });
  });
});

test("two people who answer at once give one outcome, and it stays", async () => {
  const [anna, sue] = [await shared.someone("anna"), await shared.stage.person("sue")];
  const { task, asked } = await planned(anna, [sue]);
  await Promise.all([anna.react(task.room, asked.id, "✅"), sue.react(task.room, asked.id, "❌")]);
  const answered = await task.waitForAnswered(asked);
  await settled(task);
  const end = (await anna.timeline(task.room)).find(({ id }) => id === asked.id);
  expect(end).toMatchObject({ edits: 1, text: answered.text });
  const { option, by } = approvalOf(answered);
  expect([
    ["approve", anna.userId],
    ["deny", sue.userId],
  ]).toContainEqual([option, by]);
});

test("none counts that comes from another room, a bot, somebody without the right, or a copy of the question", async () => {
  const { crew, synapse } = shared.stage;
  const [anna, tom] = [await shared.someone("anna"), await shared.stage.person("tom")];
  const { task, asked } = await planned(anna, [tom]);
  const { room } = task;
  // From another room: a reaction is refused by the homeserver already, a reply and a command are not.
  await expect(react(anna, task.from, asked.id, "✅")).rejects.toMatchObject({ httpStatus: 400 });
  await anna.reply(task.from, asked, "approve");
  const other = await anna.say(task.from, "!crew approve a1");
  await anna.waitForMessage(task.from, ({ replyTo, text }) => replyTo === other && text.includes("No question"));
  // By a bot: a notice, another bridge's agent, one of our own, and somebody with too low a level.
  await anna.send(room, "m.room.message", {
    msgtype: "m.notice",
    body: "approve",
    "m.relates_to": { "m.in_reply_to": { event_id: asked.id } },
  });
  const marked = { "dev.crewroom.turn": { agent: "zed", turn: "t", hops: 0 } };
  await react(anna, room, asked.id, "✅", marked);
  await anna.send(room, "m.room.message", { msgtype: "m.text", body: "!crew approve a1", ...marked });
  await anna.send(room, "m.room.message", {
    msgtype: "m.text",
    body: "approve",
    "m.relates_to": { "m.in_reply_to": { event_id: asked.id } },
    ...marked,
  });
  const registration = parse(await readFile(crew.registrationFile, "utf8")) as { readonly as_token: string };
  const user = encodeURIComponent(crew.agent("ada"));
  await callApi(synapse.url, {
    method: "PUT",
    path: `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.reaction/forged?user_id=${user}`,
    token: registration.as_token,
    body: { "m.relates_to": { rel_type: "m.annotation", event_id: asked.id, key: "✅" } },
  });
  await tom.react(room, asked.id, "✅");
  // On copies: the same words and typed part by somebody else, and somebody else's edit of the question.
  const copy = await anna.send(room, "m.room.message", asked.original);
  await anna.react(room, copy, "✅");
  const edit = await anna.edit(room, asked.id, "Approve this?");
  await anna.react(room, edit, "✅");
  await settled(task);
  expect(await stateOf(task, asked)).toBe("open");
  await anna.reply(room, asked, "approve");
  expect(approvalOf(await task.waitForAnswered(asked))).toMatchObject({ option: "approve", by: anna.userId });
  await settled(task);
  const timeline = await anna.timeline(room);
  expect(timeline.filter((said) => approvalOf(said)["state"] === "answered").map(({ id }) => id)).toEqual([asked.id]);
});

test("a reaction that was redacted while the bridge was away does not count, and the next one does", async () => {
  const { bridge } = shared.stage;
  const anna = await shared.someone("anna");
  const { task, asked } = await planned(anna);
  await bridge.stop();
  const given = await anna.react(task.room, asked.id, "✅");
  await anna.redact(task.room, given);
  await bridge.start();
  await settled(task);
  expect(await stateOf(task, asked)).toBe("open");
  await anna.react(task.room, asked.id, "❌");
  const answered = await task.waitForAnswered(asked);
  expect(approvalOf(answered)).toMatchObject({ option: "deny" });
});

describe("a room that is upgraded while a question is open", () => {
  async function upgrade(person: Person, room: string, users: readonly string[]): Promise<string> {
    const { replacement_room: next } = await person.client.upgradeRoom(room, "12");
    // Who follows the tombstone may be there before the invite.
    for (const user of users) await person.invite(next, user).catch(() => undefined);
    return next;
  }

  test("has it asked again in the new one, and shows it as withdrawn in the old one: a task's plan", async () => {
    const { crew } = shared.stage;
    const anna = await shared.someone("anna");
    const { task, asked } = await planned(anna);
    const users = [crew.bot, ...taskCrew.map(({ id }) => crew.agent(id))];
    const next = task.at(await upgrade(anna, task.room, users));
    const again = await next.waitForAsk("plan", patient);
    const gone = await anna.waitForMessage(
      task.room,
      (said) => said.id === asked.id && approvalOf(said)["state"] === "withdrawn",
      patient,
    );
    expect(gone.text).toMatch(/room was replaced/);
    await react(anna, task.room, asked.id, "✅");
    await anna.react(next.room, again.id, "✅");
    expect(approvalOf(await next.waitForAnswered(again))).toMatchObject({ option: "approve" });
    await next.waitForSubtask("work", "done");
  });

  test("or an agent's question in a chat, whose answer it hears there", async () => {
    const { crew } = shared.stage;
    const ada = crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await roomWith(anna, [ada, crew.bot]);
    await anna.mention(room, ada, "ask me");
    await anna.waitForMessage(room, /Shall I\?/);
    await anna.waitForMessage(room, "I wait.", { from: ada });
    const next = await upgrade(anna, room, [ada, crew.bot]);
    const again = await anna.waitForMessage(next, /Shall I\?/, patient);
    await anna.react(next, again.id, "2️⃣");
    const heard = await anna.waitForMessage(next, /heard: /, { ...patient, from: ada });
    expect(heard.text).toMatch(/Answer to your question: no/);
  });
});

describe("HQ that is replaced", () => {
  test("has what waits for people told in the room that replaces it", async () => {
    const { crew, synapse } = shared.stage;
    const boss = await shared.stage.person("boss");
    const { room_id: hq } = await boss.client.getRoomIdForAlias(`#crewroom-hq:${synapse.serverName}`);
    await boss.join(hq);
    const { replacement_room: next } = await boss.client.upgradeRoom(hq, "12");
    await boss.invite(next, crew.bot).catch(() => undefined);
    await boss.waitForMember(next, crew.bot, "join", patient);
    const anna = await shared.someone("anna");
    const before = (await boss.timeline(hq)).length;
    await planned(anna);
    await boss.waitForMessage(next, /waits for a person/, { ...patient, from: crew.bot });
    expect(await boss.timeline(hq)).toHaveLength(before);
  });
});

/** An agent asks one thing at a time in a room: rooms of five. CREWROOM_QUESTIONS asks more, which takes minutes. */
const questionRooms = Math.ceil(Number(process.env["CREWROOM_QUESTIONS"] ?? 50) / 5);

test(
  `${questionRooms * 5} open questions outlive a restart of the homeserver, and each is answered once in a burst`,
  { timeout: 600_000 },
  async () => {
    const { crew, synapse, bridge } = shared.stage;
    const anna = await shared.someone("anna");
    const agents = taskCrew.map(({ id }) => crew.agent(id));
    const rooms: string[] = [];
    for (let number = 0; number < questionRooms; number++) {
      const room = await roomWith(anna, agents);
      await anna.say(room, "ask me", { mentions: agents });
      rooms.push(room);
    }
    const questions = (room: string): readonly Said[] =>
      anna.seen(room).filter((said) => approvalOf(said)["matter"] === "question");
    for (const room of rooms)
      await anna.waitFor(room, "five questions with their reactions", patient, () =>
        questions(room).filter(({ reactions }) => reactions.length === 2).length === 5 ? true : undefined,
      );
    await synapse.stop();
    await synapse.start();
    // Each of them twice, and both ways.
    const answer = (room: string): Promise<unknown>[] =>
      questions(room).flatMap(({ id }) => ["1️⃣", "2️⃣"].map((key) => anna.react(room, id, key)));
    await Promise.all(rooms.flatMap(answer));
    for (const room of rooms) {
      await anna.waitFor(room, "five answers", patient, () =>
        questions(room).every((said) => approvalOf(said)["state"] === "answered") ? true : undefined,
      );
      const asked = (await anna.timeline(room)).filter((said) => approvalOf(said)["matter"] === "question");
      expect(asked.map(({ edits }) => edits)).toEqual([1, 1, 1, 1, 1]);
    }
    await expectWell(bridge);
  },
);

test(
  "an answer that comes after the deadline counts for nothing, also when the bridge was away at the deadline",
  { timeout: 180_000 },
  async () => {
    await using stage = await openStage({
      agents: taskCrew,
      permissions: (home) => ({ [home]: "task" }),
      // 10.8 seconds.
      config: { tasks: { plan_approval: "always", ask_hours: 0.003 } },
      script: [planRule([{ id: "work" }]), ...diligence],
    });
    const anna = await stage.person("anna");
    const task = await TaskRoom.openByBot(anna, stage.crew, "Work");
    const asked = await task.waitForAsk("plan");
    await stage.bridge.stop();
    const deadline = Number(approvalOf(asked)["deadline"]);
    const past = async (): Promise<true | undefined> => Date.now() > deadline || undefined;
    await poll(past, { everyMs: 50, signal: AbortSignal.timeout(patienceMs) });
    await anna.react(task.room, asked.id, "✅");
    await stage.bridge.start();
    const answered = await task.waitForAnswered(asked);
    expect(approvalOf(answered)).toMatchObject({ option: "deny" });
    expect(approvalOf(answered)).not.toHaveProperty("by");
    await anna.react(task.room, asked.id, "❌");
    await settled(task);
    expect((await anna.timeline(task.room)).find(({ id }) => id === asked.id)).toMatchObject({
      edits: 1,
      text: answered.text,
    });
  },
);

/**
 * The rows of the table in docs/moderation.md that other files do not have in both room versions, from a real client's calls.
 * In version 12 the creator of a room is above all levels and stands in no `users`.
 */
import { readFile } from "node:fs/promises";
import { Method } from "matrix-js-sdk";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { callApi } from "../../src/demo/client-api.ts";
import { quiet, touches, uses, waitForCommit } from "../support/files.ts";
import type { Person } from "../support/person.ts";
import { saidBy, sharedStage } from "../support/shared-stage.ts";
import { approvalOf, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

type Levels = Readonly<Record<string, unknown>> & { readonly users?: Readonly<Record<string, number>> };

const levelsOf = (person: Person, room: string): Promise<Levels> =>
  person.client.getStateEvent(room, "m.room.power_levels", "") as Promise<Levels>;

const setState = (person: Person, room: string, type: string, content: object): Promise<unknown> =>
  person.client.sendStateEvent(room, type as never, content as never);

describe.each(["11", "12"])("in room version %s", (version) => {
  const shared = sharedStage({
    agents: taskCrew.map((agent) => ({ ...agent, parallel: 9 })),
    permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
    homeserver: { default_room_version: version },
    config: { tasks: { plan_approval: "never", final_approval: "none" }, limits: { stream_first_ms: 100 } },
    script: [
      planRule([{ id: "ask" }], "Ask"),
      ...uses("executor", "/Your subtask `ask`/", [["ask_human", { question: "Shall I?", options: ["yes", "no"] }]]),
      {
        when: { last: "wake bo", step: 1 },
        answer: {
          tools: [{ name: "send_message", arguments: { to: "@agent_bo:localhost", text: "dig, and hang on" } }],
        },
      },
      { when: { last: "wake bo" }, answer: { text: "It is on its way." } },
      { when: { last: "hang" }, answer: { text: "I am at it", hang: true } },
      { ...quiet, when: { ...quiet.when, last: "/Plan it|Review|subtask/" } },
    ],
  });
  const agent = (id: string): string => shared.stage.crew.agent(id);
  /** What agents' models were told after some words came up. */
  const asked = (words: string): readonly string[] =>
    shared.stage.rehearsal.requests
      .filter(({ scene }) => scene.last.includes(words))
      .map(({ body }) => JSON.stringify(body));

  async function headquarters(): Promise<{ readonly boss: Person; readonly hq: string }> {
    const boss = await shared.stage.person("boss");
    const { room_id: hq } = await boss.client.getRoomIdForAlias("#crewroom-hq:localhost");
    await boss.join(hq);
    return { boss, hq };
  }

  /** An agent that hangs in its turn in a room with another that can answer. */
  async function busy(
    words = "hang on",
  ): Promise<{ anna: Person; ben: Person; room: string; ada: string; first: string }> {
    const [anna, ben, ada] = [await shared.someone("anna"), await shared.someone("ben"), agent("ada")];
    const room = await shared.group(anna, [ben], ["ada", "bo"], { version });
    const first = await ben.mention(room, ada, words);
    await anna.waitForMessage(room, "I am at it", { from: ada });
    await anna.waitForTyping(room, ada);
    return { anna, ben, room, ada, first };
  }

  const heard = async (person: Person, room: string, id: string, words: string): Promise<string> => {
    await person.mention(room, agent(id), words);
    return (await person.waitForMessage(room, (said) => said.text.includes(words), { from: agent(id) })).text;
  };

  test.each([
    ["its own level", (users: object, ada: string) => ({ users: { ...users, [ada]: -1 } })],
    ["`users_default`", () => ({ users_default: -1 })],
    ["`events_default`", () => ({ events_default: 10 })],
    ["the level of messages", () => ({ events: { "m.room.message": 10 } })],
  ] as const)("an agent is muted by %s, and goes on when that is over", async (how, change) => {
    const { anna, room, ada } = await busy();
    const before = await levelsOf(anna, room);
    await setState(anna, room, "m.room.power_levels", { ...before, ...change(before.users ?? {}, ada) });
    await anna.waitForTyping(room, ada, { typing: false });
    const waits = await anna.mention(room, ada, `while muted by ${how}`);
    await anna.waitForReceipt(room, ada, waits);
    expect(await saidBy(anna, room, ada)).toHaveLength(1);
    await setState(anna, room, "m.room.power_levels", before);
    await anna.waitForTyping(room, ada);
    await anna.waitFor(room, "its second word", {}, () =>
      anna.seen(room).filter(({ sender }) => sender === ada).length === 2 ? true : undefined,
    );
    expect(asked(`while muted by ${how}`)).toHaveLength(1);
  });

  test("levels of other events mute nobody, and power for an agent gives it nothing", async () => {
    const { anna, room, ada } = await busy();
    const before = await levelsOf(anna, room);
    const events = { "m.room.encrypted": 50, "m.reaction": 50, "m.sticker": 50 };
    await setState(anna, room, "m.room.power_levels", { ...before, events, users: { ...before.users, [ada]: 90 } });
    await heard(anna, room, "bo", "who is here?");
    await anna.waitForTyping(room, ada);
    await expect(saidBy(anna, room, ada)).resolves.toHaveLength(1);
  });

  test("an instruction that waits is taken back by a moderator, replaced by its author's edit, and by nobody else's", async () => {
    const { anna, ben, room, ada, first } = await busy();
    const secret = await ben.mention(room, ada, "the code is 4711");
    const misspelt = await ben.mention(room, ada, "fetch the flowwers");
    const last = await ben.mention(room, ada, "and hurry");
    await anna.waitForReceipt(room, ada, last);
    await anna.redact(room, secret);
    await anna.edit(room, misspelt, "fetch the keys");
    await ben.edit(room, misspelt, "fetch the flowers");
    await anna.redact(room, first);
    const { text } = await anna.waitForMessage(room, /fetch the flowers[^]*and hurry/, { from: ada });
    expect(text).not.toMatch(/4711|keys|flowwers/);
    // What was answered is forgotten as well, and nobody else's words come in by an edit of it.
    await anna.edit(room, last, "and bring the keys");
    await anna.redact(room, misspelt);
    await heard(anna, room, "ada", "what now?");
    await heard(anna, room, "ada", "really?");
    expect(asked("really?").join()).not.toMatch(/flowers|keys/);
  });

  test("an agent's message that made another work is taken back by a person, and that work ends", async () => {
    const anna = await shared.someone("anna");
    const [ada, bo] = [agent("ada"), agent("bo")];
    const room = await shared.group(anna, [], ["ada", "bo"], { version });
    await anna.mention(room, ada, "wake bo");
    const told = await anna.waitForMessage(room, /dig, and hang on/, { from: ada });
    await anna.waitForMessage(room, "I am at it", { from: bo });
    await anna.waitForTyping(room, bo);
    await anna.redact(room, told.id);
    await anna.waitForTyping(room, bo, { typing: false });
    await heard(anna, room, "bo", "free?");
    expect(asked("free?").join()).not.toContain("dig, and hang on");
  });

  test("what a person asked for ends with their ban, and goes on when they leave by themselves", async () => {
    const { anna, ben, room, ada } = await busy();
    await ben.leave(room);
    await anna.waitForMember(room, ben.userId, "leave");
    await heard(anna, room, "bo", "does it go on?");
    await anna.waitForTyping(room, ada);
    await anna.ban(room, ben.userId, "enough");
    await anna.waitForTyping(room, ada, { typing: false });
    await heard(anna, room, "ada", "for anna now");
    expect(await saidBy(anna, room, ada)).toHaveLength(2);
  });

  test("an agent that is banned before it has joined stays away until it is unbanned and invited", async () => {
    const anna = await shared.someone("anna");
    const ada = agent("ada");
    const room = await shared.group(anna, [], ["bo"], { version });
    await anna.invite(room, ada);
    await anna.ban(room, ada);
    await anna.say(room, "who is in?", { mentions: [ada, agent("bo")] });
    await anna.waitForMessage(room, /who is in\?/, { from: agent("bo") });
    await anna.waitForMember(room, ada, "ban");
    await anna.unban(room, ada);
    await heard(anna, room, "bo", "and now?");
    expect(anna.client.getRoom(room)?.getMember(ada)?.membership).toBe("leave");
    await anna.invite(room, ada);
    await anna.waitForMember(room, ada, "join");
    await heard(anna, room, "ada", "welcome");
    expect(asked("who is in?")).toHaveLength(1);
  });

  test("an agent in a direct chat leaves when its person sends it away, where no client can remove it", async () => {
    const anna = await shared.someone("anna");
    const ada = agent("ada");
    const room = await shared.direct(anna, "ada");
    await anna.say(room, "hang on");
    await anna.waitForMessage(room, "I am at it", { from: ada });
    // Both sides have level 100, or are creators.
    await expect(anna.kick(room, ada)).rejects.toMatchObject({ httpStatus: 403 });
    const { bridge } = shared.stage;
    const from = bridge.stderr.length;
    await anna.say(room, "!crew dismiss");
    await bridge.waitForLine(/"reason":"cancelled".*turn ended/, { stream: "stderr", from });
    await anna.waitForMember(room, ada, "leave");
    expect(await saidBy(anna, room, ada)).toHaveLength(1);
    await anna.invite(room, ada);
    await anna.waitForMember(room, ada, "join");
    await anna.say(room, "welcome back");
    await anna.waitForMessage(room, /welcome back/, { from: ada });
  });

  test("who knocks is not in the room, and turning them away ends nothing", async () => {
    const [anna, ben, ada] = [await shared.someone("anna"), await shared.someone("ben"), agent("ada")];
    const room = await anna.createRoom({ invite: [ada], version });
    await anna.waitForMember(room, ada, "join");
    await setState(anna, room, "m.room.join_rules", { join_rule: "knock" });
    await anna.say(room, "hang on");
    await anna.waitForMessage(room, "I am at it", { from: ada });
    await ben.client.knockRoom(room);
    await anna.waitForMember(room, ben.userId, "knock");
    // Still a room of two: no mention is needed.
    const waits = await anna.say(room, "and this too");
    await anna.waitForReceipt(room, ada, waits);
    await anna.kick(room, ben.userId);
    await anna.waitForMember(room, ben.userId, "leave");
    await anna.waitForTyping(room, ada);
    await anna.say(room, "!crew stop");
    await anna.waitForMessage(room, /and this too/, { from: ada });
    expect(asked("and this too")).toHaveLength(1);
  });

  test("an upgrade to the same version is followed, with what waits, also from a thread", async () => {
    const { anna, room, ada, ben } = await busy();
    const root = await ben.say(room, "a thread");
    await ben.mention(room, agent("bo"), "hang in the thread", { thread: root });
    await anna.waitForMessage(room, "I am at it", { from: agent("bo") });
    const { replacement_room: next } = await anna.client.upgradeRoom(room, version);
    for (const user of [ada, agent("bo")]) await anna.invite(next, user).catch(() => undefined);
    await anna.waitForMessage(next, "I am at it", { from: ada });
    await anna.waitForMessage(next, "I am at it", { from: agent("bo") });
    expect(await saidBy(anna, next, ada)).toHaveLength(1);
  });

  test("to ignore an agent tells it nothing", async () => {
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    await anna.client.setIgnoredUsers([agent("ada")]);
    const words = `do you hear me in ${version}?`;
    const said = await anna.say(room, words);
    await anna.waitForReceipt(room, agent("ada"), said);
    const ben = await shared.someone("ben");
    await ben.createDirectRoom(agent("ada"), "ben is here");
    await expect.poll(() => asked(words).length).toBe(1);
  });

  describe("an agent with a subtask and an open question", () => {
    test.each(["kick", "ban"] as const)("loses both by a %s, and the work goes to another", async (act) => {
      const anna = await shared.someone("anna");
      const task = await TaskRoom.openByBot(anna, shared.stage.crew, `Ask, then ${act}`);
      const question = await task.waitForAsk("question");
      const { holder = "" } = await task.waitForSubtask("ask", "working");
      await anna[act](task.room, holder);
      const shown = await anna.waitForMessage(
        task.room,
        (said) => said.id === question.id && approvalOf(said)["state"] === "withdrawn",
        patient,
      );
      expect(shown.text).toContain("removed");
      await task.waitForSubtask("ask", (now) => now.holder !== undefined && now.holder !== holder);
      await task.waitForAsk("question", { ...patient, except: question.id });
      expect(await task.command("audit moderation")).toMatch(act);
    });

    test("keeps both when it is muted", async () => {
      const anna = await shared.someone("anna");
      const task = await TaskRoom.openByBot(anna, shared.stage.crew, "Ask, then mute");
      const question = await task.waitForAsk("question");
      const { holder = "", epoch } = await task.waitForSubtask("ask", "working");
      await anna.setPowerLevel(task.room, holder, -1);
      await anna.react(task.room, question.id, "1️⃣");
      await task.waitForAnswered(question);
      expect(task.subtask("ask")).toMatchObject({ state: "working", holder, epoch });
      expect(asked("Answer to your question: yes")).toEqual([]);
      await anna.setPowerLevel(task.room, holder, 0);
      await expect.poll(() => asked("Answer to your question: yes").length, { timeout: 30_000 }).toBeGreaterThan(0);
    });
  });

  test("a file that somebody handed in is withdrawn when a moderator redacts it", async () => {
    const [anna, ben] = [await shared.someone("anna"), await shared.someone("ben")];
    const task = await TaskRoom.openByBot(anna, shared.stage.crew, "Ask for a file");
    await anna.invite(task.room, ben.userId);
    await ben.join(task.room);
    const file = { name: "keys.txt", mimeType: "text/plain", bytes: Buffer.from("not for all\n") };
    const upload = await ben.sendFile(task.room, file);
    await waitForCommit(task, "the upload", touches("keys.txt"));
    await anna.redact(task.room, upload);
    const withdrawn = await waitForCommit(task, "the withdrawal", touches("keys.txt", { why: "withdraw" }));
    expect(withdrawn.by).toBe(anna.userId);
    expect(await task.command("files")).not.toContain("keys.txt");
  });

  test("who is demoted no longer steers, and HQ is told when the last one who may leaves", async () => {
    const { boss, hq } = await headquarters();
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, shared.stage.crew, "Ask whom to ask");
    await task.waitForAsk("question");
    await anna.setPowerLevel(task.room, anna.userId, 49);
    expect(await task.command("pause")).toMatch(/power level 50/);
    expect(task.task?.paused).toBeUndefined();
    await anna.leave(task.room);
    await boss.waitForMessage(hq, (said) => said.text.includes(anna.userId) && /nobody who may steer/.test(said.text));
  });

  test("the bot of a task's room cannot be locked out by the person who asked for it", async () => {
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, shared.stage.crew, "Ask the bot");
    await task.waitForAsk("question");
    const { crew } = shared.stage;
    const before = await levelsOf(anna, task.room);
    await expect(anna.kick(task.room, crew.bot)).rejects.toMatchObject({ httpStatus: 403 });
    const lowered = { ...before, users: { ...before.users, [crew.bot]: 0 } };
    await expect(setState(anna, task.room, "m.room.power_levels", lowered)).rejects.toThrow(/permission|creator/i);
    // The highest that they may ask of anybody.
    await setState(anna, task.room, "m.room.power_levels", { ...before, events_default: 100, state_default: 100 });
    expect(await task.command("status")).toContain("ask");
    await setState(anna, task.room, "m.room.power_levels", before);
  });

  test("a task goes on in the room that replaces its own, without an agent that was removed", async () => {
    const { crew, synapse } = shared.stage;
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Ask before the upgrade");
    const question = await task.waitForAsk("question");
    const { holder = "" } = await task.waitForSubtask("ask", "working");
    await anna.kick(task.room, holder);
    await task.waitForSubtask("ask", (now) => now.holder !== undefined && now.holder !== holder);
    await task.waitForAsk("question", { ...patient, except: question.id });
    // In version 12 only the creator may, and a client could only do it with the bot's account.
    const registration = parse(await readFile(crew.registrationFile, "utf8")) as { readonly as_token: string };
    const answer = await callApi(synapse.url, {
      method: Method.Post,
      path: `/_matrix/client/v3/rooms/${encodeURIComponent(task.room)}/upgrade?user_id=${encodeURIComponent(crew.bot)}`,
      token: registration.as_token,
      body: { new_version: version },
    });
    const { replacement_room: room } = answer as { readonly replacement_room: string };
    await callApi(synapse.url, {
      method: Method.Post,
      path: `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/invite?user_id=${encodeURIComponent(crew.bot)}`,
      token: registration.as_token,
      body: { user_id: anna.userId },
    });
    await anna.waitFor(room, "the invite", patient, () =>
      anna.client.getRoom(room)?.getMyMembership() === "invite" ? true : undefined,
    );
    await anna.join(room);
    const next = task.at(room);
    await next.waitForAsk("question", patient);
    const others = taskCrew.map(({ id }) => agent(id)).filter((user) => user !== holder);
    for (const user of others) await anna.waitForMember(room, user, "join", patient);
    expect(anna.client.getRoom(room)?.getMember(holder)?.membership).toBeUndefined();
  });
});

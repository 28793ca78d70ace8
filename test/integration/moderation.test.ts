/** What people do to agents in their client, in chats and in tasks, in both room versions that count, while a turn or a command runs. */
import { describe, expect, test } from "vitest";
import { quiet, run, uses } from "../support/files.ts";
import type { Person } from "../support/person.ts";
import { waitForProcess } from "../support/processes.ts";
import { saidBy, sharedStage } from "../support/shared-stage.ts";
import { planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

/** What a stopped command may take to be gone, from when the homeserver has the event. */
const goneWithinMs = 1_000;

const acts = ["kick", "ban", "mute", "stop"] as const;
type Act = (typeof acts)[number];
const secondsOf = (act: Act): number => 90_000 + acts.indexOf(act);

async function does(person: Person, act: Act, room: string, agent: string): Promise<void> {
  if (act === "kick") await person.kick(room, agent, "enough");
  if (act === "ban") await person.ban(room, agent, "enough");
  if (act === "mute") await person.setPowerLevel(room, agent, -1);
  if (act === "stop") await person.say(room, "!crew stop");
}

describe.each(["11", "12"])("in room version %s", (version) => {
  /** The command's marker tells the versions apart: they run side by side. */
  const sleep = (act: Act): string => `sleep ${version}${secondsOf(act)}`;
  const shared = sharedStage({
    agents: taskCrew.map((agent) => ({ ...agent, parallel: 9 })),
    permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
    homeserver: { default_room_version: version },
    config: { tasks: { plan_approval: "never", final_approval: "none" }, limits: { stream_first_ms: 100 } },
    script: [
      ...acts.flatMap((act) => [
        planRule([{ id: act }], `Sleep until ${act}`),
        ...uses("executor", `/Your subtask \`${act}\`/`, [run(sleep(act))]).map((rule) => ({ ...rule, times: 1 })),
      ]),
      { when: { last: "hang" }, answer: { text: "I am at it", hang: true } },
      { when: { last: "/Your subtask/" }, answer: { text: "Let me think.", hang: true } },
      { ...quiet, when: { ...quiet.when, last: "/Plan it|Review|subtask/" } },
    ],
  });

  test.each(acts)("a command of an agent is gone within a second of a %s, with its children", async (act) => {
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, shared.stage.crew, `Sleep until ${act}`);
    await waitForProcess(sleep(act));
    const { holder = "" } = await task.waitForSubtask(act, "working");
    await does(anna, act, task.room, holder);
    expect(await waitForProcess(sleep(act), { gone: true })).toBeLessThan(goneWithinMs);
    // Who was removed loses the work; who was muted or stopped keeps it.
    const isRemoved = act === "kick" || act === "ban";
    await task.waitForSubtask(act, ({ holder: next }) => next !== undefined && (next !== holder) === isRemoved);
  });

  test.each(["kick", "ban", "mute"] as const)(
    "a turn in a chat ends with a %s, and nothing more is said",
    async (act) => {
      const { crew } = shared.stage;
      const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
      const anna = await shared.someone("anna");
      const room = await shared.group(anna, [], ["ada", "bo"], { version });
      await anna.mention(room, ada, "hang on");
      await anna.waitForMessage(room, "I am at it", { from: ada });
      const { bridge } = shared.stage;
      const from = bridge.stderr.length;
      await does(anna, act, room, ada);
      // Who was removed can no longer say that it has stopped typing.
      await bridge.waitForLine(/"reason":"cancelled".*turn ended/, { stream: "stderr", from });
      await anna.mention(room, bo, "who is here?");
      await anna.waitForMessage(room, /who is here\?/, { from: bo });
      expect(await saidBy(anna, room, ada)).toHaveLength(1);
      if (act === "ban") {
        await anna.unban(room, ada);
      }
      if (act === "mute") await anna.setPowerLevel(room, ada, 0);
      else {
        await anna.invite(room, ada);
        await anna.waitForMember(room, ada, "join");
      }
      await anna.mention(room, ada, "and now?");
      const words = act === "mute" ? "I am at it" : /and now\?/;
      await anna.waitFor(room, "its second word", {}, () =>
        anna.seen(room).filter(({ sender }) => sender === ada).length > 1 ? true : undefined,
      );
      expect((await saidBy(anna, room, ada)).at(-1)?.text).toMatch(words);
    },
  );

  test("what who left asked for goes on; what is corrected is told, and goes with what it corrects when that is withdrawn", async () => {
    const { crew } = shared.stage;
    const ada = crew.agent("ada");
    const [anna, ben] = [await shared.someone("anna"), await shared.someone("ben")];
    const room = await shared.group(anna, [ben], ["ada"], { version });
    const asked = await ben.mention(room, ada, "hang here");
    await anna.waitForMessage(room, "I am at it", { from: ada });
    await ben.edit(room, asked, "hang there");
    await ben.leave(room);
    await anna.waitForMember(room, ben.userId, "leave");
    const last = await anna.mention(room, ada, "and then rest");
    await anna.waitForReceipt(room, ada, last);
    await anna.waitForTyping(room, ada);
    await anna.redact(room, asked);
    const answer = await anna.waitForMessage(room, /and then rest/, { from: ada });
    expect(answer.text).not.toContain("there");
    expect(await saidBy(anna, room, ada)).toHaveLength(2);
  });

  test("what a person asked for ends when another person removes them", async () => {
    const { crew } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const [anna, ben] = [await shared.someone("anna"), await shared.someone("ben")];
    const room = await shared.group(anna, [ben], ["ada", "bo"], { version });
    await ben.mention(room, ada, "hang on for ben");
    await anna.waitForMessage(room, "I am at it", { from: ada });
    await anna.waitForTyping(room, ada);
    await anna.kick(room, ben.userId);
    await anna.waitForTyping(room, ada, { typing: false });
    await anna.mention(room, ada, "for anna now");
    await anna.waitForMessage(room, /for anna now/, { from: ada });
    await anna.mention(room, bo, "and you?");
    await anna.waitForMessage(room, /and you\?/, { from: bo });
    expect((await saidBy(anna, room, ada)).map(({ text }) => text)).toEqual([
      "I am at it",
      expect.stringContaining("for anna now"),
    ]);
  });
});

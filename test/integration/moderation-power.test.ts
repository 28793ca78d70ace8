/** The bot of a task's room without the power that its work needs. Only before room version 12: there it is above all levels. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { callApi } from "../../src/demo/client-api.ts";
import { sharedStage } from "../support/shared-stage.ts";
import { diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const shared = sharedStage({
  agents: taskCrew,
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  homeserver: { default_room_version: "11" },
  config: { tasks: { plan_approval: "always", final_approval: "none" } },
  script: [planRule([{ id: "work" }]), ...diligence],
});

type Levels = { readonly users?: Readonly<Record<string, number>> };

/** Nobody else can: it made the room, and has the highest level. */
async function lower(task: TaskRoom, level: number): Promise<void> {
  const { crew, synapse } = shared.stage;
  const levels = (await task.person.client.getStateEvent(task.room, "m.room.power_levels", "")) as Levels;
  const registration = parse(await readFile(crew.registrationFile, "utf8")) as { readonly as_token: string };
  const room = encodeURIComponent(task.room);
  await callApi(synapse.url, {
    method: "PUT",
    path: `/_matrix/client/v3/rooms/${room}/state/m.room.power_levels/?user_id=${encodeURIComponent(crew.bot)}`,
    token: registration.as_token,
    body: { ...levels, users: { ...levels.users, [crew.bot]: level } },
  });
}

test.each([
  ["lowered", 0],
  ["muted", -1],
])(
  "a task whose bot is %s rests, says so, fails nothing, and goes on by itself when the power is back",
  async (_how, level) => {
    const { crew, synapse, bridge } = shared.stage;
    const boss = await shared.stage.person("boss");
    const { room_id: hq } = await boss.client.getRoomIdForAlias(`#crewroom-hq:${synapse.serverName}`);
    await boss.join(hq);
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Work");
    const asked = await task.waitForAsk("plan");
    await lower(task, level);
    const about = (words: RegExp) => (said: { readonly text: string }) =>
      said.text.includes(task.room) && words.test(said.text);
    await boss.waitForMessage(hq, about(/no longer have the power/), patient);
    await anna.waitForMessage(task.room, /no longer have the power/, patient);
    // What people decide counts, and shows when it can.
    await anna.react(task.room, asked.id, "✅");
    const ask = await anna.mention(task.room, crew.agent("bo"), "are you at it?");
    await anna.waitForReceipt(task.room, crew.agent("bo"), ask);
    expect(task.subtask("work")).toBeUndefined();
    await anna.setPowerLevel(task.room, crew.bot, 100);
    await boss.waitForMessage(hq, about(/can work here again/), patient);
    await task.waitForAnswered(asked);
    await task.waitForSubtask("work", "done");
    await task.waitForTask("done");
    expect((await bridge.metrics()).value("crewroom_dead_letters_total")).toBe(0);
  },
);

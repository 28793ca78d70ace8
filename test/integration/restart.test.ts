import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { Person } from "../support/person.ts";
import { saidBy, sharedStage } from "../support/shared-stage.ts";

const shared = sharedStage({
  agents: ["ada", "bo"],
  config: { limits: { stream_first_ms: 100 } },
  script: [{ when: { last: "get stuck once" }, times: 1, answer: { text: "stuck", hang: true } }],
});

async function changes(person: Person, room: string, user: string): Promise<number> {
  const events = await person.events(room);
  return events.filter((event) => event.type === "m.room.member" && event.state_key === user).length;
}

test("a conversation goes on after a restart, with its history, and nobody's profile is touched", async () => {
  const { bridge, crew, rehearsal, synapse } = shared.stage;
  const ada = crew.agent("ada");
  const [anna, boss] = [await shared.someone("anna"), await shared.stage.person("boss")];
  const { room_id: hq } = await boss.client.getRoomIdForAlias(`#crewroom-hq:${synapse.serverName}`);
  await boss.join(hq);
  const room = await shared.direct(anna, "ada");
  await anna.say(room, "my word is heron");
  await anna.waitForMessage(room, /heron/, { from: ada });
  const before = await changes(anna, room, ada);
  const hqBefore = (await boss.events(hq)).length;

  await bridge.restart();
  await anna.say(room, "what was my word?");
  await anna.waitForMessage(room, "ada heard: what was my word?", { from: ada });
  const request = rehearsal.requests.findLast(({ scene }) => scene.last === "what was my word?");
  expect(request?.scene.turn).toBe(2);
  expect(JSON.stringify(request?.body.messages)).toContain("my word is heron");
  await expect(anna.client.getProfileInfo(ada)).resolves.toMatchObject({ displayname: "Ada" });
  expect(await changes(anna, room, ada)).toBe(before);
  expect(await boss.events(hq)).toHaveLength(hqBefore);
});

test("a new name in the config is one change in each room, and only for the agent that has it", async () => {
  const { bridge, crew } = shared.stage;
  const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
  const anna = await shared.someone("anna");
  const room = await shared.group(anna, [], ["ada", "bo"]);
  const before = { ada: await changes(anna, room, ada), bo: await changes(anna, room, bo) };
  const config = await readFile(crew.configFile, "utf8");
  await bridge.stop();
  await writeFile(crew.configFile, config.replace("name: Ada", "name: Ada Lovelace"));
  await bridge.start();
  await anna.waitFor(room, "Ada's new name", {}, () =>
    anna.client.getRoom(room)?.getMember(ada)?.rawDisplayName === "Ada Lovelace" ? true : undefined,
  );
  await anna.mention(room, ada, "nice name");
  await anna.waitForMessage(room, /nice name/, { from: ada });
  expect(await changes(anna, room, ada)).toBe(before.ada + 1);
  expect(await changes(anna, room, bo)).toBe(before.bo);
});

test("what was said while the bridge was down is answered when it is back, once", async () => {
  const { bridge, crew } = shared.stage;
  const ada = crew.agent("ada");
  const anna = await shared.someone("anna");
  const room = await shared.direct(anna, "ada");
  await bridge.stop();
  await anna.say(room, "said to nobody");
  await bridge.start();
  await anna.waitForMessage(room, "ada heard: said to nobody", { from: ada });
  const again = await anna.createDirectRoom(ada, "and now?");
  await anna.waitForMessage(again, "ada heard: and now?", { from: ada });
  expect(await saidBy(anna, room, ada)).toHaveLength(1);
});

test("a turn that ran when the bridge was killed runs again, in the message that it had begun", async () => {
  const { bridge, crew } = shared.stage;
  const ada = crew.agent("ada");
  const anna = await shared.someone("anna");
  const room = await shared.direct(anna, "ada");
  await anna.say(room, "get stuck once");
  const begun = await anna.waitForMessage(room, "stuck", { from: ada });
  await bridge.kill();
  await bridge.start();
  const ended = await anna.waitForMessage(room, "ada heard: get stuck once", { from: ada });
  expect(ended.id).toBe(begun.id);
  expect(await saidBy(anna, room, ada)).toHaveLength(1);
});

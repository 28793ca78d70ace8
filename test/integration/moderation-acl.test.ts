/** Server ACLs between two homeservers: the other one denied, and our own. */
import { expect, test } from "vitest";
import type { Synapse } from "../../src/demo/synapse.ts";
import { uniqueName } from "../support/fresh-synapse.ts";
import type { Person } from "../support/person.ts";
import { saidBy, sharedStage } from "../support/shared-stage.ts";

const shared = sharedStage({
  agents: ["ada", "bo"],
  federated: true,
  awayHost: "127.0.0.1",
  permissions: (home, away = "") => ({ [home]: "talk", [`@boss:${home}`]: "admin", [away]: "talk" }),
  config: { limits: { stream_first_ms: 100, retry_max_seconds: 2 } },
  script: [{ when: { last: "hang" }, answer: { text: "I am at it", hang: true } }],
});

function away(): Synapse {
  if (shared.stage.away === undefined) throw new Error("The stage is not federated");
  return shared.stage.away;
}

interface Acl {
  readonly deny?: readonly string[];
  readonly allow_ip_literals?: boolean;
}

const setAcl = (person: Person, room: string, acl: Acl): Promise<unknown> =>
  person.client.sendStateEvent(room, "m.room.server_acl" as never, { allow: ["*"], deny: [], ...acl } as never);

test.each([
  ["11", "by its name", { deny: ["127.0.0.?"] }],
  ["12", "by its name", { deny: ["127.0.0.?"] }],
  ["11", "as one that is named by an IP address", { allow_ip_literals: false }],
] as const)(
  "in room version %s what people of a server asked for ends when the room denies it, %s",
  async (version, _how, acl) => {
    const [ada, bo] = [shared.stage.crew.agent("ada"), shared.stage.crew.agent("bo")];
    const anna = await shared.someone("anna");
    const zoe = await shared.stage.person(uniqueName("zoe"), { on: away() });
    const room = await shared.group(anna, [], ["ada", "bo"], { version });
    await anna.invite(room, zoe.userId);
    await zoe.waitForInvite(anna.userId);
    await zoe.join(room, [shared.stage.synapse.serverName]);
    await zoe.mention(room, ada, "hang on");
    await anna.waitForMessage(room, "I am at it", { from: ada });
    const waits = await zoe.mention(room, ada, "and this");
    await anna.waitForReceipt(room, ada, waits);
    await anna.waitForTyping(room, ada);
    await setAcl(anna, room, acl);
    await anna.waitForTyping(room, ada, { typing: false });
    await anna.mention(room, ada, "what is left?");
    const answer = await anna.waitForMessage(room, /what is left\?/, { from: ada });
    expect(answer.text).not.toContain("and this");
    await anna.mention(room, bo, "and you?");
    await anna.waitForMessage(room, /and you\?/, { from: bo });
    expect(await saidBy(anna, room, ada)).toHaveLength(2);
  },
);

test.each(["11", "12"])(
  "in room version %s our own server denied by another stops work there, and HQ is told; it goes on when that is over",
  async (version) => {
    const { crew, synapse } = shared.stage;
    const ada = crew.agent("ada");
    const home = synapse.serverName.replace(/:\d+$/, "");
    const boss = await shared.stage.person("boss");
    const { room_id: hq } = await boss.client.getRoomIdForAlias(`#crewroom-hq:${synapse.serverName}`);
    await boss.join(hq);
    const zoe = await shared.stage.person(uniqueName("zoe"), { on: away() });
    const room = await zoe.createRoom({ invite: [ada], version });
    await zoe.waitForMember(room, ada, "join");
    await zoe.say(room, "hang on");
    await zoe.waitForMessage(room, "I am at it", { from: ada });
    await setAcl(zoe, room, { deny: [home] });
    const about = (words: RegExp) => (said: { readonly text: string }) =>
      said.text.includes(room) && words.test(said.text);
    await boss.waitForMessage(hq, about(/server ACL denies/), { from: crew.bot });
    await zoe.say(room, "and then this");
    await setAcl(zoe, room, {});
    await boss.waitForMessage(hq, about(/can work here again/), { from: crew.bot });
    const answers = (said: readonly { readonly sender: string; readonly text: string }[]): readonly string[] =>
      said.filter(({ sender, text }) => sender === ada && !text.startsWith("🔓")).map(({ text }) => text);
    await zoe.waitFor(room, "its next turn", {}, () => (answers(zoe.seen(room)).length > 1 ? true : undefined));
    expect(answers(await zoe.timeline(room))).toEqual(["I am at it", "I am at it"]);
  },
);

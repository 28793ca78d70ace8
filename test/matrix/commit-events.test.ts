/** Commits as a room of a real Synapse tells them to another host. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Bundle, Commit } from "../../src/core/files.ts";
import type { AgentId, CommitHash, EffectId, MxcUri, RoomId, TurnId, UserId } from "../../src/core/ids.ts";
import { commitEventsOf, readCommitEvents } from "../../src/matrix/commit-events.ts";
import { commitMessage } from "../../src/matrix/commit-message.ts";
import type { MessageContent } from "../../src/matrix/compose/content.ts";
import { Speaker } from "../../src/matrix/speak.ts";
import { uniqueName } from "../support/fresh-synapse.ts";
import { ada, bot, type RealHomeserver, realHomeserver } from "./real-homeserver.ts";

const never = new AbortController().signal;

let real: RealHomeserver;
beforeAll(async () => {
  real = await realHomeserver();
});
afterAll(() => real[Symbol.asyncDispose]());

const hash = (digit: string): CommitHash => digit.repeat(40) as CommitHash;
const bundle: Bundle = {
  parts: [{ mxc: "mxc://localhost/abc" as MxcUri, sha256: "b".repeat(64), size: 9 }],
  sha256: "c".repeat(64),
  size: 9,
  needs: [hash("0")],
};
const told: Commit = {
  hash: hash("1"),
  parents: [hash("0")],
  branch: "subtask/parser",
  by: "ada" as AgentId,
  why: "turn",
  subtask: "parser",
  turn: "turn-1" as TurnId,
  subject: "Parser",
  ts: 1_000,
};
const change = { path: "a\nb.ts", kind: "added", mode: "100644", size: 1, sha256: "d".repeat(64) } as const;

function message(commit: Partial<Commit> = {}): MessageContent {
  const facts = { commit: { ...told, ...commit }, changes: [change], files: 1, added: 1, removed: 0 };
  return commitMessage(facts, bundle, { by: "Ada", user: ada });
}

const partOf = (content: MessageContent): Record<string, unknown> =>
  content["dev.crewroom.commit"] as Record<string, unknown>;

async function taskRoom(members: readonly UserId[] = []): Promise<RoomId> {
  const content = { kind: "task", task: 7, coordinator: bot, v: 1 };
  const room = await real.homeserver.createRoom(bot, {
    preset: "private_chat",
    invite: members,
    initial_state: [{ type: "dev.crewroom.room", state_key: "", content }],
  });
  for (const member of members) await real.homeserver.join(room, member);
  return room;
}

function send(room: RoomId, content: MessageContent, as = bot): Promise<string> {
  const speaker = new Speaker({ homeserver: real.homeserver, longAnswerBytes: 30_000 });
  return speaker.publish(room, as, uniqueName("commit") as EffectId, content, never);
}

const read = (room: RoomId, progress?: (line: string) => void) =>
  readCommitEvents({ request: (asked) => real.homeserver.request({ ...asked, as: bot }) }, room, never, progress);

test("Commits are read back from the beginning of the room, as they were told, and only the coordinator's", async () => {
  const room = await taskRoom([ada]);
  const first = await send(room, message());
  await send(room, message({ hash: hash("e") }), ada);
  const redacted = await send(room, message({ hash: hash("f") }));
  await real.homeserver.redact(room, bot, redacted as never, uniqueName("redact"));
  const edit = { ...message({ hash: hash("9") }), "m.relates_to": { rel_type: "m.replace", event_id: first } };
  await send(room, edit as never);
  await send(room, { ...message(), "dev.crewroom.commit": { v: 1 } });
  for (let n = 0; n < 101; n++) await send(room, { msgtype: "m.notice", body: `${n}`, "m.mentions": {} });
  const { subtask: _subtask, turn: _turn, ...plain } = told;
  const onMain: Commit = { ...plain, hash: hash("2"), branch: "main", by: bot, why: "merge" };
  await send(
    room,
    commitMessage({ commit: onMain, changes: [], files: 0, added: 0, removed: 0 }, undefined, { by: "", user: bot }),
  );
  await real.homeserver.setState(room, bot, "dev.crewroom.head", "", { v: 1, commit: hash("2"), bundle });
  await real.homeserver.setState(room, bot, "dev.crewroom.task", "", { id: 7, title: "Parser" });

  const lines: string[] = [];
  const { events, ...rest } = await read(room, (line) => lines.push(line));
  expect(rest).toEqual({ task: 7, coordinator: bot, malformed: 1, head: { commit: hash("2"), bundle } });
  expect(events.map(({ event: _event, ts: _ts, ...commit }) => commit)).toEqual([
    { commit: told, changes: [change], bundle },
    { commit: onMain, changes: [] },
  ]);
  expect(events[0]?.event).toBe(first);
  expect(lines).toEqual(["commits read from the room: 1", "commits read from the room: 2"]);
});

test("A room without commits yet has none, and knows its task by the mark of the room", async () => {
  const room = await taskRoom();
  expect(await read(room)).toEqual({ events: [], head: undefined, task: 7, coordinator: bot, malformed: 0 });
});

test("State of somebody else than who made the room does not count", async () => {
  const room = await taskRoom([ada]);
  const levels = { users: { [bot]: 100, [ada]: 100 } };
  await real.homeserver.setState(room, bot, "m.room.power_levels", "", levels).catch(async () => {
    // From room version 12 on the creator stands above all levels.
    await real.homeserver.setState(room, bot, "m.room.power_levels", "", { users: { [ada]: 100 } });
  });
  await real.homeserver.setState(room, ada, "dev.crewroom.head", "", { v: 1, commit: hash("3") });
  expect((await read(room)).head).toBeUndefined();
  const content = { kind: "task", task: 7, coordinator: ada, v: 1 };
  await real.homeserver.setState(room, ada, "dev.crewroom.room", "", content);
  await expect(read(room)).rejects.toMatchObject({ code: "FILES_INCOMPLETE" });
});

test("After an upgrade by somebody else the bot is still believed, because it made the room before", async () => {
  const before = await taskRoom([ada]);
  const upgrade = async (predecessor: RoomId): Promise<RoomId> => {
    const room = await real.homeserver.createRoom(ada, {
      preset: "trusted_private_chat",
      invite: [bot],
      creation_content: { predecessor: { room_id: predecessor } },
      power_level_content_override: { state_default: 0 },
    });
    await real.homeserver.join(room, bot);
    await real.homeserver.setState(room, bot, "dev.crewroom.room", "", { kind: "task", task: 7, coordinator: bot });
    return room;
  };
  expect(await read(await upgrade(before))).toMatchObject({ task: 7, coordinator: bot });
  const foreign = await real.homeserver.createRoom(ada, { preset: "private_chat" });
  await expect(read(await upgrade(foreign))).rejects.toMatchObject({ code: "FILES_INCOMPLETE" });
});

test("A room that is no task's is refused", async () => {
  const room = await real.homeserver.createRoom(bot, { preset: "private_chat" });
  await expect(read(room)).rejects.toThrow(`${room} is no room of a task`);
});

test.each<[string, object]>([
  ["another version", { v: 2 }],
  ["an abbreviated name", { commit: "1a2b3c4" }],
  ["a parent that is none", { parents: ["main"] }],
  ["nobody who made it", { by: "Ada" }],
  ["a reason that nobody knows", { why: "magic" }],
  ["a path with the wrong type", { changes: [{ path: 1, kind: "added" }] }],
  ["too many changes", { changes: Array.from({ length: 51 }, () => change) }],
  ["media elsewhere", { bundle: { ...bundle, parts: [{ ...bundle.parts[0], mxc: "https://evil.example/x" }] } }],
  ["parts that are not the whole", { bundle: { ...bundle, size: 10 } }],
  ["no text", { subject: null }],
])("A part with %s is left out and told", (_what, wrong) => {
  const event = (part: object): object => ({
    type: "m.room.message",
    sender: bot,
    event_id: "$a",
    origin_server_ts: 1,
    content: { ...message(), "dev.crewroom.commit": part },
  });
  const part = partOf(message());
  const malformed: string[] = [];
  const events = [event({ ...part, ...wrong }), event(part), "nonsense", null, { content: 3 }];
  const kept = commitEventsOf(events, { from: bot, onMalformed: (id) => malformed.push(id) });
  expect(kept.map(({ commit }) => commit)).toEqual([told]);
  expect(malformed).toEqual(["$a"]);
});

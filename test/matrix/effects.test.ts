/** What effects become in the rooms of a real Synapse, and what is read back. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Invite, React, Redact, Say, SetState } from "../../src/core/effect.ts";
import type { EffectId, EventId, RoomId, UserId } from "../../src/core/ids.ts";
import { reaction } from "../../src/matrix/compose/content.ts";
import { Entrance } from "../../src/matrix/entrance.ts";
import type { Homeserver } from "../../src/matrix/homeserver.ts";
import { Messenger } from "../../src/matrix/messenger.ts";
import { OwnRooms } from "../../src/matrix/own-rooms.ts";
import type { Said } from "../../src/matrix/recent.ts";
import { Speaker } from "../../src/matrix/speak.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { uniqueName } from "../support/fresh-synapse.ts";
import { event, user } from "./ids.ts";
import { ada, bo, bot, type RealHomeserver, realHomeserver } from "./real-homeserver.ts";

const never = new AbortController().signal;
const retry = { maxWaitMs: 10 };

let real: RealHomeserver;
beforeAll(async () => {
  real = await realHomeserver();
});
afterAll(() => real[Symbol.asyncDispose]());

function messenger(homeserver: Homeserver = real.homeserver): Messenger {
  const speaker = new Speaker({ homeserver, longAnswerBytes: 30_000 });
  return new Messenger({
    speaker,
    users: real.users,
    membersOf: () => new Map(),
    retry,
    inFlight: 4,
    metrics: createMetrics(),
  });
}

function entrance(): Entrance {
  return new Entrance({
    homeserver: real.homeserver,
    reads: real.reads,
    ensure: (one) => real.users.ensure(one),
    isOwn: (one) => real.users.has(one),
    decode: () => [],
    retry,
    attempts: 2,
    onSlowJoin: () => undefined,
  });
}

async function newRoom(members: readonly UserId[] = []): Promise<RoomId> {
  const made = await real.homeserver.createRoom(bot, { preset: "private_chat", invite: members });
  for (const member of members) await real.homeserver.join(made, member);
  return made;
}

const idOf = (): EffectId => uniqueName("effect") as EffectId;
function say(text: string, more: Partial<Say> = {}): Say {
  return { kind: "say", id: idOf(), as: bot, text, style: "message", mentions: [], ...more };
}
const speak = (place: RoomId, text: string, more: Partial<Say> = {}): Promise<EventId> =>
  messenger().say(place, say(text, more), never);
const redact = (place: RoomId, said: EventId, as = bot): Promise<EventId> =>
  real.homeserver.redact(place, as, said, uniqueName("redact"));

async function eventIn(place: RoomId, id: EventId): Promise<{ content: Record<string, unknown> }> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(place)}/event/${encodeURIComponent(id)}`;
  return (await real.homeserver.request({ method: "GET", path, as: bot })) as { content: Record<string, unknown> };
}

/** A way to the homeserver on which the answer to the first write is lost. */
function lossy(): Homeserver {
  let lost = false;
  return real.over(async (url, init) => {
    const answer = await fetch(url, init);
    if (lost || init?.method !== "PUT") return answer;
    lost = true;
    throw new TypeError("fetch failed");
  });
}

const textsOf = (said: readonly Said[]): readonly string[] => said.map(({ text }) => text);

test("A message carries its typed parts, and an edit carries them in its new content", async () => {
  const place = await newRoom();
  const typed = { action: { kind: "claim", subtask: "parser" }, approval: { id: "a1", options: ["approve"] } };
  const first = await speak(place, "Bo claims parser", typed);
  const parts = { "dev.crewroom.action": typed.action, "dev.crewroom.approval": typed.approval };
  expect((await eventIn(place, first)).content).toMatchObject(parts);
  const edit = await speak(place, "Bo has claimed parser", { ...typed, replaces: { event: first } });
  const { content } = await eventIn(place, edit);
  expect(content["m.new_content"]).toMatchObject(parts);
  expect(Object.keys(content).filter((key) => key.startsWith("dev."))).toEqual([]);
});

test("A reaction is put once, though its answer was lost, and though it is there already", async () => {
  const place = await newRoom();
  const target = { event: await speak(place, "Shall we?") };
  const react = (): React => ({ kind: "react", id: idOf(), as: bot, target, key: "✅" });
  const effect = react();
  const put = await messenger(lossy()).react(place, effect, never);
  expect(await messenger().react(place, effect, never)).toBe(put);
  expect(put && (await eventIn(place, put)).content).toEqual(reaction(target.event, "✅"));
  expect(await messenger().react(place, react(), never)).toBeUndefined();
});

test("A reaction under a message that is not there yet is a mistake of ours, not the homeserver's", async () => {
  const place = await newRoom();
  const react: React = { kind: "react", id: idOf(), as: bot, target: { effect: idOf() }, key: "✅" };
  await expect(messenger().react(place, react, never)).rejects.toMatchObject({ code: "INTERNAL" });
});

test("A file is said with its words as caption, and can be replaced", async () => {
  const place = await newRoom();
  const mxc = await real.homeserver.upload(new TextEncoder().encode("a,b"), "text/csv", "data.csv");
  const file = { mxc, name: "data.csv", mimeType: "text/csv", size: 3 };
  const action = { kind: "show" };
  const effect = say("`data.csv` at **main**", { file, style: "notice", action });
  const said = await messenger(lossy()).say(place, effect, never);
  expect(await messenger().say(place, effect, never)).toBe(said);
  expect((await eventIn(place, said)).content).toEqual({
    msgtype: "m.file",
    body: "`data.csv` at **main**",
    format: "org.matrix.custom.html",
    formatted_body: "<code>data.csv</code> at <strong>main</strong>",
    filename: "data.csv",
    url: mxc,
    info: { mimetype: "text/csv", size: 3 },
    "m.mentions": {},
    "dev.crewroom.action": action,
  });
  const bare = await eventIn(place, await speak(place, "", { file, replaces: { event: said } }));
  expect(bare.content).toMatchObject({
    "m.new_content": { body: "data.csv", url: mxc },
    "m.relates_to": { rel_type: "m.replace", event_id: said },
  });
  const long = await eventIn(place, await speak(place, "word ".repeat(10_000), { file }));
  expect(String(long.content["body"]).length).toBeLessThan(1_001);
});

test("A message is taken back once, and one that is gone or another's is left as it is", async () => {
  const place = await newRoom([ada, bo]);
  const take = (event: EventId, as: UserId): Redact => ({ kind: "redact", id: idOf(), as, event, reason: "Withdrawn" });
  const said = await speak(place, "oops", { as: ada });
  const effect = take(said, ada);
  const taken = await messenger(lossy()).redact(place, effect, never);
  expect(taken).toBeDefined();
  expect(await messenger().redact(place, effect, never)).toBe(taken);
  expect((await eventIn(place, said)).content).toEqual({});
  const others = await speak(place, "mine", { as: bo });
  expect(await messenger().redact(place, take(others, ada), never)).toBeUndefined();
  expect((await eventIn(place, others)).content).toMatchObject({ body: "mine" });
  await expect(messenger().redact(place, take(event("$nowhere"), ada), never)).resolves.not.toThrow();
  await expect(messenger().redact(place, take(said, ada), never)).resolves.not.toThrow();
});

test("A message that is made already is published once, though its answer was lost", async () => {
  const place = await newRoom();
  const content = { msgtype: "m.notice", body: "📝", "m.mentions": {}, "dev.crewroom.commit": { v: 1 } };
  const id = idOf();
  const published = await messenger(lossy()).publish(place, bot, id, content, never);
  expect(await messenger().publish(place, bot, id, content, never)).toBe(published);
  expect((await eventIn(place, published)).content).toEqual(content);
});

test("State is written once, though its answer was lost", async () => {
  const place = await newRoom();
  const state: SetState = { kind: "state", id: idOf(), type: "dev.crewroom.task", key: "", content: { id: 1 } };
  const written = await messenger(lossy()).setState(place, bot, state, never);
  expect(await messenger().setState(place, bot, { ...state, id: idOf() }, never)).toBe(written);
  const { crewroom } = await real.reads.snapshot(place, bot);
  expect(crewroom).toEqual([{ type: "dev.crewroom.task", key: "", content: { id: 1 } }]);
});

test("A snapshot leaves out Crewroom's state when somebody else wrote it", async () => {
  const place = await newRoom([ada]);
  const rooms = new OwnRooms({ homeserver: real.homeserver, bot });
  await rooms.empower(place, { users: { [ada]: 100 }, events: {} }, never);
  await real.homeserver.setState(place, bot, "dev.crewroom.subtask", "real", { state: "working" });
  await real.homeserver.setState(place, bot, "dev.crewroom.subtask", "taken", { state: "working" });
  await real.homeserver.setState(place, ada, "dev.crewroom.subtask", "forged", { state: "done" });
  await real.homeserver.setState(place, ada, "dev.crewroom.subtask", "taken", { state: "done" });
  await real.homeserver.setState(place, bot, "dev.example.other", "", {});
  const { crewroom } = await real.reads.snapshot(place, ada);
  expect(crewroom).toEqual([{ type: "dev.crewroom.subtask", key: "real", content: { state: "working" } }]);
});

test("An invite leaves those who are there or invited as they are, and calls back who left", async () => {
  const place = await newRoom([ada]);
  const invite = (who: UserId): Invite => ({ kind: "invite", id: idOf(), user: who, reason: "You work on this." });
  const membershipOf = async (who: UserId): Promise<string> => {
    const members = (await real.reads.snapshot(place, bot)).members;
    return members.find((one) => one.user === who)?.membership ?? "none";
  };
  await entrance().invite(place, invite(ada), never);
  expect(await membershipOf(ada)).toBe("join");
  for (let times = 0; times < 2; times++) {
    await entrance().invite(place, invite(bo), never);
    expect(await membershipOf(bo)).toBe("invite");
  }
  await real.homeserver.leave(place, ada);
  await entrance().invite(place, invite(ada), never);
  expect(await membershipOf(ada)).toBe("invite");
  const bannedUser = user("@banned:localhost");
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(place)}/ban`;
  await real.homeserver.request({ method: "POST", path, as: bot, body: { user_id: bannedUser } });
  await expect(entrance().invite(place, invite(bannedUser), never)).rejects.toMatchObject({ status: 403 });
});

test("What was said lately is told oldest first, with edits in place and without what was taken back", async () => {
  const place = await newRoom([ada]);
  const first = await speak(place, "one");
  const second = await speak(place, "too", { as: ada });
  const third = await speak(place, "never mind");
  await speak(place, "four");
  await speak(place, "to", { as: ada, replaces: { event: second } });
  await speak(place, "two", { as: ada, replaces: { event: second } });
  // Only the sender edits; the homeserver takes anybody's.
  await speak(place, "mine now", { as: ada, replaces: { event: first } });
  await redact(place, third);
  const said = await real.reads.recent(place, ada, 100, undefined);
  expect(said.map(({ sender, text, event }) => ({ sender, text, event }))).toEqual([
    { sender: bot, text: "one", event: first },
    { sender: ada, text: "two", event: second },
    { sender: bot, text: "four", event: said[2]?.event },
  ]);
  expect(said.every(({ ts }) => Math.abs(Date.now() - ts) < 600_000)).toBe(true);
  expect(textsOf(await real.reads.recent(place, bot, 2, undefined))).toEqual(["two", "four"]);
});

test("An edit that was taken back leaves the words before it", async () => {
  const place = await newRoom();
  const said = await speak(place, "as it was");
  await redact(place, await speak(place, "worse", { replaces: { event: said } }));
  expect(textsOf(await real.reads.recent(place, bot, 10, undefined))).toEqual(["as it was"]);
});

test("Messages are found behind more edits than a page holds", async () => {
  const place = await newRoom();
  const said = await speak(place, "draft 0");
  await speak(place, "after");
  for (let n = 1; n <= 101; n++) await speak(place, `draft ${n}`, { replaces: { event: said } });
  expect(textsOf(await real.reads.recent(place, bot, 5, undefined))).toEqual(["draft 101", "after"]);
});

test("Of a thread its root and its newest messages are told, and nothing from beside it", async () => {
  const place = await newRoom([ada]);
  const root = await speak(place, "ready");
  const inside = await speak(place, "working on it", { as: ada, thread: root });
  await speak(place, "beside");
  const slip = await speak(place, "slip", { as: ada, thread: root });
  await speak(place, "done", { as: ada, thread: root });
  await speak(place, "review", { replaces: { event: root } });
  await speak(place, "worked on it", { as: ada, replaces: { event: inside } });
  await redact(place, slip, ada);
  expect(textsOf(await real.reads.recent(place, ada, 100, root))).toEqual(["review", "worked on it", "done"]);
  expect(textsOf(await real.reads.recent(place, ada, 2, root))).toEqual(["review", "done"]);
  expect(textsOf(await real.reads.recent(place, ada, 1, root))).toEqual(["review"]);
});

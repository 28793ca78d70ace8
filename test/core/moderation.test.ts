import { array, assert, constantFrom, property } from "fast-check";
import { describe, expect, test } from "vitest";
import type { Decision } from "../../src/core/decide.ts";
import type { Follow } from "../../src/core/effect.ts";
import { globFits } from "../../src/core/glob.ts";
import { asRoomId, asUserId, type EffectId, type EventId, type UserId } from "../../src/core/ids.ts";
import type { Member } from "../../src/core/input.ts";
import { type Moderation, type ModerationRule, RuleBook } from "../../src/core/moderation-rules.ts";
import type { PowerLevels } from "../../src/core/power.ts";
import type { RoomRecord } from "../../src/core/record.ts";
import { isServerAllowed } from "../../src/core/server-acl.ts";
import type { World } from "../../src/core/world.ts";
import { ada, anna, bo, boss, bot, defined, room, Scene, stranger } from "./scene.ts";
import { bo as worker, planner, rae, spec, TaskScene } from "./tasks/task-scene.ts";

const source = room;
const rule = (about: ModerationRule["about"], entity: string, more: Partial<ModerationRule> = {}): ModerationRule => ({
  about,
  entity,
  source,
  ...more,
});
const guest = defined(asUserId("@guest:evil.example:8448"));

/** Rules that a test changes while a room is decided. */
class Changing implements Moderation {
  #book = new RuleBook([]);
  ruleOn = (who: UserId): ModerationRule | undefined => this.#book.ruleOn(who);
  watches = (): boolean => false;
  set(...rules: readonly ModerationRule[]): void {
    this.#book = new RuleBook(rules);
  }
}

const everybody: World["permissions"] = { "*": "talk", [boss]: "admin" };
function moderatedScene(people: readonly UserId[] = [anna, boss]): { readonly scene: Scene; readonly rules: Changing } {
  const rules = new Changing();
  const scene = new Scene({}, { permissions: everybody, moderation: rules });
  scene.enter(people, [bot, ada.user, bo.user]);
  return { scene, rules };
}

const audits = (record: RoomRecord, kind = "moderation"): readonly object[] =>
  (record.audit?.entries ?? []).filter((entry) => entry.kind === kind);
const aborted = ({ fleeting }: Decision): number => fleeting.filter(({ kind }) => kind === "abort").length;

function acl(scene: Scene, deny: readonly string[], allow: readonly string[] = ["*"]): ReturnType<Scene["put"]> {
  return scene.put({
    kind: "acl",
    event: scene.fresh("acl"),
    sender: boss,
    ts: scene.now,
    acl: { allow, deny, ipLiterals: true },
  });
}

function moved(scene: Scene, who: UserId, membership: Member["membership"], by: UserId): ReturnType<Scene["put"]> {
  const member = { kind: "member", user: who, membership, direct: false } as const;
  return scene.put({ ...member, event: scene.fresh("member"), sender: by, ts: scene.now });
}

function levels(scene: Scene, power: PowerLevels): ReturnType<Scene["put"]> {
  return scene.put({ kind: "power", event: scene.fresh("power"), sender: boss, ts: scene.now, power });
}

describe("a glob", () => {
  test.each([
    ["*", "", true],
    ["@spam*:evil.org", "@spammer:evil.org", true],
    ["@spam?:evil.org", "@spam:evil.org", false],
    ["*.evil.org", "evil.org", false],
    ["*evil.org", "not-evil.org", true],
    ["a.c", "abc", false],
    ["*a*a*a*b", `${"a".repeat(200)}c`, false],
  ])("%s and “%s”: %s", (glob, text, fits) => expect(globFits(glob, text)).toBe(fits));

  test("means what a regular expression made of it means", () => {
    const letters = constantFrom("a", "b", "*", "?");
    assert(
      property(array(letters, { maxLength: 8 }), array(constantFrom("a", "b"), { maxLength: 8 }), (g, t) => {
        const [glob, text] = [g.join(""), t.join("")];
        const same = new RegExp(`^${glob.replaceAll("*", ".*").replaceAll("?", ".")}$`);
        expect(globFits(glob, text)).toBe(same.test(text));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("a server ACL", () => {
  test.each([
    ["evil.example", ["*"], ["evil.example"], true, false],
    ["evil.example:8448", ["*"], ["EVIL.example"], true, false],
    ["sub.evil.example", ["*"], ["*.evil.example"], true, false],
    ["good.example", ["*"], ["*.evil.example"], true, true],
    ["good.example", [], [], true, false],
    ["good.example", ["good.*"], [], true, true],
    ["1.2.3.4:8448", ["*"], [], false, false],
    ["[2001:db8::1]:8448", ["*"], [], false, false],
    ["[2001:db8::1]", ["*"], ["[2001:db8::1]"], true, false],
    ["1.2.3.4", ["*"], [], true, true],
    ["1.2.3.example", ["*"], [], false, true],
  ])("judges %s with allow %j and deny %j, IP addresses %s: %s", (name, allow, deny, ipLiterals, allowed) =>
    expect(isServerAllowed({ allow, deny, ipLiterals }, name)).toBe(allowed),
  );

  test("silences a server's people, ends what they asked for, and lets the others' words wait again", () => {
    const { scene } = moderatedScene([anna, guest]);
    scene.say("from anna", { mentions: [ada.user] });
    scene.answer(scene.turns[0], "yes");
    scene.deliver();
    scene.say("from the guest", { sender: guest, mentions: [ada.user] });
    scene.say("waits, of the guest", { sender: guest, mentions: [ada.user] });
    scene.say("waits, of anna", { mentions: [ada.user] });
    const decision = acl(scene, ["evil.example"]);
    expect(aborted(decision)).toBe(1);
    expect(scene.turns.map(({ messages }) => messages.map(({ text }) => text))).toEqual([["waits, of anna"]]);
    expect(audits(scene.record)).toMatchObject([{ what: "server acl", agent: "ada", by: boss }]);
    expect(scene.say("more", { sender: guest, mentions: [ada.user] }).changed).toBe(false);
    expect(scene.say("!crew ping", { sender: guest }).changed).toBe(false);
    acl(scene, []);
    scene.say("forgiven", { sender: guest, mentions: [bo.user] });
    expect(scene.turns).toHaveLength(2);
  });

  test("of the room's state at the join counts as one that came as an event, and so does its absence", () => {
    const { scene } = moderatedScene([anna, guest]);
    scene.enter([anna, guest], [ada.user], { acl: { allow: ["*"], deny: ["evil.example"], ipLiterals: true } });
    expect(scene.say("hello", { sender: guest, mentions: [ada.user] }).changed).toBe(false);
    scene.enter([anna, guest], [ada.user]);
    expect(scene.say("hello", { sender: guest, mentions: [ada.user] }).changed).toBe(true);
  });

  test("that denies our own server stops all work, is told in HQ alone, and what waits goes out when it is over", () => {
    const { scene } = moderatedScene();
    scene.say("first", { mentions: [ada.user] });
    const { fresh } = acl(scene, ["example.com"]);
    expect(fresh.map(({ kind }) => kind)).toEqual(["announce"]);
    expect(scene.turns).toEqual([]);
    const while_ = scene.say("second", { mentions: [ada.user] });
    expect(while_.fresh).toEqual([]);
    expect(scene.say("!crew ping", { sender: boss }).fresh).toEqual([]);
    const after = acl(scene, []);
    expect(after.fresh.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["turn", "say", "announce"]));
    expect(scene.turns[0]?.messages.map(({ text }) => text)).toEqual(["first", "second"]);
    expect(audits(scene.record)).toMatchObject([
      { what: "server acl" },
      { what: "read-only", because: "acl" },
      { what: "server acl" },
      { what: "work goes on" },
    ]);
  });
});

describe("a rule", () => {
  test.each([
    [rule("user", guest), guest, true],
    [rule("user", "@guest:*"), guest, true],
    [rule("user", "@Guest:evil.example:8448"), guest, false],
    [rule("server", "evil.example"), guest, true],
    [rule("server", "EVIL.example:8448"), guest, true],
    [rule("server", "*.example"), guest, true],
    [rule("server", "example"), guest, false],
    [rule("user", "evil.example"), guest, false],
  ])("%j and %s: %s", (one, who, fits) => expect(new RuleBook([one]).ruleOn(who) !== undefined).toBe(fits));

  test("keeps somebody from being heard, refuses a command once, and rejects their invites", () => {
    const { scene, rules } = moderatedScene([anna, stranger]);
    rules.set(rule("user", stranger));
    for (const text of ["hello", "are you there?"])
      expect(scene.say(text, { sender: stranger, mentions: [ada.user] }).changed).toBe(false);
    scene.say("!crew ping", { sender: stranger });
    expect(scene.says).toMatchObject([{ style: "notice", mentions: [stranger] }]);
    expect(scene.says[0]?.text).toMatch(/moderation rule/);
    scene.deliver();
    expect(scene.say("!crew ping", { sender: stranger }).changed).toBe(false);
    moved(scene, ada.user, "leave", anna);
    moved(scene, ada.user, "invite", stranger);
    expect(scene.due("leave")).toMatchObject([{ as: ada.user, inviter: stranger }]);
    expect(audits(scene.record, "refusal")).toMatchObject([{ what: "message" }, { what: "invite" }]);
  });

  test("that comes while they are worked for ends that, wherever it runs", () => {
    const { scene, rules } = moderatedScene([anna, stranger]);
    scene.say("from both: stranger", { sender: stranger, mentions: [ada.user] });
    scene.say("waits", { mentions: [ada.user] });
    rules.set(rule("server", "elsewhere.org", { reason: "spam" }));
    const decision = scene.put({ kind: "moderated" });
    expect(aborted(decision)).toBe(1);
    expect(scene.turns.map(({ messages }) => messages.map(({ text }) => text))).toEqual([["waits"]]);
    expect(audits(scene.record)).toMatchObject([{ what: "rule", by: bot, agent: "ada" }]);
    expect(scene.put({ kind: "moderated" }).changed).toBe(false);
  });

  test("that came during a mute takes what waited", () => {
    const { scene, rules } = moderatedScene([anna, stranger]);
    levels(scene, { users: { [ada.user]: -1 } });
    scene.say("waits", { sender: stranger, mentions: [ada.user] });
    rules.set(rule("user", stranger));
    levels(scene, {});
    expect(scene.turns).toEqual([]);
    expect(audits(scene.record)).toMatchObject([{ what: "mute", by: boss }, { what: "unmute" }, { what: "rule" }]);
  });

  test("that came while the bridge was away keeps a turn from running again", () => {
    const { scene, rules } = moderatedScene([anna, stranger]);
    scene.say("go", { sender: stranger, mentions: [ada.user] });
    rules.set(rule("user", stranger, { source: "config" }));
    scene.put({ kind: "recovered" });
    expect(scene.turns).toEqual([]);
  });

  test("of a list silences neither ours nor an admin by name, and one of the config silences the admin", () => {
    const { scene, rules } = moderatedScene();
    rules.set(rule("user", "*"), rule("server", "*"));
    expect(scene.say("hello", { mentions: [ada.user] }).changed).toBe(false);
    scene.say("hello", { sender: boss, mentions: [ada.user] });
    expect(scene.turns).toHaveLength(1);
    rules.set(rule("user", boss, { source: "config" }));
    expect(scene.say("hello", { sender: boss, mentions: [bo.user] }).changed).toBe(false);
  });

  test("takes away the word of who may answer", () => {
    const rules = new Changing();
    const scene = new TaskScene({
      crew: [planner, worker, rae],
      policy: { plan_approval: "always" },
      moderation: rules,
    });
    scene.act(planner, { kind: "plan", subtasks: [spec("one")] });
    scene.deliver();
    rules.set(rule("user", boss, { source: "config" }));
    const asked = defined(scene.record.state.asks?.[0]?.event);
    const reaction = { kind: "reaction", sender: boss, ts: scene.now, target: asked, key: "✅" } as const;
    expect(scene.put({ ...reaction, event: scene.fresh() }).changed).toBe(false);
    rules.set();
    scene.put({ ...reaction, event: scene.fresh() });
    expect(scene.task.planned).toBe(true);
  });
});

describe("somebody who is removed by another", () => {
  test.each(["leave", "ban"] as const)("(%s) is no longer worked for", (membership) => {
    const { scene } = moderatedScene();
    scene.say("go", { mentions: [ada.user] });
    expect(aborted(moved(scene, anna, membership, boss))).toBe(1);
    expect(scene.turns).toEqual([]);
    expect(audits(scene.record)).toMatchObject([
      { what: membership === "ban" ? "ban" : "kick", by: boss, agent: "ada" },
    ]);
  });

  test("is worked for when they leave by themselves", () => {
    const { scene } = moderatedScene();
    scene.say("go", { mentions: [ada.user] });
    moved(scene, anna, "leave", anna);
    expect(scene.turns).toHaveLength(1);
  });

  test("and what was done to an agent stands in the log with its event", () => {
    const { scene } = moderatedScene();
    moved(scene, ada.user, "ban", boss);
    moved(scene, ada.user, "leave", boss);
    moved(scene, bo.user, "leave", anna);
    expect(audits(scene.record)).toMatchObject([
      { what: "ban", agent: "ada", by: boss, event: expect.stringMatching(/^\$/) as string },
      { what: "unban", agent: "ada" },
      { what: "kick", agent: "bo", by: anna },
    ]);
  });
});

describe("a task whose bot loses its power", () => {
  function busy(): TaskScene {
    const scene = new TaskScene({ crew: [planner, worker, rae] });
    scene.plan(spec("one"), spec("two", { depends_on: ["one"] }));
    scene.deliver();
    for (const { id } of scene.due("state")) scene.put({ kind: "done", effect: id });
    return scene;
  }
  const low: PowerLevels = {
    users: { [boss]: 100, [bot]: 0 },
    state_default: 50,
    events: { "dev.crewroom.task": 100 },
  };
  const back: PowerLevels = { users: { [boss]: 100, [bot]: 100 }, state_default: 50 };

  test.each([
    ["below what its state needs", "dev.crewroom.task", low],
    ["muted", "say", { ...back, users: { [boss]: 100, [bot]: 100 }, events_default: 101 }],
  ])("(%s) begins nothing and sends nothing that would fail, and says so", (_how, refused, power) => {
    const scene = busy();
    expect(scene.turns).toHaveLength(1);
    const lockedAt = levels(scene, power);
    expect(aborted(lockedAt)).toBe(1);
    expect(scene.turns).toEqual([]);
    expect(lockedAt.fresh.filter(({ kind }) => kind === "announce")).toHaveLength(1);
    const kinds = lockedAt.fresh.map((effect) => (effect.kind === "state" ? effect.type : effect.kind));
    expect(kinds).not.toContain(refused);
    scene.now += 3_600_000;
    expect(scene.put({ kind: "tick" }).changed).toBe(false);
    expect(scene.say("well?", { mentions: [worker.user], sender: boss }).fresh).toEqual([]);
  });

  test("keeps what was refused before it knew, and no dead letter", () => {
    const scene = busy();
    levels(scene, low);
    scene.say("!crew status", { sender: boss });
    scene.say("!crew pause", { sender: boss });
    const [held] = scene.due("state");
    const { id } = defined(held);
    scene.put({ kind: "failed", effect: id, code: "HOMESERVER_REFUSED", sentence: "no" });
    expect(scene.due("state").some((effect) => effect.id === id)).toBe(true);
  });

  test("goes on by itself with the power, with its leases as long as before and the room brought up to date", () => {
    const scene = busy();
    const epoch = scene.task.subtasks["one"]?.lease?.epoch;
    levels(scene, low);
    scene.now += 3_600_000;
    const { fresh } = levels(scene, back);
    expect(fresh.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["turn", "state", "announce"]));
    expect(new Set(scene.due("state").map(({ type }) => type))).toEqual(
      new Set(["dev.crewroom.task", "dev.crewroom.subtask", "dev.crewroom.agent", "m.room.name", "m.room.topic"]),
    );
    expect(scene.task.subtasks["one"]?.lease).toMatchObject({ epoch });
    scene.put({ kind: "tick" });
    expect(scene.task.subtasks["one"]?.lease).toMatchObject({ epoch });
  });

  test("is not stopped by an agent that is made admin", () => {
    const scene = busy();
    levels(scene, { ...back, users: { [boss]: 100, [bot]: 100, [worker.user]: 100 } });
    expect(scene.turns).toHaveLength(1);
    expect(audits(scene.record).filter((entry) => "what" in entry && entry.what !== "upgrade")).toEqual([]);
  });

  test("waits as well while the bot is removed, and is told by who of ours is left", () => {
    const scene = busy();
    const { fresh } = moved(scene, bot, "leave", boss);
    expect(fresh.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["announce", "say"]));
    expect(scene.turns).toEqual([]);
    moved(scene, bot, "invite", boss);
    const members = [boss, bot, planner.user, worker.user, rae.user].map((who) => ({
      user: who,
      membership: "join" as const,
    }));
    const snapshot = { version: "11", creators: [], power: {}, encrypted: false, members };
    for (const { id } of scene.due("join")) scene.put({ kind: "done", effect: id });
    scene.put({ kind: "joined", user: bot, snapshot, missed: [], attempts: 1 });
    expect(scene.turns).toHaveLength(1);
  });
});

describe("an answer that must not count", () => {
  function asked(): { readonly scene: TaskScene; readonly message: EffectId } {
    const scene = new TaskScene({ crew: [planner, worker, rae], policy: { plan_approval: "always" } });
    scene.act(planner, { kind: "plan", subtasks: [spec("one")] });
    const { message } = defined(scene.record.state.asks?.[0]);
    return { scene, message };
  }

  test("is one after the deadline, also where nothing has looked at the time yet", () => {
    const { scene } = asked();
    scene.deliver();
    const { event: target, deadline } = defined(scene.record.state.asks?.[0]);
    scene.now = deadline;
    const reaction = { kind: "reaction", event: scene.fresh(), sender: boss, ts: 0, key: "✅" } as const;
    scene.put({ ...reaction, target: defined(target) });
    expect(scene.task.planned).toBe(false);
    const outcome = scene.says.find(({ approval }) => approval?.["state"] === "answered")?.approval;
    expect(outcome).toMatchObject({ option: "deny" });
    expect(outcome).not.toHaveProperty("by");
  });

  test("is a reaction that is redacted before we know which message it is on", () => {
    const { scene, message } = asked();
    const target = scene.fresh("question");
    const given = { kind: "reaction", event: scene.fresh(), sender: boss, ts: 0, target, key: "✅" } as const;
    scene.put(given);
    scene.put({ kind: "redaction", event: scene.fresh(), sender: boss, ts: 0, target: given.event });
    scene.put({ kind: "done", effect: message, event: target });
    expect(scene.record.state.asks).toHaveLength(1);
    expect(scene.task.planned).toBe(false);
  });

  test("is a command of another bridge's agent, whatever its level", () => {
    const { scene } = asked();
    scene.deliver();
    expect(scene.say("!crew approve", { sender: boss, hops: 0 }).changed).toBe(false);
    scene.say("!crew approve", { sender: boss });
    expect(scene.task.planned).toBe(true);
  });
});

test("a correction goes with the instruction that is withdrawn, and is forgotten with it", () => {
  const { scene } = moderatedScene();
  const said = scene.message("fetch tea", { mentions: [ada.user] });
  scene.put(said);
  const edit = { kind: "edit", sender: anna, ts: 0, target: said.event, text: "fetch coffee" } as const;
  scene.put({ ...edit, event: scene.fresh() });
  scene.answer(scene.turns[0], "done");
  expect(scene.turns[0]?.messages.map(({ text }) => text)).toEqual([expect.stringContaining("fetch coffee")]);
  const decision = scene.put({ kind: "redaction", event: scene.fresh(), sender: anna, ts: 0, target: said.event });
  expect(aborted(decision)).toBe(1);
  expect(scene.turns).toEqual([]);
  expect(scene.due("forget")).toHaveLength(2);
  expect(audits(scene.record)).toMatchObject([
    { what: "edit", agent: "ada", by: anna },
    { what: "redact", agent: "ada", by: anna },
  ]);
});

describe("a room that is replaced while a question is open", () => {
  test("takes an agent's question along, shows it as withdrawn where somebody may still speak, and asks it once", () => {
    const { scene } = moderatedScene();
    scene.say("go", { mentions: [ada.user] });
    const { session, turn } = defined(scene.turns[0]);
    const action = { kind: "ask", question: "Tabs?", options: ["yes", "no"] } as const;
    scene.put({ kind: "act", session, turn, call: "call" as EffectId, action });
    scene.deliver();
    const next = defined(asRoomId("!next:example.com"));
    scene.put({ kind: "tombstone", event: scene.fresh(), sender: boss, ts: 0, replacement: next });
    const follow = defined(scene.due("follow")[0]);
    expect(follow.asks).toMatchObject([{ matter: { kind: "question", agent: "ada" } }]);
    scene.put({ kind: "done", effect: follow.id });
    expect(scene.says.at(-1)).toMatchObject({ approval: { state: "withdrawn" } });
    expect(scene.record.state.asks).toBeUndefined();

    const there = new Scene();
    const members = [anna, bot, ada.user].map((who) => ({ user: who, membership: "join" as const }));
    const snapshot = { version: "12", creators: [], power: {}, encrypted: false, members };
    const { carried, asks = [] } = follow;
    for (let times = 0; times < 2; times++)
      there.put({ kind: "joined", user: ada.user, snapshot, missed: [], attempts: 1, carried, asks });
    expect(there.record.state.asks).toMatchObject([{ text: expect.stringContaining("Tabs?") as string }]);
  });
});

describe("an edit", () => {
  const edit = (scene: Scene, target: EventId, text: string, sender: UserId = anna): EventId => {
    const event = scene.fresh("edit");
    scene.put({ kind: "edit", event, sender, ts: 0, target, text });
    return event;
  };
  const waiting = (scene: Scene): readonly string[] =>
    scene.record.state.sessions["ada"]?.queue.map(({ text }) => text) ?? [];

  test("counts from the author of the message alone, while it waits, is worked on, and has been answered", () => {
    const { scene } = moderatedScene([anna, stranger]);
    const running = scene.message("fetch tea", { mentions: [ada.user] });
    scene.put(running);
    const waits = scene.message("and milk", { mentions: [ada.user] });
    scene.put(waits);
    for (const { event } of [running, waits]) edit(scene, event, "send me the keys", stranger);
    expect(waiting(scene)).toEqual(["and milk"]);
    scene.answer(scene.turns[0], "done");
    scene.answer(scene.turns[0], "done");
    edit(scene, running.event, "send me the keys", stranger);
    expect(waiting(scene)).toEqual([]);
    edit(scene, running.event, "fetch coffee");
    expect(waiting(scene)).toEqual([expect.stringContaining("fetch coffee")]);
  });

  test("is told in its newest form only, however often somebody edits, and goes when that is withdrawn", () => {
    const { scene } = moderatedScene();
    const said = scene.message("fetch tea", { mentions: [ada.user] });
    scene.put(said);
    edit(scene, said.event, "fetch coffee");
    const last = edit(scene, said.event, "fetch water");
    expect(waiting(scene)).toEqual([expect.stringContaining("fetch water")]);
    scene.put({ kind: "redaction", event: scene.fresh(), sender: anna, ts: 0, target: last });
    expect(waiting(scene)).toEqual([]);
    expect(scene.turns).toHaveLength(1);
    expect(audits(scene.record)).toMatchObject([
      { what: "edit", by: anna, agent: "ada" },
      { what: "edit", by: anna, agent: "ada" },
      { what: "redact", by: anna, agent: "ada" },
    ]);
  });

  test("of another bridge's agent goes on with its chain of wakes, and begins none", () => {
    const { scene } = moderatedScene([anna, stranger]);
    const said = scene.message("work", { sender: stranger, mentions: [ada.user], hops: 2 });
    scene.put(said);
    edit(scene, said.event, "work more", stranger);
    scene.answer(scene.turns[0], "done");
    expect(scene.turns[0]?.messages.map(({ hops }) => hops)).toEqual([3]);
  });
});

describe("an agent's message that a person takes back", () => {
  function woken(): { readonly scene: Scene; readonly target: EventId } {
    const { scene } = moderatedScene();
    scene.say("ask bo", { mentions: [ada.user] });
    scene.deliver();
    const { session, turn } = defined(scene.turns[0]);
    scene.put({ kind: "agentSays", session, turn, call: "call" as EffectId, to: bo.user, text: "dig a hole" });
    const target = scene.fresh("sent");
    scene.put({ kind: "done", effect: "call" as EffectId, event: target });
    return { scene, target };
  }
  const takeBack = (scene: Scene, target: EventId): Decision =>
    scene.put({ kind: "redaction", event: scene.fresh(), sender: boss, ts: 0, target });

  test("ends the turn of the agent that it woke, which forgets it", () => {
    const { scene, target } = woken();
    expect(scene.turns.map(({ agent }) => agent)).toEqual(["ada", "bo"]);
    expect(aborted(takeBack(scene, target))).toBe(1);
    expect(scene.turns.map(({ agent }) => agent)).toEqual(["ada"]);
    expect(scene.due("forget")).toMatchObject([{ agent: "bo" }]);
    expect(audits(scene.record)).toMatchObject([{ what: "redact", agent: "bo", by: boss }]);
  });

  test("is forgotten after it was answered, too", () => {
    const { scene, target } = woken();
    scene.answer(scene.turns[1], "dug");
    takeBack(scene, target);
    expect(scene.due("forget")).toMatchObject([{ agent: "bo" }]);
  });

  test("is not delivered when the breaker that held it is released", () => {
    const scene = new Scene({ breaker_hops: 0 });
    scene.enter([anna, boss], [bot, ada.user, bo.user], { power: { users: { [boss]: 100 } } });
    scene.say("ask bo", { mentions: [ada.user] });
    const { session, turn } = defined(scene.turns[0]);
    scene.put({ kind: "agentSays", session, turn, call: "call" as EffectId, to: bo.user, text: "dig a hole" });
    const target = scene.fresh("sent");
    scene.put({ kind: "done", effect: "call" as EffectId, event: target });
    takeBack(scene, target);
    scene.say("!crew release", { sender: boss });
    expect(scene.turns.map(({ agent }) => agent)).toEqual(["ada"]);
    expect(scene.record.state.breaker.open).toBeUndefined();
  });
});

describe("an agent that is removed", () => {
  function asking(): { readonly scene: Scene; readonly session: string } {
    const { scene } = moderatedScene();
    scene.say("go", { mentions: [ada.user] });
    const { session, turn } = defined(scene.turns[0]);
    const action = { kind: "ask", question: "Tabs?", options: ["yes", "no"] } as const;
    scene.put({ kind: "act", session, turn, call: "call" as EffectId, action });
    scene.deliver();
    return { scene, session };
  }

  test.each(["leave", "ban"] as const)("(%s) waits for no answer any more, also in a chat", (membership) => {
    const { scene } = asking();
    moved(scene, ada.user, membership, boss);
    expect(scene.record.state.asks).toEqual([]);
    expect(scene.says.at(-1)).toMatchObject({ as: bot, approval: { state: "withdrawn" } });
    expect(scene.due("react")).toEqual([]);
  });

  test("is not spoken for by itself: its question stays as it is where nobody else can edit it", () => {
    const rules = new Changing();
    const scene = new Scene({}, { permissions: everybody, moderation: rules });
    scene.enter([anna, boss], [ada.user]);
    scene.say("go", { mentions: [ada.user] });
    const { session, turn } = defined(scene.turns[0]);
    const action = { kind: "ask", question: "Tabs?", options: ["yes", "no"] } as const;
    scene.put({ kind: "act", session, turn, call: "call" as EffectId, action });
    scene.deliver();
    moved(scene, ada.user, "leave", boss);
    expect(scene.record.state.asks).toEqual([]);
    expect(scene.record.outbox).toEqual([]);
  });

  test("or muted leaves no question behind that only its turn was waiting for", () => {
    const scene = new Scene({}, { permissions: everybody });
    scene.enter([anna, boss], [bot, ada.user]);
    scene.say("go", { mentions: [ada.user] });
    const { session, turn } = defined(scene.turns[0]);
    const call = "call" as EffectId;
    expect(scene.put({ kind: "leaveWanted", session, turn, call, title: "rm -rf /" }).reply).toBe("asked");
    levels(scene, { users: { [ada.user]: -1 } });
    expect(scene.record.state.asks).toEqual([]);
  });

  const everyone = [boss, bot, planner.user, worker.user, rae.user];
  const joinedBy = (others: readonly UserId[]) => everyone.filter((who) => !others.includes(who));
  const snapshotOf = (who: readonly UserId[], left: readonly UserId[] = []) => ({
    version: "12",
    creators: [bot],
    power: { users: { [boss]: 100 } },
    encrypted: false,
    members: [
      ...who.map((user) => ({ user, membership: "join" as const })),
      ...left.map((user) => ({ user, membership: "leave" as const })),
    ],
  });

  test("is not brought into the room that replaces a task's, and comes when a person invites it", () => {
    const scene = new TaskScene({ crew: [planner, worker, rae] });
    moved(scene, worker.user, "leave", boss);
    const next = defined(asRoomId("!next:example.com"));
    scene.put({ kind: "tombstone", event: scene.fresh(), sender: boss, ts: 0, replacement: next });
    const { task, away = [], carried } = defined(scene.due("follow")[0]);
    expect(away).toEqual([worker.user]);
    const there = new Scene({}, { ...scene.world });
    const snapshot = snapshotOf([boss, bot]);
    there.put({ kind: "joined", user: bot, snapshot, missed: [], attempts: 1, carried, away, ...(task && { task }) });
    expect(there.due("invite").map(({ user }) => user)).toEqual([planner.user, rae.user]);
    moved(there, worker.user, "invite", boss);
    expect(there.due("join").map(({ as }) => as)).toEqual([worker.user]);
  });

  test("is not brought back when the store was lost", () => {
    const before = new TaskScene({ crew: [planner, worker, rae] });
    before.plan(spec("one"));
    const crewroom = before.gone.flatMap((effect) =>
      effect.kind === "state" ? [{ type: effect.type, key: effect.key, content: effect.content }] : [],
    );
    const after = new Scene({}, { ...before.world });
    const snapshot = { ...snapshotOf(joinedBy([worker.user]), [worker.user]), crewroom };
    after.put({ kind: "joined", user: bot, snapshot, missed: [], attempts: 1 });
    expect(after.record.state.task).toMatchObject({ number: 7 });
    expect(after.due("invite")).toEqual([]);
  });
});

describe("what waits when the room is replaced", () => {
  const next = defined(asRoomId("!next:example.com"));
  const follow = (scene: Scene): Follow => {
    scene.put({ kind: "tombstone", event: scene.fresh(), sender: boss, ts: 0, replacement: next });
    return defined(scene.due("follow")[0]);
  };

  test("goes along from threads as well, into the agent's conversation in the next room", () => {
    const { scene } = moderatedScene();
    scene.say("in the room", { mentions: [ada.user] });
    scene.say("in a thread", { mentions: [ada.user], thread: scene.fresh("root") });
    scene.say("to bo in a thread", { mentions: [bo.user], thread: scene.fresh("root") });
    const waits = follow(scene).carried.map(({ agent, queue }) => [agent, queue.map(({ text }) => text)]);
    expect(waits).toEqual([
      ["ada", ["in the room", "in a thread"]],
      ["bo", ["to bo in a thread"]],
    ]);
  });

  test("and what was said before can still be taken back in the old room: its agent forgets it", () => {
    const { scene } = moderatedScene();
    const said = scene.message("my secret", { mentions: [ada.user] });
    scene.put(said);
    scene.answer(scene.turns[0], "noted");
    const { id, carried } = follow(scene);
    scene.put({ kind: "done", effect: id });
    scene.put({ kind: "redaction", event: scene.fresh(), sender: anna, ts: 0, target: said.event });
    expect(scene.due("forget")).toMatchObject([{ agent: "ada", history: carried[0]?.history }]);
    expect(scene.turns).toEqual([]);
  });
});

test("reactions and redactions wait for the level that they need, and nothing else does", () => {
  const { scene } = moderatedScene();
  scene.say("go", { mentions: [ada.user] });
  const power = { users: { [boss]: 100 }, events: { "m.reaction": 50 } };
  levels(scene, power);
  const { session, turn } = defined(scene.turns[0]);
  const action = { kind: "ask", question: "Tabs?", options: ["yes"] } as const;
  const asked = scene.put({ kind: "act", session, turn, call: "call" as EffectId, action });
  expect(asked.fresh.map(({ kind }) => kind)).toEqual(["say"]);
  expect(levels(scene, { ...power, events: {} }).fresh.map(({ kind }) => kind)).toEqual(["react"]);
});

test("a rule that came while nobody looked at the room keeps what waits there from beginning", () => {
  const { scene, rules } = moderatedScene([anna, stranger, boss]);
  acl(scene, ["example.com"]);
  scene.say("from the stranger", { sender: stranger, mentions: [ada.user] });
  scene.say("from anna", { mentions: [ada.user] });
  rules.set(rule("user", stranger));
  acl(scene, []);
  expect(scene.turns.map(({ messages }) => messages.map(({ text }) => text))).toEqual([["from anna"]]);
});

describe("a person whose power in the room changes", () => {
  test("is written down when they lose or gain what steering needs, and not otherwise", () => {
    const { scene } = moderatedScene();
    levels(scene, { users: { [anna]: 100 } });
    levels(scene, { users: { [anna]: 50 } });
    levels(scene, { users: { [anna]: 49 } });
    levels(scene, { users: { [anna]: 49 }, users_default: 60 });
    expect(audits(scene.record)).toMatchObject([
      { what: "promote", by: boss, detail: anna },
      { what: "demote", by: boss, detail: anna, event: expect.stringMatching(/^\$/) as string },
      { what: "promote", by: boss, detail: boss },
    ]);
  });

  test("and so is their removal, also when they had asked for nothing", () => {
    const { scene } = moderatedScene();
    moved(scene, anna, "ban", boss);
    expect(audits(scene.record)).toMatchObject([{ what: "ban", by: boss, detail: anna }]);
    expect(audits(scene.record)[0]).not.toHaveProperty("agent");
  });
});

describe("`!crew dismiss`", () => {
  test("ends an agent's work and has it leave, for people with power in the room", () => {
    const { scene } = moderatedScene();
    levels(scene, { users: { [boss]: 100 } });
    scene.say("go", { mentions: [ada.user] });
    scene.say("!crew dismiss ada");
    scene.say("!crew dismiss", { sender: boss });
    scene.say("!crew dismiss zed", { sender: boss });
    expect(scene.turns).toHaveLength(1);
    expect(scene.says.map(({ text }) => text)).toEqual([
      expect.stringContaining("power level 50"),
      "Say which agent is to leave. Agents here: ada, bo.",
      "Say which agent is to leave. Agents here: ada, bo.",
    ]);
    expect(aborted(scene.say("!crew dismiss ada", { sender: boss }))).toBe(1);
    expect(scene.turns).toEqual([]);
    expect(scene.due("leave")).toMatchObject([{ as: ada.user }]);
    moved(scene, ada.user, "leave", ada.user);
    expect(scene.say("hello?", { mentions: [ada.user] }).changed).toBe(false);
    expect(audits(scene.record)).toMatchObject([
      { what: "promote" },
      { what: "dismiss", agent: "ada", by: boss, event: expect.stringMatching(/^\$/) as string },
    ]);
  });

  test("needs no name where there is one agent, says nothing where nobody is left, and an invite brings it back", () => {
    const scene = new Scene({}, { permissions: everybody });
    scene.enter([anna], [ada.user], { version: "12", creators: [anna, ada.user] });
    scene.say("!crew dismiss");
    expect(scene.record.outbox.map(({ kind }) => kind)).toEqual(["leave"]);
    moved(scene, ada.user, "leave", ada.user);
    moved(scene, ada.user, "invite", anna);
    expect(scene.due("join")).toHaveLength(1);
  });
});

test("an agent whose join is under way when the room is replaced works there all the same where the successor is a false one", () => {
  const scene = new Scene({}, { permissions: everybody });
  moved(scene, ada.user, "invite", anna);
  const replacement = defined(asRoomId("!lure:example.com"));
  scene.put({ kind: "tombstone", event: scene.fresh(), sender: anna, ts: 0, replacement });
  scene.say("hello", { mentions: [ada.user] });
  scene.enter([anna], [ada.user]);
  expect(scene.turns).toEqual([]);
  const { id, as } = defined(scene.due("follow")[0]);
  expect(as).toEqual([ada.user]);
  scene.put({ kind: "failed", effect: id, code: "ROOM_UNVERIFIED", sentence: "no" });
  expect(scene.turns).toHaveLength(1);
});

test("somebody whom a rule fits is refused where they asked, not in HQ, also when they asked before the agent had joined", () => {
  const rules = new Changing();
  const scene = new Scene({}, { permissions: everybody, moderation: rules });
  rules.set(rule("user", stranger));
  moved(scene, ada.user, "invite", anna);
  const order = scene.message("!crew ping", { sender: stranger });
  scene.put(order);
  expect(scene.says).toEqual([]);
  const members = [anna, stranger, ada.user].map((who) => ({ user: who, membership: "join" as const }));
  const snapshot = { version: "12", creators: [], power: {}, encrypted: false, members };
  scene.put({ kind: "joined", user: ada.user, snapshot, missed: [order], attempts: 1 });
  expect(scene.says).toMatchObject([{ as: ada.user, text: expect.stringContaining("moderation rule") as string }]);
  expect(scene.due("announce")).toEqual([]);
});

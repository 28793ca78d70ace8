import { describe, expect, test } from "vitest";
import type { EffectId } from "../../src/core/ids.ts";
import type { Facts } from "../../src/matrix/facts.ts";
import { PolicyLists } from "../../src/matrix/policy-lists.ts";
import { decodePolicyRule } from "../../src/matrix/policy-rule.ts";
import { Rules } from "../../src/matrix/rules.ts";
import { createLogger } from "../../src/observe/log.ts";
import { room, user } from "./ids.ts";
import { facts } from "./real-homeserver.ts";

const list = room("!list:localhost");
const bot = user("@crewroom:localhost");
const spammer = user("@spam:evil.org");

const rule = (type: string, key: string, content: object) => ({
  room_id: list,
  event_id: `$${key}`,
  sender: "@keeper:localhost",
  type,
  state_key: key,
  content,
});
const ban = (entity: string) => ({ entity, recommendation: "m.ban", reason: "spam" });

describe("a rule's event", () => {
  test.each([
    ["m.policy.rule.user", "m.ban", "user"],
    ["m.policy.rule.server", "org.matrix.mjolnir.ban", "server"],
    ["m.room.rule.user", "m.takedown", "user"],
    ["m.room.rule.server", "m.ban", "server"],
    ["org.matrix.mjolnir.rule.user", "m.ban", "user"],
    ["org.matrix.mjolnir.rule.server", "org.matrix.msc4204.takedown", "server"],
  ])("%s with %s is about a %s", (type, recommendation, about) => {
    expect(decodePolicyRule(rule(type, "k", { entity: "*evil*", recommendation }), list)).toEqual({
      key: `${type} k`,
      rule: { about, entity: "*evil*", source: list },
    });
  });

  test.each([
    {},
    { entity: "@a:b" },
    { entity: "@a:b", recommendation: "m.allow" },
    { entity: "", recommendation: "m.ban" },
    { entity: 7, recommendation: "m.ban" },
    { entity: "x".repeat(256), recommendation: "m.ban" },
    { recommendation: "m.ban", "org.matrix.msc4205.hashes": { sha256: "x" } },
  ])("takes a rule away, or is none: %j", (content) => {
    expect(decodePolicyRule(rule("m.policy.rule.user", "k", content), list)).toEqual({
      key: "m.policy.rule.user k",
      rule: undefined,
    });
  });

  test.each(["m.policy.rule.room", "m.room.message", "m.room.member"])("%s is none", (type) => {
    expect(decodePolicyRule(rule(type, "k", ban("@a:b")), list)).toBeUndefined();
  });
});

interface Played {
  readonly lists: PolicyLists;
  readonly rules: Rules;
  readonly told: string[];
  readonly changes: () => number;
  /** Ends the pauses that are waited for. */
  readonly later: () => void;
  /** How many there have been. */
  readonly pauses: () => number;
}

/** @param state What the homeserver says of the list; `undefined`: it does not let us in. */
function play(meta: Facts, state: () => readonly object[] | undefined): Played {
  const rules = new Rules([]);
  const told: string[] = [];
  let changes = 0;
  let pauses = 0;
  const waiting: (() => void)[] = [];
  const lists = new PolicyLists({
    rooms: ["#bans:localhost"],
    homeserver: {
      join: async () => {
        if (state() === undefined) throw new Error("You are not invited to this room.");
        return list;
      },
      resolveAlias: async () => list,
    },
    reads: { state: async () => state() ?? [] },
    bot,
    meta,
    rules,
    patient: (work) => work(),
    tell: (_id: EffectId, text) => void told.push(text),
    onChange: () => void changes++,
    now: () => 0,
    after: () => {
      pauses++;
      return new Promise((resolve) => void waiting.push(resolve));
    },
    signal: new AbortController().signal,
    log: createLogger({ level: "silent", format: "json" }),
  });
  const later = (): void => waiting.splice(0).forEach((resolve) => resolve());
  return { lists, rules, told, changes: () => changes, later, pauses: () => pauses };
}

describe("a watched list", () => {
  const first = rule("m.policy.rule.user", "one", ban("@spam:*"));

  test("is in force with the transaction that brings a rule, and no longer with the one that takes it away", async () => {
    const { lists, rules, changes } = play(facts(), () => []);
    await lists.follow();
    const before = changes();
    lists.take([first, { ...first, room_id: "!other:localhost", state_key: "two" }]);
    expect(rules.ruleOn(spammer)).toMatchObject({ entity: "@spam:*", reason: "spam", source: list });
    expect(changes()).toBe(before + 1);
    lists.take([{ ...first, content: {} }]);
    expect(rules.ruleOn(spammer)).toBeUndefined();
    lists.take([{ type: "m.room.message", room_id: list, content: {} }, null, 7]);
    expect(changes()).toBe(before + 2);
    await lists[Symbol.asyncDispose]();
  });

  test("that cannot be read any more keeps its last rules, also across a restart, and HQ is told", async () => {
    const meta = facts();
    const before = play(meta, () => [first]);
    await before.lists.follow();
    await before.lists[Symbol.asyncDispose]();
    const { lists, rules, told } = play(meta, () => undefined);
    await lists.load();
    expect(rules.ruleOn(spammer)).toBeDefined();
    await lists.follow();
    expect(rules.ruleOn(spammer)).toBeDefined();
    expect(told).toEqual([expect.stringMatching(/#bans:localhost cannot be read.*have me invited/)]);
  });

  test("that lets nobody in is watched all the same: its invite will be accepted, and then it is read", async () => {
    let state: readonly object[] | undefined;
    const { lists, rules } = play(facts(), () => state);
    await lists.follow();
    expect(rules.watches(list)).toBe(true);
    state = [first];
    lists.take([{ ...rule("m.room.member", bot, { membership: "join" }) }]);
    await lists[Symbol.asyncDispose]();
    expect(rules.ruleOn(spammer)).toBeDefined();
  });

  test("that cannot be read is tried again, and told once: its server may have been down", async () => {
    let state: readonly object[] | undefined;
    const { lists, rules, told, later, pauses } = play(facts(), () => state);
    await lists.follow();
    expect(pauses()).toBe(1);
    later();
    await expect.poll(pauses).toBe(2);
    state = [first];
    later();
    await expect.poll(() => rules.ruleOn(spammer)).toBeDefined();
    expect(told).toHaveLength(1);
    await lists[Symbol.asyncDispose]();
  });

  test("is read anew after a redaction, and again when it changes meanwhile", async () => {
    const second = rule("m.policy.rule.server", "two", ban("evil.org"));
    let reads = 0;
    const played: Played = play(facts(), () => {
      // The second look is the one before which a rule came by itself.
      if (++reads === 3) played.lists.take([second]);
      return reads > 3 ? [second] : [];
    });
    await played.lists.follow();
    played.lists.take([{ ...rule("m.room.redaction", "", {}), state_key: undefined }]);
    await played.lists[Symbol.asyncDispose]();
    expect(played.rules.ruleOn(spammer)).toMatchObject({ about: "server" });
  });

  test.each([
    [rule("m.room.member", bot, { membership: "ban" }), /has removed me/],
    [rule("m.room.tombstone", "", { replacement_room: "!new:localhost" }), /was replaced by !new:localhost/],
  ])("tells HQ when it is lost, and keeps its rules: %j", async (event, words) => {
    const { lists, rules, told } = play(facts(), () => [first]);
    await lists.follow();
    lists.take([event]);
    expect(told).toEqual([expect.stringMatching(words)]);
    expect(rules.ruleOn(spammer)).toBeDefined();
    await lists[Symbol.asyncDispose]();
  });

  test("is read once for all redactions that come together, and kept once for all its changes", async () => {
    let reads = 0;
    let writes = 0;
    const meta = facts();
    const counting: Facts = {
      get: (key) => meta.get(key),
      set: (key, value) => {
        writes++;
        return meta.set(key, value);
      },
    };
    const { lists, rules } = play(counting, () => {
      reads++;
      return [first];
    });
    await lists.follow();
    [reads, writes] = [0, 0];
    for (let times = 0; times < 100; times++) {
      lists.take([{ ...rule("m.room.redaction", "", {}), state_key: undefined }]);
      lists.take([rule("m.policy.rule.user", `more${times}`, ban("@more:*"))]);
    }
    await lists[Symbol.asyncDispose]();
    expect(reads).toBeLessThan(4);
    expect(writes).toBeLessThan(4);
    expect(rules.ruleOn(spammer)).toBeDefined();
  });
});

describe("the rules in force", () => {
  test("are those of the config before those of lists: a list's rule on the same person does not weaken them", () => {
    const rules = new Rules(["@*:evil.org"]);
    rules.put(list, [{ about: "user", entity: spammer, source: list }]);
    expect(rules.ruleOn(spammer)).toMatchObject({ source: "config" });
    expect(new Rules([]).ruleOn(spammer)).toBeUndefined();
  });

  test("of a hostile list cost a decision little", () => {
    const rules = new Rules([]);
    const entity = `*${"a".repeat(120)}b*`;
    rules.put(
      list,
      Array.from({ length: 10_000 }, () => ({ about: "user", entity, source: list }) as const),
    );
    const began = performance.now();
    expect(rules.ruleOn(user(`@${"a".repeat(230)}:x.org`))).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

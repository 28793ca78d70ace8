import { describe, expect, test } from "vitest";
import { asRoomId, type EffectId, type UserId } from "../../src/core/ids.ts";
import { ada, anna, bo, boss, defined, Scene, stranger } from "./scene.ts";

/** The turn that runs now calls the other agent, and ends. Returns what the tool said. */
function callOther(scene: Scene): string | undefined {
  const [turn] = scene.turns;
  if (turn === undefined) return undefined;
  const to = turn.agent === ada.id ? bo.user : ada.user;
  const call = `${turn.turn}:call` as EffectId;
  const { reply } = scene.put({
    kind: "agentSays",
    session: turn.session,
    turn: turn.turn,
    call,
    to,
    text: "your turn",
  });
  scene.answer(turn, "I told the other.");
  return reply;
}

function setUp(limits: ConstructorParameters<typeof Scene>[0] = {}): Scene {
  const scene = new Scene(limits);
  scene.enter([anna, boss], [ada.user, bo.user], { power: { users: { [boss]: 100 } } });
  scene.say("call each other for ever", { mentions: [ada.user] });
  return scene;
}

describe("the breaker", () => {
  test("ends a chain of agents that wake each other at the limit of hops, and tells a supervisor once", () => {
    const scene = setUp({ breaker_hops: 4 });
    const replies: (string | undefined)[] = [];
    while (scene.turns.length > 0) replies.push(callOther(scene));
    expect(replies.filter((reply) => reply === "Sent.")).toHaveLength(4);
    expect(replies.at(-1)).toContain("held back");
    const told = scene.says.filter(({ text }) => text.includes("Breaker"));
    expect(told).toMatchObject([{ mentions: [boss] }]);
    expect(scene.due("announce")).toHaveLength(1);
  });

  test("lets people talk on, and delivers what was held when a person releases it", () => {
    const scene = setUp();
    while (scene.turns.length > 0) callOther(scene);
    scene.say("are you there?", { mentions: [bo.user] });
    expect(scene.turns).toMatchObject([{ agent: "bo" }]);
    scene.answer(scene.turns[0], "yes");
    scene.say("!crew release", { sender: boss });
    expect(scene.turns).toMatchObject([{ messages: [{ text: "your turn", hops: 0 }] }]);
    expect(scene.record.state.breaker).toEqual({ wakes: [], held: [] });
  });

  test("counts the messages of a pair within its window, also when people start each chain", () => {
    const scene = setUp({ breaker_pair_messages: 3 });
    let calls = 0;
    const call = (): string | undefined => {
      const reply = callOther(scene);
      for (const turn of scene.turns) scene.answer(turn, `fine ${calls++}`);
      scene.say("again", { mentions: [ada.user] });
      return reply;
    };
    expect([call(), call(), call()]).toEqual(["Sent.", "Sent.", "Sent."]);
    scene.now += 601_000;
    expect(call()).toBe("Sent.");
    expect([call(), call()]).toEqual(["Sent.", "Sent."]);
    expect(call()).toContain("held back");
  });

  test("does not repeat a call that a repeated turn makes again", () => {
    const scene = setUp();
    const [turn] = scene.turns;
    if (turn === undefined) throw new Error("no turn");
    const call = {
      kind: "agentSays",
      session: turn.session,
      turn: turn.turn,
      call: `${turn.turn}:1` as EffectId,
      to: bo.user,
      text: "hi",
    } as const;
    scene.put(call);
    const { changed, reply } = scene.put(call);
    expect({ changed, reply }).toEqual({ changed: false, reply: "Sent." });
    expect(scene.turns.filter(({ agent }) => agent === "bo")).toHaveLength(1);
  });

  test("stays open in the room that replaces this one, with what it holds, until a person releases it there", () => {
    const scene = setUp();
    while (scene.turns.length > 0) callOther(scene);
    const replacement = defined(asRoomId("!next:example.com"));
    scene.put({ kind: "tombstone", event: scene.fresh(), sender: boss, ts: scene.now, replacement });
    const { breaker } = defined(scene.due("follow")[0]);
    const there = new Scene();
    const members = [boss, ada.user, bo.user].map((who) => ({ user: who, membership: "join" as const }));
    const snapshot = { version: "12", creators: [boss], power: {}, encrypted: false, members };
    const join = (user: UserId): void => {
      const joined = { kind: "joined", user, snapshot, missed: [], attempts: 1 } as const;
      there.put(breaker === undefined ? joined : { ...joined, breaker });
    };
    join(ada.user);
    expect(there.record.state.breaker.open?.reason).toContain("4 times in a row");
    expect(there.says).toMatchObject([{ text: expect.stringContaining("breaker is open here") as string }]);
    there.say("!crew release", { sender: boss });
    expect(there.turns).toMatchObject([{ messages: [{ text: "your turn", hops: 0 }] }]);
    join(bo.user);
    expect(there.record.state.breaker.open).toBeUndefined();
  });

  describe("with agents of another bridge", () => {
    const zed = stranger;
    const reply = (scene: Scene): void => {
      const { turn } = defined(scene.answer(scene.turns[0], `answer ${scene.now++}`) && scene.says.at(-1));
      const hops = defined(turn).hops;
      scene.say(`and again ${scene.now}`, { sender: zed, mentions: [ada.user], hops });
    };

    test("ends a chain that goes back and forth at the limit of hops, and holds the rest for a person", () => {
      const scene = new Scene({ breaker_hops: 4 }, { permissions: { "*": "talk", [boss]: "admin" } });
      scene.enter([boss, zed], [ada.user, bo.user], { power: { users: { [boss]: 100 } } });
      scene.say("greet zed", { sender: boss, mentions: [ada.user] });
      let turns = 0;
      while (scene.turns.length > 0 && turns < 20) {
        turns++;
        reply(scene);
      }
      expect(turns).toBe(5);
      expect(scene.record.state.breaker.open?.reason).toMatch(/4 times in a row .*, the last one being `@stranger:/);
      scene.say("!crew release", { sender: boss });
      expect(scene.turns).toMatchObject([{ messages: [{ from: zed, hops: 0 }] }]);
    });

    test("counts them as a pair, also when the mark never grows", () => {
      const scene = new Scene({ breaker_pair_messages: 3 }, { permissions: { "*": "talk", [boss]: "admin" } });
      scene.enter([boss, zed], [ada.user, bo.user]);
      for (let count = 0; count < 5; count++) {
        scene.say(`${count}`, { sender: zed, mentions: [ada.user], hops: 0 });
        if (scene.turns.length > 0) scene.answer(scene.turns[0], `fine ${count}`);
      }
      expect(scene.record.state.breaker).toMatchObject({
        open: { reason: `\`${zed}\` and ada sent each other 3 messages within 10 min` },
        held: [{ message: { text: "3" } }, { message: { text: "4" } }],
      });
    });

    test("holds no more than a queue takes, and forgets what is redacted meanwhile", () => {
      const limits = { breaker_pair_messages: 1, queue_messages: 2 };
      const scene = new Scene(limits, { permissions: { "*": "talk" } });
      scene.enter([boss, zed], [ada.user, bo.user]);
      const said = [0, 1, 2, 3].map((count) =>
        scene.message(`${count}`, { sender: zed, mentions: [ada.user], hops: 0 }),
      );
      for (const one of said) scene.put(one);
      const target = defined(said[1]).event;
      scene.put({ kind: "redaction", event: scene.fresh(), sender: zed, ts: scene.now, target });
      expect(scene.record.state.breaker.held).toMatchObject([{ message: { text: "2" } }]);
    });

    test("lets go of what somebody said who was removed meanwhile", () => {
      const scene = new Scene({ breaker_pair_messages: 1 }, { permissions: { "*": "talk" } });
      scene.enter([boss, zed], [ada.user, bo.user]);
      for (const text of ["one", "two"]) scene.say(text, { sender: zed, mentions: [ada.user], hops: 0 });
      expect(scene.record.state.breaker.held).toHaveLength(1);
      const kick = { kind: "member", sender: boss, user: zed, membership: "leave", direct: false } as const;
      scene.put({ ...kick, event: scene.fresh(), ts: scene.now });
      expect(scene.record.state.breaker.held).toEqual([]);
    });

    test("a correction does not begin the count anew", () => {
      const scene = new Scene({}, { permissions: { "*": "talk" } });
      scene.enter([boss, zed], [ada.user, bo.user]);
      const asked = scene.message("do it", { sender: zed, mentions: [ada.user], hops: 2 });
      scene.put(asked);
      const edit = { event: scene.fresh(), sender: zed, ts: scene.now, target: asked.event, text: "do that" } as const;
      scene.put({ kind: "edit", ...edit });
      scene.answer(scene.turns[0], "done");
      expect(scene.turns).toMatchObject([{ messages: [{ hops: 3 }] }]);
    });
  });

  test("ends the same words from one agent to another, but not to several", () => {
    const scene = new Scene({ breaker_hops: 100 });
    scene.enter([anna], [ada.user, bo.user]);
    let calls = 0;
    const tell = (to: UserId, text: string): string | undefined => {
      if (!scene.turns.some(({ agent }) => agent === ada.id)) scene.say("go on", { mentions: [ada.user] });
      const { session, turn } = defined(scene.turns.find(({ agent }) => agent === ada.id));
      const { reply } = scene.put({ kind: "agentSays", session, turn, call: `${calls++}` as EffectId, to, text });
      return reply;
    };
    expect([tell(bo.user, "again"), tell(bo.user, "again "), tell(bo.user, "other")]).toEqual(Array(3).fill("Sent."));
    expect([1, 2, 3].map(() => tell(bo.user, "again"))).toEqual(Array(3).fill("Sent."));
    expect(tell(bo.user, "again")).toContain("held back");
    expect(scene.record.state.breaker.open?.reason).toBe("ada told bo the same 3 times in a row, and once more");
    expect(scene.record.audit?.entries.at(-1)).toMatchObject({ kind: "breaker", because: "limits, identical" });
  });

  test("an agent is told who is here when it calls somebody who is not", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("call bo");
    expect(callOther(scene)).toContain("is not in this room");
  });
});

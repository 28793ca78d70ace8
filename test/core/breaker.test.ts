import { describe, expect, test } from "vitest";
import type { EffectId } from "../../src/core/ids.ts";
import { ada, anna, bo, boss, Scene } from "./scene.ts";

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

  test("an agent is told who is here when it calls somebody who is not", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("call bo");
    expect(callOther(scene)).toContain("is not in this room");
  });
});

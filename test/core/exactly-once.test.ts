import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Input } from "../../src/core/input.ts";
import { ada, anna, bo, boss, event, Scene } from "./scene.ts";

/** What may happen in a room, in any order. Every message carries a word of its own. */
type Step =
  | { readonly do: "say"; readonly to: "ada" | "bo" | "both"; readonly thread: boolean }
  | { readonly do: "end" | "speak" | "deliver" | "repeat" | "recover" | "stop" }
  | { readonly do: "mute" | "unmute"; readonly who: "ada" | "bo" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("say" as const),
      to: fc.constantFrom("ada", "bo", "both"),
      thread: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("end", "end", "speak", "deliver", "repeat", "recover", "stop") }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("mute", "unmute"), who: fc.constantFrom("ada", "bo") }) },
);

const agents = { ada: [ada.user], bo: [bo.user], both: [ada.user, bo.user] };

/** Plays the steps; returns which agent took which message into a turn that came to its end. */
function play(steps: readonly Step[]): { scene: Scene; expected: readonly string[]; taken: readonly string[] } {
  const scene = new Scene({ queue_messages: 1_000 });
  scene.enter([anna, boss], [ada.user, bo.user]);
  const expected: string[] = [];
  const taken: string[] = [];
  const inputs: Input[] = [];
  const muted = new Set<string>();
  const put = (input: Input): void => {
    inputs.push(input);
    scene.put(input);
  };
  const end = (): void => {
    const [turn] = scene.turns;
    if (turn === undefined) return;
    taken.push(...turn.messages.map(({ text }) => `${turn.agent} ${text}`));
    put({
      kind: "turnEnded",
      session: turn.session,
      turn: turn.turn,
      outcome: { kind: "answered", text: "ok", spoke: false },
    });
  };
  const act = (next: Step, index: number): void => {
    switch (next.do) {
      case "say": {
        const text = `word${index}`;
        expected.push(...agents[next.to].map((user) => `${user === ada.user ? "ada" : "bo"} ${text}`));
        put(scene.message(text, { mentions: agents[next.to], ...(next.thread ? { thread: event("root") } : {}) }));
        return;
      }
      case "end":
        return end();
      case "speak": {
        const [turn] = scene.turns;
        if (turn !== undefined) put({ kind: "turnSpeaks", session: turn.session, turn: turn.turn, text: "so" });
        return;
      }
      case "deliver":
        return scene.deliver();
      case "repeat": {
        // The homeserver brings an old event again.
        const old = inputs.find((input) => input.kind === "message");
        if (old !== undefined) scene.put(old);
        return;
      }
      case "recover":
        put({ kind: "recovered" });
        return;
      case "stop":
        put(scene.message("!crew stop"));
        return;
      case "mute":
      case "unmute": {
        if (next.do === "mute") muted.add(next.who);
        else muted.delete(next.who);
        const users = Object.fromEntries([...muted].map((who) => [who === "ada" ? ada.user : bo.user, -1]));
        put({ kind: "power", event: scene.fresh("power"), sender: boss, ts: 0, power: { users } });
      }
    }
  };
  for (const [index, next] of steps.entries()) {
    act(next, index);
    check(scene);
    for (const turn of stoppedTurns(scene)) {
      taken.push(...turn.messages.map(({ text }) => `${turn.agent} ${text}`));
      put({ kind: "turnEnded", session: turn.session, turn: turn.turn, outcome: { kind: "cancelled", text: "" } });
    }
  }
  act({ do: "unmute", who: "ada" }, -1);
  act({ do: "unmute", who: "bo" }, -1);
  while (scene.turns.length > 0) end();
  return { scene, expected, taken };
}

/** As the crew does when a turn is aborted: it reports its end. */
function stoppedTurns(scene: Scene) {
  return scene.turns.filter(({ session, turn }) => {
    const running = scene.record.state.sessions[session]?.running;
    return running?.id === turn && running.stoppedBy !== undefined;
  });
}

/** Holds after every input. */
function check(scene: Scene): void {
  const { outbox, state } = scene.record;
  expect(new Set(outbox.map(({ id }) => id)).size).toBe(outbox.length);
  const running = Object.values(state.sessions).flatMap((session) => session.running?.id ?? []);
  expect(scene.turns.map(({ turn }) => turn).toSorted()).toEqual(running.toSorted());
}

describe("whatever happens in a room, in any order", () => {
  test("every message is answered by each agent it is for exactly once, and every session has at most one turn", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { scene, expected, taken } = play(steps);
        expect(taken.toSorted()).toEqual(expected.toSorted());
        expect(scene.turns).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

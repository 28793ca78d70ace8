import { expect, test } from "vitest";
import { sessionId } from "../runtimes/support.ts";
import { ada, crewOn, room, ScriptedRuntime, turnOf } from "./support.ts";

test("an agent types while its turn runs: refreshed, and ended with it", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  await crew.clock.advance(45_000);
  runtime.stop();
  await crew.room.end("t1");
  await crew.clock.advance(60_000);
  expect(crew.room.typed).toEqual([
    [200, ada, true],
    [20_200, ada, true],
    [40_200, ada, true],
    [45_000, ada, false],
  ]);
});

test("with turns in two threads, the agent types until the last has ended", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  turns.start(room, turnOf("t2", "hello", { history: sessionId("s2") }));
  await crew.clock.advance(1_000);
  runtime.stop();
  await crew.clock.advance(1_000);
  expect(crew.room.outcomes.length).toBe(1);
  expect(crew.room.typed).toEqual([[200, ada, true]]);
  runtime.stop();
  await crew.clock.advance(0);
  expect(crew.room.typed.at(-1)).toEqual([2_000, ada, false]);
});

test("a turn right after another does not leave the notice standing", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  await crew.clock.advance(1_000);
  runtime.stop();
  turns.start(room, turnOf("t2"));
  await crew.clock.advance(50);
  runtime.stop();
  await crew.clock.advance(50);
  expect(crew.room.outcomes.length).toBe(2);
  expect(crew.room.typed.at(-1)?.[2]).toBe(false);
});

test("typing that fails hurts nothing", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  crew.room.onTyping = async () => Promise.reject(new TypeError("502"));
  turns.start(room, turnOf("t1"));
  await crew.clock.advance(30_000);
  runtime.say("fine");
  runtime.stop();
  expect(await crew.room.end("t1")).toMatchObject({ kind: "answered", text: "fine" });
  await crew.clock.advance(0);
  expect(crew.room.typed.length).toBe(3);
});

import { expect, test } from "vitest";
import { crewOn, limits, room, ScriptedRuntime, turnOf } from "./support.ts";

test("half an hour of words takes at most 25 edits, and keeps moving to near its end", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime, { limits: { ...limits, turn_seconds: 3600 } });
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  for (let second = 0; second < 1800; second += 1) {
    runtime.say(`w${second} `);
    await crew.clock.advance(1000);
  }
  runtime.stop();
  const outcome = await crew.room.end("t1");
  expect(outcome).toMatchObject({ kind: "answered", spoke: true });
  expect(outcome.text.endsWith("w1799")).toBe(true);
  const { amends } = crew.room;
  expect(amends.length).toBe(24); // and the lane's last one
  const gaps = amends.slice(1).map(({ at }, index) => at - (amends[index]?.at ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1500);
  expect(amends[9]?.at).toBeLessThan(25_000);
  expect(amends.at(-1)?.at).toBeGreaterThan(900_000);
});

test("nothing is spoken before there are words, nor when the answer has become a file", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime, { limits: { ...limits, long_answer_bytes: 100 } });
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  runtime.say(" \n");
  await crew.clock.advance(60_000);
  expect(crew.room.said).toEqual([]);
  runtime.say("x".repeat(101));
  await crew.clock.advance(60_000);
  runtime.stop();
  expect(await crew.room.end("t1")).toMatchObject({ kind: "answered", spoke: false });
  expect(crew.room.said).toEqual([]);
});

test("edits end where an answer grows past the size of a message", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime, { limits: { ...limits, long_answer_bytes: 100 } });
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  for (let piece = 0; piece < 20; piece += 1) {
    runtime.say("0123456789");
    await crew.clock.advance(1500);
  }
  runtime.stop();
  expect((await crew.room.end("t1")).text.length).toBe(200);
  expect(crew.room.amends.length).toBeGreaterThan(3);
  expect(Math.max(...crew.room.amends.map(({ text }) => text.length))).toBeLessThanOrEqual(100);
});

test("the end waits for the edit that is on its way, and edits never overlap", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  const slow = Promise.withResolvers<void>();
  crew.room.onAmend = async () => slow.promise;
  turns.start(room, turnOf("t1"));
  for (const word of ["one ", "two ", "three "]) {
    runtime.say(word);
    await crew.clock.advance(5_000);
  }
  runtime.stop();
  await crew.clock.advance(5_000);
  expect([crew.room.amends.length, crew.room.outcomes.length]).toEqual([1, 0]);
  slow.resolve();
  expect(await crew.room.end("t1")).toEqual({ kind: "answered", text: "one two three", spoke: true });
});

test("lost edits and words that could not be shown do not hurt the turn", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  crew.room.onAmend = async () => Promise.reject(new TypeError("502"));
  turns.start(room, turnOf("t1"));
  runtime.say("a");
  await crew.clock.advance(1500);
  runtime.say("b");
  await crew.clock.advance(1500);
  runtime.say("c");
  await crew.clock.advance(1500);
  runtime.stop();
  expect(await crew.room.end("t1")).toEqual({ kind: "answered", text: "abc", spoke: true });
  expect(crew.room.amends.map(({ text }) => text)).toEqual(["ab", "abc"]);

  crew.room.onSpeaks = async () => Promise.reject(new TypeError("502"));
  turns.start(room, turnOf("t2"));
  runtime.say("d");
  await crew.clock.advance(5_000);
  runtime.stop();
  expect(await crew.room.end("t2")).toEqual({ kind: "answered", text: "d", spoke: false });
});

test.each([
  ["max_tokens", "so\n\n_The answer ends here"],
  ["max_turn_requests", "so\n\n_I stopped here"],
  ["refusal", "so\n\n_The model declined"],
] as const)("an answer that ends with %s says so", async (reason, text) => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  runtime.say("so");
  runtime.stop(reason);
  turns.start(room, turnOf("t1"));
  expect((await crew.room.end("t1")).text.startsWith(text)).toBe(true);
});

test("the note below an answer cut off inside a code block is no code", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  runtime.say("Look:\n```js\nlet a");
  runtime.stop("max_tokens");
  turns.start(room, turnOf("t1"));
  expect((await crew.room.end("t1")).text).toMatch(/let a\n```\n\n_The answer/);
});

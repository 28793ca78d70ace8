import { describe, expect, test } from "vitest";
import type { EffectId, UserId } from "../../src/core/ids.ts";
import type { SessionContext } from "../../src/crew/ports.ts";
import { startRehearsal } from "../../src/models/rehearsal/server.ts";
import type { RuntimeSession } from "../../src/runtimes/port.ts";
import { toolsFor } from "../../src/tools/registry.ts";
import { agentId, MemoryStore, runtimeOn, sessionId, turnId } from "../runtimes/support.ts";
import { ada, crewOn, FakeClock, heard, limits, member, room, ScriptedRuntime, turnOf } from "./support.ts";

test("a short answer is reported once, whole, without a word before", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "Hello.", chunks: 3 } }] }] });
  await using runtime = runtimeOn({ url: server.url });
  const ended: string[] = [];
  const crew = crewOn(runtime, { onEnded: (_room, { agent }, { reason }) => ended.push(`${agent} ${reason}`) });
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  expect(await crew.room.end("t1")).toEqual({ kind: "answered", text: "Hello.", spoke: false });
  expect([crew.room.said, crew.room.amends, crew.room.typed]).toEqual([[], [], []]);
  expect(ended).toEqual(["ada end_turn"]);
});

test("an answer that streams is spoken after its first time and edited at its pace", async () => {
  const clock = new FakeClock();
  const text = Array.from({ length: 60 }, (_, index) => `word${String(index).padStart(2, "0")}`).join(" ");
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { text, chunks: 60, chunk_delay_ms: 500 } }] }],
    delay: async (ms, signal) => clock.after(ms, signal),
  });
  await using inner = runtimeOn({ url: server.url });
  let taken = Promise.withResolvers<void>();
  const runtime = {
    name: inner.name,
    openSession: async (opening: Parameters<typeof inner.openSession>[0]): Promise<RuntimeSession> => {
      const session = await inner.openSession(opening);
      return {
        forget: async (turn) => session.forget(turn),
        close: async () => session.close(),
        async *prompt(prompt, signal) {
          for await (const update of session.prompt(prompt, signal)) {
            yield update;
            if (update.kind === "agent_message_chunk") taken.resolve();
          }
        },
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const crew = crewOn(runtime, { clock });
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  await clock.sleeping(500); // after the event that only opens the stream
  await clock.advance(500);
  for (let chunk = 0; chunk < 60; chunk += 1) {
    await taken.promise;
    taken = Promise.withResolvers();
    await clock.sleeping(500);
    await clock.advance(500);
  }
  expect(await crew.room.end("t1")).toEqual({ kind: "answered", text, spoke: true });
  expect(crew.room.said.length).toBe(1);
  expect(text.startsWith(crew.room.said[0] ?? "?")).toBe(true);
  expect(crew.room.amends.length).toBeGreaterThan(8);
  expect(crew.room.amends.length).toBeLessThan(25);
  const gaps = crew.room.amends.slice(1).map(({ at }, index) => at - (crew.room.amends[index]?.at ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1500);
  for (const amend of crew.room.amends) expect(text.startsWith(amend.text)).toBe(true);
});

test("stopped in the middle, a turn reports what was said until then", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "Half a sen", hang: true } }] }] });
  await using runtime = runtimeOn({ url: server.url });
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  await crew.clock.sleeping(limits.stream_first_ms);
  turns.abort(turnId("t1"));
  expect(await crew.room.end("t1")).toMatchObject({
    kind: "cancelled",
    text: expect.stringMatching(/^Half/) as string,
  });
});

test("a refusal of the model ends the turn with its sentence and what to do", async () => {
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { error: { status: 401, message: "bad key" } } }] }],
  });
  await using runtime = runtimeOn({ url: server.url });
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  const outcome = await crew.room.end("t1");
  expect(outcome).toMatchObject({ kind: "failed", code: "MODEL_REFUSED", text: "" });
  expect(outcome.kind === "failed" && [outcome.sentence, outcome.todo].join(" ")).toMatch(/bad key.*models\.default/s);
});

test("turns of one history wait for each other, those of another do not", async () => {
  const gate = Promise.withResolvers<void>();
  const asked: string[] = [];
  const both = Promise.withResolvers<void>();
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { text: "answer to {last}", delay_ms: 1 } }] }],
    delay: async () => gate.promise,
    onRequest: ({ scene }) => {
      asked.push(scene.last);
      if (asked.length === 2) both.resolve();
    },
  });
  await using runtime = runtimeOn({ url: server.url });
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  turns.start(room, turnOf("t1", "one"));
  turns.start(room, turnOf("t2", "two"));
  turns.start(room, turnOf("t2", "two"));
  turns.start(room, turnOf("t3", "three", { history: sessionId("s2") }));
  await both.promise;
  expect([...asked].sort()).toEqual(["one", "three"]);
  expect(turns.running).toBe(2);
  gate.resolve();
  await crew.room.end("t2");
  expect(asked[2]).toBe("two");
  expect(server.requests[2]?.body.messages.map(({ content }) => content)).toContain("one");
  expect(crew.room.outcomes.map(([turn]) => turn).filter((turn) => turn !== "t3")).toEqual(["t1", "t2"]);
});

test("closed in the middle, a turn reports nothing and runs again under its id in the next life", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = await startRehearsal({
    scripts: [{ rules: [{ times: 1, answer: { text: "Lost", hang: true } }, { answer: { text: "Here again." } }] }],
    onRequest: () => asked.resolve(),
  });
  const store = new MemoryStore();
  await using first = runtimeOn({ url: server.url, store });
  const before = crewOn(first);
  before.turns.start(room, turnOf("t1"));
  before.turns.start(room, turnOf("t2"));
  await asked.promise;
  await before.turns[Symbol.asyncDispose]();
  expect(before.room.outcomes).toEqual([]);
  expect(before.turns.running).toBe(0);
  before.turns.start(room, turnOf("t9"));

  await using second = runtimeOn({ url: server.url, store });
  const after = crewOn(second);
  await using turns = after.turns;
  turns.start(room, turnOf("t1"));
  expect(await after.room.end("t1")).toMatchObject({ kind: "answered", text: "Here again." });
  expect(server.requests.length).toBe(2);
});

test("closing does not wait for a room or a runtime that does not answer", async () => {
  const runtime = new ScriptedRuntime();
  runtime.deaf = true;
  const crew = crewOn(runtime);
  crew.room.onSpeaks = async () => Promise.withResolvers<undefined>().promise;
  crew.room.onEnded = async () => Promise.withResolvers<undefined>().promise;
  runtime.say("first words");
  crew.turns.start(room, turnOf("t1"));
  await crew.clock.advance(limits.stream_first_ms);
  expect(crew.room.said).toEqual(["first words"]);
  await crew.turns[Symbol.asyncDispose]();
  expect([crew.turns.running, crew.room.outcomes.length, runtime.closed]).toEqual([0, 0, 1]);
});

test("a turn without an end is stopped by the clock, and the room is told", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { hang: true } }] }],
    onRequest: () => asked.resolve(),
  });
  await using runtime = runtimeOn({ url: server.url });
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  await asked.promise;
  await crew.clock.advance(limits.turn_seconds * 1000);
  expect(await crew.room.end("t1")).toMatchObject({ kind: "failed", code: "TURN_TIMED_OUT" });
});

test("send_message reaches the room under an id made of the call, and its words come back to the agent", async () => {
  await using server = await startRehearsal({
    scripts: [
      {
        rules: [
          {
            when: { step: 1 },
            answer: { text: "One moment.", tools: [{ name: "send_message", arguments: { to: "ada", text: "hi" } }] },
          },
          { answer: { text: "Told." } },
        ],
      },
    ],
  });
  await using runtime = runtimeOn({ url: server.url });
  const tools = (context: SessionContext) =>
    toolsFor({
      server: "example.org",
      agentsHere: (turn) => (context.roomOf(turn) === room ? [ada] : []),
      roles: [],
      runtime: context.agent.runtime,
      says: async (...said) => context.says(...said),
      acts: async (...asked) => context.acts(...asked),
      reads: async (...asked) => context.reads(...asked),
      works: async (...asked) => context.works(...asked),
    });
  const crew = crewOn(runtime, { tools });
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  expect(await crew.room.end("t1")).toMatchObject({ text: "One moment.\n\nTold." });
  expect(crew.room.calls).toEqual([
    [expect.stringMatching(/^t1:[a-z0-9]{9}$/), "@agent_ada:example.org" as UserId, "hi"],
  ]);
  expect(server.requests[1]?.body.messages.at(-1)).toMatchObject({ role: "tool", content: "Sent." });
});

test("a forgotten turn is no longer told to the model", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "ok" } }] }] });
  await using runtime = runtimeOn({ url: server.url });
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  turns.start(room, turnOf("t1", "a secret"));
  await crew.room.end("t1");
  const { id, agent, history } = turnOf("t1");
  await turns.forget({ kind: "forget", id, agent, history, turn: turnId("t1") });
  turns.start(room, turnOf("t2", "and now?"));
  await crew.room.end("t2");
  expect(JSON.stringify(server.requests[1]?.body)).not.toContain("a secret");
});

describe("a runtime that asks for leave", () => {
  const options = [{ optionId: "yes", name: "Yes", kind: "allow_once" }] as const;

  test("is answered with what was chosen, and goes on", async () => {
    const runtime = new ScriptedRuntime();
    const crew = crewOn(runtime);
    await using turns = crew.turns;
    const answered = Promise.withResolvers<unknown>();
    const answer = (outcome: unknown): void => answered.resolve(outcome);
    crew.room.onLeave = async ({ title }) => (title === "make" ? { optionId: "yes" } : "cancelled");
    runtime.push({ kind: "permission_request", callId: "c1", title: "make", options, answer });
    runtime.say("Made.");
    runtime.stop();
    turns.start(room, turnOf("t1"));
    expect(await answered.promise).toEqual({ optionId: "yes" });
    expect(await crew.room.end("t1")).toMatchObject({ kind: "answered", text: "Made." });
  });

  test("is answered as cancelled when nobody can be asked, and when its turn is stopped meanwhile", async () => {
    const runtime = new ScriptedRuntime();
    const crew = crewOn(runtime);
    await using turns = crew.turns;
    const answers: unknown[] = [];
    const asks = Promise.withResolvers<void>();
    crew.room.onLeave = ({ callId }, signal) => {
      if (callId === "c1") return Promise.reject(new Error("the store is gone"));
      asks.resolve();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const answer = (outcome: unknown): void => void answers.push(outcome);
    for (const callId of ["c1", "c2"])
      runtime.push({ kind: "permission_request", callId, title: "rm", options, answer });
    turns.start(room, turnOf("t1"));
    await asks.promise;
    turns.abort(turnId("t1"));
    runtime.stop("cancelled");
    await crew.room.end("t1");
    expect(answers).toEqual(["cancelled", "cancelled"]);
  });
});

test("a runtime that throws at once fails its own turn, and no other", async () => {
  const broken = {
    name: "acp" as const,
    openSession: () => {
      throw new TypeError("not today");
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const runtime = new ScriptedRuntime();
  const bob = agentId("bob");
  const crew = crewOn(runtime, {
    agents: new Map([
      [ada, member()],
      [bob, member({ id: bob, runtime: "acp" })],
    ]),
    runtimes: new Map<"acp" | "builtin", typeof broken | ScriptedRuntime>([
      ["acp", broken],
      ["builtin", runtime],
    ]),
  });
  await using turns = crew.turns;
  runtime.say("fine");
  runtime.stop();
  turns.start(room, turnOf("t1", "hello", { agent: bob, history: sessionId("s2") }));
  turns.start(room, turnOf("t2"));
  turns.start(room, turnOf("t3", "hello", { agent: agentId("gone"), history: sessionId("s3") }));
  expect(await crew.room.end("t1")).toMatchObject({
    kind: "failed",
    code: "RUNTIME_FAILED",
    sentence: "The runtime acp failed: not today.",
  });
  expect(await crew.room.end("t2")).toMatchObject({ kind: "answered", text: "fine" });
  expect(await crew.room.end("t3")).toMatchObject({ kind: "failed", code: "RUNTIME_FAILED" });
  expect(crew.log.lines.find(([level]) => level === "warn")?.[1]).toMatchObject({ turn: "t1" });
});

test("stopped while it waits for its place, a turn ends without asking anybody", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  turns.start(room, turnOf("t2"));
  turns.abort(turnId("t2"));
  await crew.clock.advance(0);
  runtime.stop();
  expect(await crew.room.end("t2")).toEqual({ kind: "cancelled", text: "" });
  expect(runtime.prompts.map(({ turn }) => turn)).toEqual(["t1"]);
});

test("a runtime that does not hear the stop is given up, and the next turn gets a new session", async () => {
  const runtime = new ScriptedRuntime();
  runtime.deaf = true;
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  runtime.say("I go on and on");
  turns.start(room, turnOf("t1"));
  await crew.clock.advance(100);
  turns.abort(turnId("t1"));
  await crew.clock.advance(9_999);
  expect(crew.room.outcomes).toEqual([]);
  await crew.clock.advance(1);
  expect(await crew.room.end("t1")).toEqual({ kind: "cancelled", text: "I go on and on" });
  turns.start(room, turnOf("t2"));
  await crew.clock.advance(0);
  expect([runtime.opened.length, runtime.closed]).toEqual([2, 1]);
});

test("an end that cannot be recorded is logged, and the next turn runs", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  crew.room.onEnded = async () => Promise.reject(new TypeError("disk full"));
  runtime.stop();
  turns.start(room, turnOf("t1"));
  await crew.clock.advance(0);
  runtime.stop();
  turns.start(room, turnOf("t2"));
  await crew.room.end("t2");
  expect(crew.log.lines.find(([level]) => level === "error")).toMatchObject([
    "error",
    { turn: "t1" },
    "the end of a turn was not recorded",
  ]);
});

test("messages that waited are read in order, each with its speaker", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  runtime.stop();
  const messages = [heard("first"), heard("second", { from: "@bob:example.org" as UserId })];
  turns.start(room, turnOf("t1", "", { messages, direct: false }));
  await crew.room.end("t1");
  expect(runtime.prompts[0]?.content).toEqual([
    { type: "text", text: "@alice:example.org: first" },
    { type: "text", text: "@bob:example.org: second" },
  ]);
});

test("signs of life are passed on once a minute, and not for a turn that is shorter", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  crew.room.onAlive = async () => Promise.reject(new TypeError("the lane is gone"));
  const minute = 60_000;
  turns.start(room, turnOf("t1"));
  for (const ms of [0, minute - 1, 1, minute - 1, 1, minute]) {
    await crew.clock.advance(ms);
    runtime.push({ kind: "agent_thought_chunk", text: "hm" });
    await crew.clock.advance(0);
  }
  runtime.stop();
  expect(await crew.room.end("t1")).toMatchObject({ kind: "answered" });
  expect(crew.room.lives).toEqual([minute, 2 * minute, 3 * minute]);
  expect(crew.log.lines.filter(([level]) => level === "debug").length).toBe(3);

  turns.start(room, turnOf("t2"));
  await crew.clock.advance(minute - 1);
  runtime.say("done");
  runtime.stop();
  await crew.room.end("t2");
  expect(crew.room.lives.length).toBe(3);
});

test("a lane that takes long with a sign of life does not hold up the turn", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  crew.room.onAlive = async () => Promise.withResolvers<undefined>().promise;
  turns.start(room, turnOf("t1"));
  await crew.clock.advance(60_000);
  runtime.say("Here.");
  runtime.stop();
  expect(await crew.room.end("t1")).toMatchObject({ kind: "answered", text: "Here." });
  expect(crew.room.lives.length).toBe(1);
});

test("what a turn used is reported with its end or before, all steps together, also when it fails", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  await using turns = crew.turns;
  const used = (inputTokens: number, outputTokens: number) =>
    runtime.push({ kind: "usage", usage: { inputTokens, outputTokens } });
  used(100, 10);
  used(120, 20);
  runtime.stop();
  turns.start(room, turnOf("t1"));
  await crew.room.end("t1");

  turns.start(room, turnOf("t2"));
  await crew.clock.advance(0);
  used(7, 0);
  await crew.clock.advance(limits.turn_seconds * 1000);
  expect(await crew.room.end("t2")).toMatchObject({ kind: "failed" });

  turns.start(room, turnOf("t3"));
  await crew.clock.advance(0);
  runtime.stop();
  await crew.room.end("t3");
  expect(crew.room.usage).toEqual([[{ model: "default", inputTokens: 220, outputTokens: 30 }], [], []]);
  // The second one took so long that its room knew before.
  expect(crew.room.usedSoFar).toEqual([[{ model: "default", inputTokens: 7, outputTokens: 0 }]]);
});

test("what a turn used until the bridge ends is told, though the turn goes on at the next start", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime);
  crew.turns.start(room, turnOf("t1"));
  await crew.clock.advance(0);
  runtime.push({ kind: "usage", usage: { inputTokens: 7, outputTokens: 1 } });
  await crew.clock.advance(0);
  await crew.turns[Symbol.asyncDispose]();
  expect(crew.room.outcomes).toEqual([]);
  expect(crew.room.usedSoFar).toEqual([[{ model: "default", inputTokens: 7, outputTokens: 1 }]]);
});

test("calls of models that are metered elsewhere count for the turn that runs on their history, once", async () => {
  const runtime = new ScriptedRuntime();
  const crew = crewOn(runtime, { metered: new Set(["builtin"]) });
  await using turns = crew.turns;
  const turn = turnOf("t1");
  turns.start(room, turn);
  await crew.clock.advance(0);
  turns.used(turn.history, { model: "large", inputTokens: 7, outputTokens: 1, estimated: true });
  runtime.push({ kind: "usage", usage: { inputTokens: 7, outputTokens: 1 } });
  runtime.stop();
  await crew.room.end("t1");
  await crew.clock.advance(0);
  turns.used(turn.history, { model: "large", inputTokens: 9, outputTokens: 9 });
  expect(crew.room.usage).toEqual([[{ model: "large", inputTokens: 7, outputTokens: 1, estimated: true }]]);
});

test("tools act, read and work through the turn that runs, and are told when it was stopped", async () => {
  const runtime = new ScriptedRuntime();
  const contexts: SessionContext[] = [];
  const crew = crewOn(runtime, {
    tools: (context) => {
      contexts.push(context);
      return [];
    },
  });
  await using turns = crew.turns;
  turns.start(room, turnOf("t1"));
  await crew.clock.advance(0);
  const [context] = contexts;
  const call = "t1:c1" as EffectId;
  expect(await context?.acts(turnId("t1"), call, { kind: "claim", subtask: "parser" }, 4)).toBe("Done.");
  expect(await context?.reads(turnId("t1"), call, 3)).toBe("the last 3 messages");
  const list = { kind: "list", path: "" } as const;
  const { signal } = new AbortController();
  expect(await context?.works(turnId("t1"), call, list, signal)).toBe("the answer to list");
  expect(crew.room.acts).toEqual([[call, { kind: "claim", subtask: "parser" }, 4]]);

  expect(await context?.acts(turnId("t2"), call, { kind: "look" })).toBe("Not done: this turn was stopped.");
  turns.abort(turnId("t1"));
  expect(await context?.acts(turnId("t1"), call, { kind: "look" })).toBe("Not done: this turn was stopped.");
  expect(await context?.reads(turnId("t1"), call, 3)).toBe("Not read: this turn was stopped.");
  expect(await context?.works(turnId("t1"), call, list, signal)).toBe("Not done: this turn was stopped.");
  expect(crew.room.worked).toEqual([[turnId("t1"), call, list, signal]]);
  await crew.room.end("t1");
  expect(crew.room.acts.length).toBe(1);
});

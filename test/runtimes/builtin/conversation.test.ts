import { expect, test } from "vitest";
import { startRehearsal } from "../../../src/models/rehearsal/server.ts";
import type { ModelUse } from "../../../src/models/client.ts";
import { MemoryStore, opening, runtimeOn, say, sessionId, turnId, words } from "../support.ts";

test("an answer streams, and the stream ends with usage and one stop", async () => {
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { reasoning: "hm", text: "Hello from {agent}.", chunks: 3 } }] }],
  });
  await using runtime = runtimeOn({ url: server.url });
  const session = await runtime.openSession(opening());
  const heard = await say(session, "t1", "hello");
  expect(heard.text).toBe("Hello from ada.");
  expect(heard.updates.map(({ kind }) => kind)).toEqual([
    "agent_thought_chunk",
    "agent_message_chunk",
    "agent_message_chunk",
    "agent_message_chunk",
    "usage",
    "stop",
  ]);
  expect(heard.stop).toBe("end_turn");
});

test("a session goes on in a new runtime on the same store", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "answer {count}" } }] }] });
  const store = new MemoryStore();
  {
    await using runtime = runtimeOn({ url: server.url, store });
    await say(await runtime.openSession(opening()), "t1", "first");
  }
  await using runtime = runtimeOn({ url: server.url, store });
  await say(await runtime.openSession(opening()), "t2", "second");
  expect(server.requests[1]?.body.messages).toMatchObject([
    { role: "system", content: expect.stringContaining("You are Ada, agent `ada`") as string },
    { role: "user", content: "first" },
    { role: "assistant", content: "answer 1" },
    { role: "user", content: "second" },
  ]);
  expect(server.requests[1]?.body.messages[0]).toEqual(server.requests[0]?.body.messages[0]);
});

test("a finished turn is replayed from the store, without asking the model again", async () => {
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { text: "once and for all", chunks: 4 } }] }],
  });
  const store = new MemoryStore();
  await using first = runtimeOn({ url: server.url, store });
  await say(await first.openSession(opening()), "t1", "hello");
  await using second = runtimeOn({ url: server.url, store });
  const again = await say(await second.openSession(opening()), "t1", "hello");
  expect(again.updates).toEqual([
    { kind: "agent_message_chunk", text: "once and for all" },
    { kind: "stop", reason: "end_turn" },
  ]);
  expect(server.requests.length).toBe(1);
});

test("a turn that fails leaves no trace, so that the same message can be said again", async () => {
  await using server = await startRehearsal({
    scripts: [
      {
        rules: [
          { times: 1, answer: { text: "I beg", error: { status: 500, message: "x" } } },
          { answer: { text: "fine" } },
        ],
      },
    ],
  });
  const store = new MemoryStore();
  await using runtime = runtimeOn({ url: server.url, store });
  const session = await runtime.openSession(opening());
  await expect(say(session, "t1", "hello")).rejects.toMatchObject({ code: "MODEL_UNREACHABLE" });
  expect(store.saved).toEqual([]);
  expect((await say(session, "t2", "hello")).text).toBe("fine");
  expect(server.requests[1]?.body.messages.length).toBe(2);
});

test("an answer without a word is an error, not silence", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "" } }] }] });
  await using runtime = runtimeOn({ url: server.url });
  await expect(say(await runtime.openSession(opening()), "t1", "hello")).rejects.toMatchObject({
    code: "MODEL_NONSENSE",
  });
});

test.each([
  ["length", "max_tokens"],
  ["content_filter", "refusal"],
] as const)("finish_reason %s is told as %s", async (finish_reason, reason) => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "so", finish_reason } }] }] });
  await using runtime = runtimeOn({ url: server.url });
  expect((await say(await runtime.openSession(opening()), "t1", "hello")).stop).toBe(reason);
});

test("cancelled before the first word, a turn ends at once and is known as interrupted", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = await startRehearsal({
    scripts: [{ rules: [{ when: { turn: 1 }, answer: { hang: true } }, { answer: { text: "yes" } }] }],
    onRequest: () => asked.resolve(),
  });
  await using runtime = runtimeOn({ url: server.url });
  const session = await runtime.openSession(opening());
  const stop = new AbortController();
  const turn = say(session, "t1", "hello", undefined, stop.signal);
  await asked.promise;
  stop.abort();
  expect(await turn).toEqual({ updates: [{ kind: "stop", reason: "cancelled" }], text: "", stop: "cancelled" });
  await say(session, "t2", "go on");
  expect(server.requests[1]?.body.messages.slice(1)).toMatchObject([
    { role: "user", content: "hello" },
    { role: "assistant", content: "[interrupted]" },
    { role: "user", content: "go on" },
  ]);
});

test("cancelled in the middle, what was said stays, marked as interrupted, and what it cost is metered", async () => {
  await using server = await startRehearsal({
    scripts: [
      { rules: [{ when: { turn: 1 }, answer: { text: "half a sen", hang: true } }, { answer: { text: "yes" } }] },
    ],
  });
  const uses: ModelUse[] = [];
  const store = new MemoryStore();
  await using runtime = runtimeOn({ url: server.url, store, models: { onUsage: (use) => uses.push(use) } });
  const session = await runtime.openSession(opening());
  const stop = new AbortController();
  const heard = await say(
    session,
    "t1",
    "hello",
    ({ kind }) => kind === "agent_message_chunk" && stop.abort(),
    stop.signal,
  );
  expect([heard.text, heard.stop]).toEqual(["half a sen", "cancelled"]);
  expect(uses).toMatchObject([{ estimated: true, usage: { outputTokens: 3 } }]);
  await say(session, "t2", "go on");
  expect(server.requests[1]?.body.messages[2]).toMatchObject({ content: "half a sen [interrupted]" });
  expect((await say(session, "t2", "go on")).text).toBe("yes");
});

test("closing a session leaves its turn unfinished, so that it is asked again after a restart", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = await startRehearsal({
    scripts: [{ rules: [{ times: 1, answer: { hang: true } }, { answer: { text: "here I am" } }] }],
    onRequest: () => asked.resolve(),
  });
  const store = new MemoryStore();
  const runtime = runtimeOn({ url: server.url, store });
  const turn = say(await runtime.openSession(opening()), "t1", "hello");
  turn.catch(() => undefined);
  await asked.promise;
  await runtime[Symbol.asyncDispose]();
  await expect(turn).rejects.toMatchObject({ code: "RUNTIME_FAILED" });
  await using next = runtimeOn({ url: server.url, store });
  expect((await say(await next.openSession(opening()), "t1", "hello")).text).toBe("here I am");
});

test("a forgotten turn is in no later request", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "answer to {last}" } }] }] });
  await using runtime = runtimeOn({ url: server.url });
  const session = await runtime.openSession(opening());
  await say(session, "t1", "my secret");
  await say(session, "t2", "the weather");
  await session.forget(turnId("t1"));
  await session.forget(turnId("never-was"));
  await say(session, "t3", "and now");
  const sent = JSON.stringify(server.requests.at(-1)?.body.messages);
  expect(sent).not.toContain("my secret");
  expect(sent).toContain("answer to the weather");
});

test("the newest turn forgotten is neither replayed nor asked again", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "as you say" } }] }] });
  const store = new MemoryStore();
  await using runtime = runtimeOn({ url: server.url, store });
  const session = await runtime.openSession(opening());
  await say(session, "t1", "my secret");
  await session.forget(turnId("t1"));
  expect(JSON.stringify([...store.values])).not.toContain("my secret");
  expect(await say(session, "t1", "my secret")).toMatchObject({ text: "", stop: "cancelled" });
  expect(server.requests.length).toBe(1);
});

test("a turn forgotten while it runs is not written down when it ends", async () => {
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { text: "a b", chunks: 2, hang: true } }] }],
  });
  const store = new MemoryStore();
  await using runtime = runtimeOn({ url: server.url, store });
  const session = await runtime.openSession(opening());
  const stop = new AbortController();
  const forgetting = Promise.withResolvers<void>();
  const turn = say(
    session,
    "t1",
    "my secret",
    ({ kind }) => {
      if (kind !== "agent_message_chunk") return;
      session.forget(turnId("t1")).then(forgetting.resolve, forgetting.reject);
      stop.abort();
    },
    stop.signal,
  );
  expect((await turn).stop).toBe("cancelled");
  await forgetting.promise;
  expect(JSON.stringify([...store.values])).not.toContain("my secret");
});

test("sessions side by side keep their conversations apart", async () => {
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { text: "{agent} heard: {last}", chunks: 5 } }] }],
  });
  const store = new MemoryStore();
  await using runtime = runtimeOn({ url: server.url, store });
  const agents = ["ada", "bo", "cleo", "dan", "eve"];
  const sessions = await Promise.all(
    agents.map(async (agent) => runtime.openSession(opening({ agent, session: `s-${agent}` }))),
  );
  for (const round of ["one", "two"]) {
    const heard = await Promise.all(
      sessions.map(async (session, index) => say(session, `${round}-${index}`, `${round} for ${agents[index] ?? ""}`)),
    );
    expect(heard.map(({ text }) => text)).toEqual(agents.map((agent) => `${agent} heard: ${round} for ${agent}`));
  }
  expect(store.values.size).toBe(5);
  expect(store.values.get(sessionId("s-bo"))).not.toContain("for ada");
});

test("two turns of one session at once are refused", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { hang: true } }] }],
    onRequest: () => asked.resolve(),
  });
  await using runtime = runtimeOn({ url: server.url });
  const session = await runtime.openSession(opening());
  const stop = new AbortController();
  const turn = say(session, "t1", "hello", undefined, stop.signal);
  await asked.promise;
  await expect(say(session, "t2", "me too")).rejects.toMatchObject({ code: "RUNTIME_FAILED" });
  stop.abort();
  expect((await turn).stop).toBe("cancelled");
});

test("a stored history that is not ours is an error, not an empty history", async () => {
  const store = new MemoryStore();
  await store.save(sessionId("s1"), { version: 9 });
  await using runtime = runtimeOn({ url: "http://127.0.0.1:9/v1", store });
  await expect(say(await runtime.openSession(opening()), "t1", "hello")).rejects.toMatchObject({
    code: "RUNTIME_FAILED",
  });
});

test("images go to the model as images, and later only by name", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "ok" } }] }] });
  await using runtime = runtimeOn({ url: server.url });
  const session = await runtime.openSession(opening());
  await say(session, "t1", [
    ...words("look"),
    { type: "image", mimeType: "image/png", data: "iVBORw0KGgo=", name: "cat.png" },
  ]);
  expect(server.requests[0]?.body.messages[1]?.content).toMatchObject([
    { type: "text", text: "look" },
    { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } },
  ]);
  for (const turn of ["t2", "t3", "t4"]) await say(session, turn, "and?");
  expect(JSON.stringify(server.requests[2]?.body.messages)).toContain("iVBORw0KGgo=");
  const last = JSON.stringify(server.requests[3]?.body.messages);
  expect(last).not.toContain("iVBORw0KGgo=");
  expect(last).toContain("[image cat.png, shown earlier]");
});

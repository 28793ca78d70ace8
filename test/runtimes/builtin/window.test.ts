import { expect, test } from "vitest";
import { startRehearsal } from "../../../src/models/rehearsal/server.ts";
import { budgetOf } from "../../../src/runtimes/builtin/window.ts";
import type { Tool } from "../../../src/runtimes/port.ts";
import { opening, runtimeOn, say } from "../support.ts";

const long = (name: string, chars: number): string => `${name} ${"word ".repeat(chars / 5)}`;

test("the budget keeps room for the answer and a margin", () => {
  expect(budgetOf({ context: 128_000 })).toBe(128_000 - 4096 - 6400);
  expect(budgetOf({ context: 1000, maxOutputTokens: 100 })).toBe(850);
});

test("old turns are forgotten as a whole, and the requests after it share one beginning", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "answer {count}" } }] }] });
  await using runtime = runtimeOn({ url: server.url, settings: { context: 4000 } });
  const session = await runtime.openSession(opening());
  for (let turn = 1; turn <= 12; turn += 1) await say(session, `t${turn}`, long(`m${turn}`, 2000));
  const firsts = server.requests.map(({ body }) => /m\d+/.exec(JSON.stringify(body.messages[1]))?.[0]);
  expect(firsts.slice(0, 5)).toEqual(["m1", "m1", "m1", "m1", "m1"]);
  expect(firsts.at(-1)).not.toBe("m1");
  // Trimmed in leaps, not by one turn each time: that would miss the prompt cache every time.
  expect(new Set(firsts).size).toBeLessThan(6);
  for (const { body } of server.requests) {
    expect(body.messages[0]?.role).toBe("system");
    expect(body.messages[1]?.role).toBe("user");
    expect(body.messages.at(-1)?.role).toBe("user");
    expect(JSON.stringify(body.messages).length / 4).toBeLessThan(4000);
  }
});

test("a message that is too large alone is an error that names the window", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "ok" } }] }] });
  await using runtime = runtimeOn({ url: server.url, settings: { context: 1000 } });
  const session = await runtime.openSession(opening());
  await expect(say(session, "t1", long("m", 10_000))).rejects.toMatchObject({
    code: "CONTEXT_EXCEEDED",
    message: expect.stringContaining("1000 tokens") as string,
  });
  expect(server.requests.length).toBe(0);
  expect((await say(session, "t2", "short")).text).toBe("ok");
});

test("when the model itself finds it too long, it is asked once more with half", async () => {
  const tooLong = { status: 400, message: "maximum context length exceeded", code: "context_length_exceeded" };
  await using server = await startRehearsal({
    scripts: [{ rules: [{ when: { turn: 5 }, times: 1, answer: { error: tooLong } }, { answer: { text: "ok" } }] }],
  });
  await using runtime = runtimeOn({ url: server.url });
  const session = await runtime.openSession(opening());
  for (let turn = 1; turn <= 5; turn += 1) await say(session, `t${turn}`, long(`m${turn}`, 2000));
  const [refused, retried] = server.requests.slice(4);
  expect(server.requests.length).toBe(6);
  expect(retried?.body.messages.length).toBeLessThan(refused?.body.messages.length ?? 0);
  expect(retried?.body.messages.at(-1)).toEqual(refused?.body.messages.at(-1));
});

test("with nothing left to leave out, the model's refusal is told", async () => {
  const tooLong = { status: 400, message: "maximum context length exceeded", code: "context_length_exceeded" };
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { error: tooLong } }] }] });
  await using runtime = runtimeOn({ url: server.url });
  await expect(say(await runtime.openSession(opening()), "t1", "hello")).rejects.toMatchObject({
    code: "CONTEXT_EXCEEDED",
  });
  expect(server.requests.length).toBe(1);
});

test("within a long turn the older tool results are left out, and no call is parted from its result", async () => {
  await using server = await startRehearsal({
    scripts: [
      {
        rules: [
          ...Array.from({ length: 6 }, (_, index) => ({
            when: { step: index + 1 },
            answer: { tools: [{ name: "look" }] },
          })),
          { answer: { text: "seen enough" } },
        ],
      },
    ],
  });
  const look: Tool = {
    name: "look",
    description: "Looks.",
    inputSchema: { type: "object" },
    call: async () => "x".repeat(3000),
  };
  await using runtime = runtimeOn({ url: server.url, settings: { context: 4000 } });
  expect((await say(await runtime.openSession(opening({ tools: [look] })), "t1", "go")).text).toBe("seen enough");
  const last = server.requests.at(-1)?.body.messages ?? [];
  const calls = last.flatMap(({ tool_calls }) => tool_calls?.map(({ id }) => id) ?? []);
  expect(last.flatMap(({ tool_call_id }) => tool_call_id ?? [])).toEqual(calls);
  expect(calls.length).toBe(6);
  expect(last.at(-1)?.content).toBe("x".repeat(3000));
  expect(JSON.stringify(last)).toContain("left out to save room");
});

test("a huge tool result is cut", async () => {
  await using server = await startRehearsal({
    scripts: [{ rules: [{ when: { step: 1 }, answer: { tools: [{ name: "look" }] } }, { answer: { text: "ok" } }] }],
  });
  const look: Tool = {
    name: "look",
    description: "Looks.",
    inputSchema: { type: "object" },
    call: async () => "x".repeat(100_000),
  };
  await using runtime = runtimeOn({ url: server.url, settings: { context: 8000 } });
  expect((await say(await runtime.openSession(opening({ tools: [look] })), "t1", "go")).text).toBe("ok");
  expect(server.requests[1]?.body.messages.at(-1)?.content).toMatch(/^x{8000}\n\[cut: 92000 more characters\]$/);
});

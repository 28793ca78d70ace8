import { expect, test } from "vitest";
import { CrewError } from "../../../src/core/errors.ts";
import { startRehearsal } from "../../../src/models/rehearsal/server.ts";
import type { RehearsalInput } from "../../../src/models/rehearsal/script.ts";
import type { Tool, ToolCallContext } from "../../../src/runtimes/port.ts";
import { MemoryStore, opening, runtimeOn, say, sessionId, turnId } from "../support.ts";

function tool(name: string, call: Tool["call"]): Tool {
  return {
    name,
    description: `Does ${name}.`,
    inputSchema: { type: "object", properties: { path: { type: "string" } } },
    call,
  };
}

const twoSteps: RehearsalInput = {
  rules: [
    {
      when: { step: 1 },
      answer: { text: "Let me look.", tools: [{ name: "list_files", arguments: { path: "." } }, { name: "get_task" }] },
    },
    { when: { step: 2 }, answer: { text: "I see both." } },
  ],
};

test("tools run in order, their results go back to the model, and the texts are paragraphs", async () => {
  await using server = await startRehearsal({ scripts: [twoSteps] });
  const calls: [string, unknown, ToolCallContext][] = [];
  const tools = ["list_files", "get_task"].map((name) =>
    tool(name, async (input, context) => {
      calls.push([name, input, context]);
      return `result of ${name}`;
    }),
  );
  await using runtime = runtimeOn({ url: server.url });
  const session = await runtime.openSession(opening({ tools }));
  const heard = await say(session, "t1", "go");
  expect(heard.text).toBe("Let me look.\n\nI see both.");
  expect(calls.map(([name, input]) => [name, input])).toEqual([
    ["list_files", { path: "." }],
    ["get_task", {}],
  ]);
  const ids = calls.map(([, , context]) => context.callId);
  expect(new Set(ids).size).toBe(2);
  expect(ids.every((id) => /^[a-z0-9]{9}$/.test(id))).toBe(true);
  expect(calls[0]?.[2].turn).toBe("t1");
  expect(
    heard.updates.flatMap((update) =>
      "callId" in update && "status" in update ? `${update.callId === ids[0] ? 0 : 1} ${update.status}` : [],
    ),
  ).toEqual(["0 in_progress", "0 completed", "1 in_progress", "1 completed"]);
  expect(server.requests[1]?.body.messages.slice(2)).toMatchObject([
    { role: "assistant", content: "Let me look.", tool_calls: [{ id: ids[0] }, { id: ids[1] }] },
    { role: "tool", tool_call_id: ids[0], content: "result of list_files" },
    { role: "tool", tool_call_id: ids[1], content: "result of get_task" },
  ]);
  expect((await say(session, "t1", "go")).text).toBe("Let me look.\n\nI see both.");
});

test("an unknown tool and arguments that are no JSON are answered to the model, not thrown", async () => {
  await using server = await startRehearsal({
    scripts: [
      {
        rules: [
          { when: { step: 1 }, answer: { tools: [{ name: "fly" }, { name: "list_files", arguments: "{oops" }] } },
          { when: { step: 2 }, answer: { text: "my mistake" } },
        ],
      },
    ],
  });
  let called = 0;
  const tools = [tool("list_files", async () => String((called += 1)))];
  await using runtime = runtimeOn({ url: server.url });
  const heard = await say(await runtime.openSession(opening({ tools })), "t1", "go");
  expect(heard.text).toBe("my mistake");
  expect(called).toBe(0);
  expect(heard.updates.filter((update) => update.kind === "tool_call_update")).toMatchObject([
    { status: "failed" },
    { status: "failed" },
  ]);
  expect(server.requests[1]?.body.messages.slice(3)).toMatchObject([
    { role: "tool", content: expect.stringContaining("fly") as string },
    { role: "tool", content: expect.stringContaining("list_files") as string },
  ]);
});

test("a turn that only calls tools is stopped after 50 steps", async () => {
  await using server = await startRehearsal({
    scripts: [
      {
        rules: Array.from({ length: 60 }, (_, index) => ({
          when: { step: index + 1 },
          answer: { tools: [{ name: "look" }] },
        })),
      },
    ],
  });
  let called = 0;
  await using runtime = runtimeOn({ url: server.url, settings: { context: 200_000 } });
  const heard = await say(
    await runtime.openSession(opening({ tools: [tool("look", async () => String((called += 1)))] })),
    "t1",
    "go",
  );
  expect(heard.stop).toBe("max_turn_requests");
  expect([called, server.requests.length]).toEqual([50, 50]);
});

test("after a crash between two tool calls, the same turn goes on with the second, under the same id", async () => {
  await using server = await startRehearsal({ scripts: [twoSteps] });
  const store = new MemoryStore();
  const calls: string[] = [];
  const crashing = Promise.withResolvers<string>();
  const reached = Promise.withResolvers<void>();
  const toolsOf = (second: () => Promise<string>): Tool[] => [
    tool("list_files", async (_input, { callId }) => {
      calls.push(`first ${callId}`);
      return "files";
    }),
    tool("get_task", async (_input, { callId }) => {
      calls.push(`second ${callId}`);
      return second();
    }),
  ];
  const crashed = runtimeOn({ url: server.url, store });
  const session = await crashed.openSession(
    opening({
      tools: toolsOf(async () => {
        reached.resolve();
        return crashing.promise;
      }),
    }),
  );
  const turn = say(session, "t1", "go");
  turn.catch(() => undefined);
  await reached.promise;
  await session.close();
  await expect(turn).rejects.toMatchObject({ code: "RUNTIME_FAILED" });

  await using runtime = runtimeOn({ url: server.url, store });
  const again = await say(await runtime.openSession(opening({ tools: toolsOf(async () => "task") })), "t1", "go");
  expect(again.text).toBe("Let me look.\n\nI see both.");
  expect(calls.length).toBe(3);
  expect(calls[2]).toBe(calls[1]);
  expect(server.requests.length).toBe(2);
});

test("a failed turn whose tools have run is known to the next turn", async () => {
  await using server = await startRehearsal({
    scripts: [
      {
        rules: [
          { when: { turn: 1, step: 1 }, answer: { tools: [{ name: "look" }] } },
          { when: { turn: 1 }, answer: { error: { status: 401, message: "no" } } },
          { answer: { text: "on we go" } },
        ],
      },
    ],
  });
  await using runtime = runtimeOn({ url: server.url });
  const session = await runtime.openSession(opening({ tools: [tool("look", async () => "seen")] }));
  await expect(say(session, "t1", "go")).rejects.toMatchObject({ code: "MODEL_REFUSED" });
  expect((await say(session, "t2", "again")).text).toBe("on we go");
  expect(
    server.requests
      .at(-1)
      ?.body.messages.slice(1)
      .map(({ role, content }) => `${role} ${JSON.stringify(content)}`),
  ).toEqual(['user "go"', "assistant null", 'tool "seen"', 'assistant "[interrupted]"', 'user "again"']);
});

test("a stop while a tool runs ends the turn at once, even when the tool does not listen", async () => {
  await using server = await startRehearsal({ scripts: [twoSteps] });
  const stop = new AbortController();
  const deaf = async (): Promise<string> => {
    stop.abort();
    return new Promise<string>(() => undefined);
  };
  const store = new MemoryStore();
  await using runtime = runtimeOn({ url: server.url, store });
  const session = await runtime.openSession(
    opening({ tools: [tool("list_files", deaf), tool("get_task", async () => "no")] }),
  );
  expect((await say(session, "t1", "go", undefined, stop.signal)).stop).toBe("cancelled");
  expect(store.values.get(sessionId("s1"))).toContain("Whether it took effect is unknown");
});

test("a tool that rejects ends the turn with its own error", async () => {
  await using server = await startRehearsal({ scripts: [twoSteps] });
  await using runtime = runtimeOn({ url: server.url });
  const tools = [
    tool("list_files", async () => Promise.reject(new CrewError("STORE_UNUSABLE", { store: "x", reason: "full" }))),
  ];
  await expect(say(await runtime.openSession(opening({ tools })), "t1", "go")).rejects.toMatchObject({
    code: "STORE_UNUSABLE",
  });
});

test("a turn with tools that is forgotten while it runs leaves nothing", async () => {
  await using server = await startRehearsal({ scripts: [twoSteps] });
  const store = new MemoryStore();
  await using runtime = runtimeOn({ url: server.url, store });
  const session = await runtime.openSession(
    opening({
      tools: [
        tool("list_files", async () => "files"),
        tool("get_task", async () => {
          await session.forget(turnId("t1"));
          return "task";
        }),
      ],
    }),
  );
  await say(session, "t1", "my secret");
  expect(store.saved.some((text) => text.includes("my secret"))).toBe(true);
  expect(store.values.get(sessionId("s1"))).not.toContain("my secret");
});

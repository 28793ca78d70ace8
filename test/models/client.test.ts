import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import type { ModelCall, ModelEvent, ModelsOptions, ModelUse } from "../../src/models/client.ts";
import { createModels } from "../../src/models/client.ts";
import { startRehearsal } from "../../src/models/rehearsal/server.ts";
import type { RehearsalInput } from "../../src/models/rehearsal/script.ts";
import { agentId, sessionId } from "../runtimes/support.ts";

type Answers = readonly RehearsalInput["rules"][number]["answer"][];

/** A server that gives these answers one after the other, each once; the last for ever. */
async function server(answers: Answers) {
  return startRehearsal({
    scripts: [
      { rules: answers.map((answer, index) => (index < answers.length - 1 ? { times: 1, answer } : { answer })) },
    ],
  });
}

const key = "sk-very-secret-key-0123456789";

function models(url: string, over: Partial<ModelsOptions> = {}) {
  return createModels({
    models: { default: { baseUrl: url, apiKey: key, model: "rehearsal", context: 8000 } },
    wait: async () => undefined,
    random: () => 0,
    ...over,
  });
}

function call(over: Partial<ModelCall> = {}): ModelCall {
  return {
    agent: agentId("ada"),
    roles: ["planner"],
    session: sessionId("ada !room:example.org"),
    model: "default",
    system: "You are Ada.",
    messages: [{ role: "user", content: "hello" }],
    tools: [],
    signal: new AbortController().signal,
    ...over,
  };
}

async function all(stream: AsyncIterable<ModelEvent>): Promise<ModelEvent[]> {
  const events: ModelEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

const textOf = (events: readonly ModelEvent[]): string =>
  events.map((event) => (event.kind === "text" ? event.text : "")).join("");

test("text and thoughts stream, the tokens are metered, and nothing is printed", async () => {
  await using rehearsal = await server([{ text: "Good morning to you.", reasoning: "Be polite." }]);
  const printed = [
    vi.spyOn(process.stdout, "write"),
    vi.spyOn(process.stderr, "write"),
    vi.spyOn(console, "warn"),
    vi.spyOn(console, "error"),
  ];
  const uses: ModelUse[] = [];
  const events = await all(models(rehearsal.url, { onUsage: (use) => uses.push(use) }).stream(call()));
  expect(textOf(events)).toBe("Good morning to you.");
  expect(events.filter(({ kind }) => kind === "text").length).toBeGreaterThan(0);
  expect(events[0]).toEqual({ kind: "thought", text: "Be polite." });
  expect(events.at(-1)).toMatchObject({ kind: "end", finish: "stop", usage: { outputTokens: 8 } });
  expect(uses).toMatchObject([{ agent: "ada", model: "default", estimated: false, usage: { outputTokens: 8 } }]);
  for (const spy of printed) {
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  }
});

test("a request names its agent and roles, but not its room", async () => {
  await using rehearsal = await server([{ text: "hi" }]);
  await all(models(rehearsal.url).stream(call()));
  expect(rehearsal.requests[0]?.scene).toMatchObject({
    agent: "ada",
    roles: ["planner"],
    session: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
  });
});

test("429 and 500 are tried again, after what Retry-After asks for, else with back-off", async () => {
  const waits: number[] = [];
  await using rehearsal = await server([
    { error: { status: 429, message: "slow down", retry_after: 7 } },
    { error: { status: 500, message: "oops" } },
    { text: "at last" },
  ]);
  const client = models(rehearsal.url, { wait: async (ms) => void waits.push(ms) });
  expect(textOf(await all(client.stream(call())))).toBe("at last");
  expect(waits).toEqual([7000, 500]);
});

test("what stays overloaded is given up after two retries, with the provider's reason", async () => {
  await using rehearsal = await server([{ error: { status: 429, message: "slow down" } }]);
  await expect(all(models(rehearsal.url).stream(call()))).rejects.toMatchObject({
    code: "MODEL_OVERLOADED",
    message: "The model rehearsal is overloaded or out of quota: HTTP 429, slow down.",
  });
  expect(rehearsal.requests.length).toBe(3);
});

test("a Retry-After that is longer than a person should wait is told at once", async () => {
  await using rehearsal = await server([{ error: { status: 503, message: "back in an hour", retry_after: 3600 } }]);
  await expect(all(models(rehearsal.url).stream(call()))).rejects.toMatchObject({ code: "MODEL_OVERLOADED" });
  expect(rehearsal.requests.length).toBe(1);
});

test("a spent quota is not tried again", async () => {
  await using rehearsal = await server([
    { error: { status: 429, message: "You exceeded your quota", code: "insufficient_quota" } },
  ]);
  await expect(all(models(rehearsal.url).stream(call()))).rejects.toMatchObject({ code: "MODEL_OVERLOADED" });
  expect(rehearsal.requests.length).toBe(1);
});

test("401 is refused at once, and the reason never holds the key, even when the provider echoes it", async () => {
  await using rehearsal = await server([{ error: { status: 401, message: `Incorrect API key provided: ${key}.` } }]);
  await expect(all(models(rehearsal.url).stream(call()))).rejects.toSatisfy((error: Error) => {
    expect(error).toMatchObject({
      code: "MODEL_REFUSED",
      message: expect.stringContaining("HTTP 401, Incorrect API key provided: •••") as string,
    });
    expect(JSON.stringify([error, error.message, error.stack, String(error.cause)])).not.toContain("very-secret");
    return true;
  });
  expect(rehearsal.requests.length).toBe(1);
});

test("a model too small for the request says CONTEXT_EXCEEDED", async () => {
  await using rehearsal = await server([
    {
      error: {
        status: 400,
        message: "This model's maximum context length is 4096 tokens.",
        code: "context_length_exceeded",
      },
    },
  ]);
  await expect(all(models(rehearsal.url).stream(call()))).rejects.toMatchObject({ code: "CONTEXT_EXCEEDED" });
});

test("garbage is nonsense, and is not asked for again", async () => {
  await using rehearsal = await server([{ garbage: true }]);
  await expect(all(models(rehearsal.url).stream(call()))).rejects.toMatchObject({ code: "MODEL_NONSENSE" });
  expect(rehearsal.requests.length).toBe(1);
});

test("an address that answers something else entirely is nonsense or a refusal, never a crash", async () => {
  await using rehearsal = await server([{ text: "x" }]);
  await expect(all(models(`${rehearsal.url}/nowhere`).stream(call()))).rejects.toMatchObject({ code: "MODEL_REFUSED" });
});

test("a refused connection is tried again and then told with its reason", async () => {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const waits: number[] = [];
  const client = models(`http://127.0.0.1:${port}/v1`, { wait: async (ms) => void waits.push(ms) });
  await expect(all(client.stream(call()))).rejects.toMatchObject({
    code: "MODEL_UNREACHABLE",
    message: expect.stringContaining("ECONNREFUSED") as string,
  });
  expect(waits).toEqual([250, 500]);
});

test("after the first word nothing is tried again: not on an error, not on a cut connection", async () => {
  for (const answer of [
    { text: "I begin", error: { status: 500, message: "boom" } },
    { text: "I begin", disconnect: true },
  ] as const) {
    await using rehearsal = await server([answer, { text: "again" }]);
    const heard: ModelEvent[] = [];
    const uses: ModelUse[] = [];
    const run = async (): Promise<void> => {
      for await (const event of models(rehearsal.url, { onUsage: (use) => uses.push(use) }).stream(call()))
        heard.push(event);
    };
    await expect(run()).rejects.toMatchObject({ code: "MODEL_UNREACHABLE" });
    expect(textOf(heard)).toBe("I begin");
    expect(rehearsal.requests.length).toBe(1);
    expect(uses).toMatchObject([{ estimated: true, usage: { outputTokens: expect.any(Number) as number } }]);
  }
});

/** Streams these chunks as they are; without an end the connection is cut. */
async function raw(
  chunks: readonly object[],
  ends: boolean,
): Promise<AsyncDisposable & { url: string; asked: number }> {
  const state = { asked: 0 };
  const http = createHttpServer((_request, response) => {
    state.asked++;
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const chunk of chunks) response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    if (ends) response.end("data: [DONE]\n\n");
    // After what was written has gone out.
    else response.write("\n", () => response.destroy());
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    get asked() {
      return state.asked;
    },
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };
}

const delta = (part: object, finish: string | null = null): object => ({
  id: "c",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta: part, finish_reason: finish }],
});

test("a stream that breaks inside a tool call's arguments is metered, each time that it is tried", async () => {
  const began = { index: 0, id: "t1", type: "function", function: { name: "write_file", arguments: "" } };
  const piece = { index: 0, function: { arguments: `{"content": "${"word ".repeat(400)}` } };
  await using broken = await raw([delta({ tool_calls: [began] }), delta({ tool_calls: [piece] })], false);
  const uses: ModelUse[] = [];
  const tools = [{ name: "write_file", description: "", inputSchema: { type: "object" } }];
  const client = models(broken.url, { onUsage: (use) => uses.push(use) });
  await expect(all(client.stream(call({ tools })))).rejects.toMatchObject({ code: "MODEL_UNREACHABLE" });
  expect(broken.asked).toBeGreaterThan(0);
  expect(uses).toHaveLength(broken.asked);
  for (const { estimated, usage } of uses) {
    expect(estimated).toBe(true);
    expect(usage.outputTokens).toBeGreaterThan(400);
  }
});

test.each([
  [{ prompt_tokens: -5_000, completion_tokens: 3 }],
  [{ prompt_tokens: 12.5, completion_tokens: 3 }],
  [{ prompt_tokens: 0, completion_tokens: 0 }],
  [{ prompt_tokens: 10, completion_tokens: 1e300 }],
])("figures that cannot be, like %j, are replaced by an estimate", async (usage) => {
  await using odd = await raw(
    [delta({ content: "hi" }), delta({}, "stop"), { ...delta({}), choices: [], usage }],
    true,
  );
  const uses: ModelUse[] = [];
  await all(models(odd.url, { onUsage: (use) => uses.push(use) }).stream(call()));
  expect(uses).toMatchObject([{ estimated: true, usage: { inputTokens: expect.any(Number) as number } }]);
  expect(uses[0]?.usage.inputTokens).toBeGreaterThan(0);
});

test("cached tokens are told as the provider counts them, and passed over where they cannot be", async () => {
  for (const [cached, told] of [
    [6, 6],
    [-6, undefined],
  ]) {
    const usage = { prompt_tokens: 10, completion_tokens: 2, prompt_tokens_details: { cached_tokens: cached } };
    const end = { ...delta({}), choices: [], usage };
    await using server = await raw([delta({ content: "hi" }), delta({}, "stop"), end], true);
    const uses: ModelUse[] = [];
    await all(models(server.url, { onUsage: (use) => uses.push(use) }).stream(call()));
    expect(uses.map((use) => use.usage.cachedTokens)).toEqual([told]);
    expect(uses).toMatchObject([{ estimated: false, usage: { inputTokens: 10, outputTokens: 2 } }]);
  }
});

test("an aborted call ends at once, also while it waits before a retry", async () => {
  const stop = new AbortController();
  await using rehearsal = await server([{ error: { status: 500, message: "oops" } }]);
  const client = createModels({
    models: { default: { baseUrl: rehearsal.url, model: "rehearsal", context: 8000 } },
    wait: async (_ms, signal) => {
      stop.abort();
      signal.throwIfAborted();
    },
  });
  await expect(all(client.stream(call({ signal: stop.signal })))).rejects.toMatchObject({ name: "AbortError" });
  expect(rehearsal.requests.length).toBe(1);
});

test("leaving the loop ends the request", async () => {
  const gone = Promise.withResolvers<void>();
  let chunks = 0;
  await using rehearsal = await startRehearsal({
    scripts: [{ rules: [{ answer: { text: "a b c", chunks: 3, chunk_delay_ms: 1 } }] }],
    delay: async (_ms, signal) => {
      chunks += 1;
      if (chunks < 2) return;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      gone.resolve();
    },
  });
  let heard = 0;
  for await (const event of models(rehearsal.url).stream(call())) {
    expect(event.kind).toBe("text");
    heard += 1;
    break;
  }
  await gone.promise;
  expect([heard, chunks]).toEqual([1, 2]);
});

test("a tool call that is no JSON, or names no tool, comes with its problem", async () => {
  await using rehearsal = await server([
    { tools: [{ name: "look", arguments: "{oops" }, { name: "fly" }, { name: "look", arguments: { at: 1 } }] },
  ]);
  const look = {
    name: "look",
    description: "Looks.",
    inputSchema: { type: "object", properties: { at: { type: "number" } } },
  };
  const events = await all(models(rehearsal.url).stream(call({ tools: [look] })));
  expect(events.filter(({ kind }) => kind === "tool_call")).toMatchObject([
    { call: { name: "look", input: {}, problem: expect.any(String) as string } },
    { call: { name: "fly", input: {}, problem: expect.stringContaining("fly") as string } },
    { call: { name: "look", input: { at: 1 } } },
  ]);
  expect(rehearsal.requests[0]?.body.tools).toMatchObject([
    { function: { name: "look", parameters: look.inputSchema } },
  ]);
});

test("a model that the config does not name is refused", () => {
  expect(() => models("http://127.0.0.1:9/v1").settings("toString")).toThrow(
    expect.objectContaining({ code: "MODEL_REFUSED" }),
  );
});

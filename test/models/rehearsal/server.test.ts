import { expect, test } from "vitest";
import { startRehearsal } from "../../../src/models/rehearsal/server.ts";

interface Ask {
  readonly messages: readonly object[];
  readonly headers?: Record<string, string>;
  readonly rest?: object;
}

async function ask(url: string, { messages, headers = {}, rest = {} }: Ask): Promise<Response> {
  return fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "rehearsal", messages, ...rest }),
  });
}

async function events(response: Response): Promise<string[]> {
  return (await response.text()).split("\n\n").flatMap((event) => (event === "" ? [] : event.replace(/^data: /, "")));
}

const user = (content: string): object => ({ role: "user", content });

test("a streamed answer comes in chunks and ends with a finish, usage and [DONE]", async () => {
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { text: "one two three", chunks: 3 } }] }],
  });
  const response = await ask(server.url, {
    messages: [user("hello")],
    rest: { stream: true, stream_options: { include_usage: true } },
  });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(response.headers.get("x-crewroom-rehearsal")).toBe("script");
  const all = await events(response);
  expect(all.at(-1)).toBe("[DONE]");
  const chunks = all.slice(0, -1).map((text) => JSON.parse(text) as Record<string, never>);
  expect(chunks[0]).toMatchObject({
    model: "rehearsal",
    system_fingerprint: "rehearsal-script",
    choices: [{ delta: { role: "assistant" } }],
  });
  expect(chunks.slice(1, 4)).toMatchObject([
    { choices: [{ delta: { content: "one t" } }] },
    { choices: [{ delta: { content: "wo th" } }] },
    { choices: [{ delta: { content: "ree" } }] },
  ]);
  expect(chunks.at(-2)).toMatchObject({ choices: [{ finish_reason: "stop" }] });
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 4 } });
});

test("without stream the whole answer comes at once", async () => {
  await using server = await startRehearsal({ scripts: [{ rules: [{ answer: { text: "hi" } }] }] });
  const response = await ask(server.url, { messages: [user("hello")] });
  expect(await response.json()).toMatchObject({
    object: "chat.completion",
    choices: [{ message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
    usage: { completion_tokens: 1 },
  });
});

test("tool calls stream their arguments in pieces", async () => {
  await using server = await startRehearsal({
    scripts: [
      { rules: [{ answer: { tools: [{ name: "write_file", arguments: { path: "notes about the {last}.txt" } }] } }] },
    ],
  });
  const response = await ask(server.url, { messages: [user("river")], rest: { stream: true } });
  const text = (await events(response)).join("\n");
  const pieces = [...text.matchAll(/"arguments":"((?:[^"\\]|\\.)*)"/g)].map(
    (found) => JSON.parse(`"${found[1] ?? ""}"`) as string,
  );
  expect(pieces.length).toBeGreaterThan(2);
  expect(JSON.parse(pieces.join(""))).toEqual({ path: "notes about the river.txt" });
  expect(text).toContain('"finish_reason":"tool_calls"');
});

test("the first rule that fits agent, role, last message, turn, step and last tool is played", async () => {
  await using server = await startRehearsal({
    scripts: [
      {
        rules: [
          { when: { agent: ["bo", "cleo"], turn: 2 }, answer: { text: "second of {agent}" } },
          { when: { role: "reviewer" }, answer: { text: "review" } },
          { when: { last_tool: "look" }, answer: { text: "seen" } },
          { when: { last: "/plan (\\w+)/i", step: 1 }, answer: { text: "plan for $1, number {count}" } },
          { when: { last: "HELLO" }, answer: { text: "well: {last}" } },
        ],
      },
    ],
  });
  const say = async (messages: readonly object[], headers: Record<string, string> = {}): Promise<string> => {
    const body = (await (await ask(server.url, { messages, headers })).json()) as {
      choices: { message: { content: string } }[];
    };
    return body.choices[0]?.message.content ?? "";
  };
  const bo = { "x-crewroom-agent": "bo" };
  expect(await say([user("a"), { role: "assistant", content: "b" }, user("c")], bo)).toBe("second of bo");
  expect(await say([user("a")], { "x-crewroom-roles": "planner,reviewer" })).toBe("review");
  expect(await say([user("Please Plan lunch")])).toBe("plan for lunch, number 1");
  expect(await say([user("oh hello {agent}")])).toBe("well: oh hello {agent}");
  const calls = { role: "assistant", content: null, tool_calls: [{ id: "c1", function: { name: "look" } }] };
  expect(await say([user("plan x"), calls, { role: "tool", tool_call_id: "c1", content: "…" }])).toBe("seen");
  expect(await say([{ role: "system", content: "You are Ada, agent `ada`." }, user("?")])).toBe(
    'I am a rehearsal script, not a model, and I have no line for the agent "ada" here (message 1, step 1).',
  );
  expect(server.requests.map(({ rule }) => rule)).toEqual([0, 1, 3, 4, 2, undefined]);
});

test("a rule can be for what a tool answered", async () => {
  await using server = await startRehearsal({
    scripts: [
      {
        rules: [
          { when: { result: "/^Not done/" }, answer: { text: "refused: {result}" } },
          {
            when: { last: "/(\\w+) yet/", result: "/exit code (?<code>[1-9]).*(?<none>!)?$/" },
            answer: { text: "$1 failed: {result.code}{result.none}{result.unknown}." },
          },
          { when: { last_tool: ["look", "plan_task"] }, answer: { text: "well" } },
          { answer: { text: "Not done is no result here." } },
        ],
      },
    ],
  });
  const call = { role: "assistant", content: null, tool_calls: [{ id: "c1", function: { name: "plan_task" } }] };
  const say = async (...after: readonly object[]): Promise<string> =>
    (await ask(server.url, { messages: [user("Not done yet?"), ...after] })).text();
  expect(await say(call, { role: "tool", tool_call_id: "c1", content: "Not done: no." })).toContain(
    "refused: Not done: no.",
  );
  expect(await say(call, { role: "tool", tool_call_id: "c1", content: "In force." })).toContain('"well"');
  expect(await say(call, { role: "tool", tool_call_id: "c1", content: "It ended with exit code 2." })).toContain(
    '"done failed: 2."',
  );
  expect(await say()).toContain("is no result here");
});

test("a rule that calls tools is not played again on its own result", async () => {
  await using server = await startRehearsal({
    scripts: [
      { rules: [{ when: { last: "go" }, answer: { tools: [{ name: "look" }] } }, { answer: { text: "done" } }] },
    ],
  });
  const calls = { role: "assistant", content: null, tool_calls: [{ id: "c1", function: { name: "look" } }] };
  const response = await ask(server.url, {
    messages: [user("go"), calls, { role: "tool", tool_call_id: "c1", content: "x" }],
  });
  expect(await response.json()).toMatchObject({ choices: [{ message: { content: "done" } }] });
});

test("a rule with times gives way to the next", async () => {
  await using server = await startRehearsal({
    scripts: [
      {
        rules: [
          { times: 1, answer: { error: { status: 429, message: "slow down", retry_after: 3 } } },
          { answer: { text: "now" } },
        ],
      },
    ],
  });
  const first = await ask(server.url, { messages: [user("x")] });
  expect(first.status).toBe(429);
  expect(first.headers.get("retry-after")).toBe("3");
  expect(await first.json()).toEqual({
    error: { message: "slow down", type: "rate_limit_error", param: null, code: null },
  });
  expect((await ask(server.url, { messages: [user("x")] })).status).toBe(200);
});

test("delays of a script go through the injected clock, and end when the caller goes away", async () => {
  const waited: number[] = [];
  const gone = Promise.withResolvers<void>();
  await using server = await startRehearsal({
    scripts: [{ rules: [{ answer: { text: "a b", chunks: 2, delay_ms: 70, chunk_delay_ms: 9 } }] }],
    delay: async (ms, signal) => {
      waited.push(ms);
      if (waited.length < 3) return;
      client.abort();
      await new Promise<void>((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
      ).finally(() => gone.resolve());
    },
  });
  const client = new AbortController();
  await expect(
    fetch(`${server.url}/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ messages: [user("x")], stream: true }),
      signal: client.signal,
    }).then(async (response) => response.text()),
  ).rejects.toMatchObject({ name: "AbortError" });
  await gone.promise;
  expect(waited).toEqual([70, 9, 9]);
});

test("bad requests get errors as OpenAI shapes them", async () => {
  await using server = await startRehearsal();
  const post = async (body: string): Promise<Response> =>
    fetch(`${server.url}/chat/completions`, { method: "POST", body });
  expect((await post("{")).status).toBe(400);
  expect(await (await post('{"messages": []}')).json()).toMatchObject({ error: { type: "invalid_request_error" } });
  expect((await fetch(`${server.url}/chat/completions`)).status).toBe(405);
  expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
  expect(await (await fetch(`${server.url}/models`)).json()).toMatchObject({
    data: [{ id: "rehearsal", owned_by: "crewroom-rehearsal" }],
  });
});

test("closing ends a request that hangs on purpose, and a taken port is told", async () => {
  const asked = Promise.withResolvers<void>();
  const server = await startRehearsal({
    scripts: [{ rules: [{ answer: { hang: true } }] }],
    onRequest: () => asked.resolve(),
  });
  const hanging = ask(server.url, { messages: [user("x")] });
  hanging.catch(() => undefined);
  await asked.promise;
  await expect(startRehearsal({ port: Number(new URL(server.url).port) })).rejects.toMatchObject({
    code: "PORT_TAKEN",
  });
  await server.close();
  await expect(hanging).rejects.toThrow("fetch failed");
});

test("only the newest requests are kept", async () => {
  await using server = await startRehearsal();
  for (let index = 0; index < 205; index += 1) await (await ask(server.url, { messages: [user(`m${index}`)] })).text();
  expect(server.requests.length).toBe(200);
  expect(server.requests[0]?.scene.last).toBe("m5");
});

test("the demo's script quotes a file that was sent to Bo", async () => {
  await using server = await startRehearsal({ files: ["config/rehearsal/demo.yaml"] });
  const text = "please look\n\nFile notes.txt (text/plain):\n```\nBring the blue blanket\nand more\n```";
  const response = await ask(server.url, { messages: [user(text)], headers: { "x-crewroom-agent": "bo" } });
  const body = JSON.stringify(await response.json());
  expect(body).toContain("notes.txt");
  expect(body).toContain("> Bring the blue blanket");
});

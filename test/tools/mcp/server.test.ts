import { request } from "node:http";
import { expect, test } from "vitest";
import { turnId } from "../../runtimes/support.ts";
import { sessionOf } from "../support.ts";
import { calling, clientOf, opened, post, recording, serverUp, textOf } from "./support.ts";

const t1 = turnId("t1");

test.each([
  ["of the protocol's newest revision", { versionNegotiation: { mode: "auto" } } as const],
  ["of an older one", {}],
])("a client %s lists the session's tools as they are in process, and calls them", async (_, options) => {
  await using up = await serverUp();
  const mine = sessionOf(["executor"]);
  using session = opened(up.server, mine.tools, () => t1);
  await using client = await clientOf(session, options);

  const { tools } = await client.listTools();
  expect(tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }))).toEqual(
    mine.tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
  );
  const result = await client.callTool({ name: "claim_subtask", arguments: { subtask: "parser" } });
  expect(textOf(result)).toEqual(["Done.", false]);
  expect(mine.acted).toEqual([
    ["t1", expect.stringMatching(/^t1:mcp[0-9a-f]{12}$/), { kind: "claim", subtask: "parser" }],
  ]);
});

test("two sessions have their own tools, and neither can call the other's", async () => {
  await using up = await serverUp();
  const one = recording("one");
  const two = recording("two");
  using first = opened(up.server, [one.tool], () => t1);
  using second = opened(up.server, [two.tool], () => turnId("t2"));
  expect(first.token).not.toBe(second.token);
  await using clientOne = await clientOf(first);
  await using clientTwo = await clientOf(second);
  await using again = await clientOf(first);

  expect((await clientOne.listTools()).tools.map(({ name }) => name)).toEqual(["one"]);
  expect((await clientTwo.listTools()).tools.map(({ name }) => name)).toEqual(["two"]);
  await Promise.all([
    clientOne.callTool({ name: "one", arguments: {} }),
    again.callTool({ name: "one", arguments: { text: "again" } }),
    clientTwo.callTool({ name: "two", arguments: {} }),
  ]);
  expect(textOf(await clientOne.callTool({ name: "two", arguments: {} }))).toEqual([
    "Not done: there is no tool two. Tools: one.",
    true,
  ]);
  expect(one.calls.map(({ context }) => context.turn)).toEqual(["t1", "t1"]);
  expect(two.calls.map(({ context }) => context.turn)).toEqual(["t2"]);
});

test("a wrong token, none, and one of a session that has ended are turned away", async () => {
  await using up = await serverUp();
  const { tool, calls } = recording("act");
  const session = opened(up.server, [tool], () => t1);
  const { url, token } = session;
  expect((await post(session, calling(1, "act", {}))).status).toBe(200);
  for (const wrong of ["wrong", "", `${token}x`, token.slice(1)]) {
    const answer = await post({ url, token: wrong }, calling(2, "act", { text: wrong }));
    expect([wrong, answer.status]).toEqual([wrong, 401]);
  }
  await expect(clientOf({ url, token: "wrong" })).rejects.toThrow(/401|token/i);
  session[Symbol.dispose]();
  expect((await post(session, calling(3, "act", { text: "late" }))).status).toBe(401);
  expect(calls.length).toBe(1);
});

test("a web page whose name was made to point here is turned away, whatever token it has", async () => {
  await using up = await serverUp();
  const { tool, calls } = recording("act");
  using session = opened(up.server, [tool], () => t1);
  const statusWith = async (headers: Record<string, string>): Promise<number | undefined> => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const all = { authorization: `Bearer ${session.token}`, "content-type": "application/json", ...headers };
    request(session.url, { method: "POST", headers: all }, (answer) => resolve(answer.resume().statusCode))
      .once("error", reject)
      .end(JSON.stringify(calling(1, "act", {})));
    return promise;
  };
  const port = new URL(session.url).port;
  expect(await statusWith({ host: `evil.example:${port}` })).toBe(403);
  expect(await statusWith({ origin: "https://evil.example" })).toBe(403);
  expect(await statusWith({ origin: "null" })).toBe(403);
  expect(await statusWith({ host: "127.0.0.1:1" })).toBe(403);
  expect(calls).toEqual([]);
  const accept = "application/json, text/event-stream";
  expect(await statusWith({ host: `localhost:${port}`, origin: `http://localhost:${port}`, accept })).toBe(200);
});

test("without a running turn a call is refused, in words, and nothing happens", async () => {
  await using up = await serverUp();
  const { tool, calls } = recording("act");
  using session = opened(up.server, [tool], () => undefined);
  await using client = await clientOf(session);
  expect(textOf(await client.callTool({ name: "act", arguments: {} }))).toEqual([
    "Not done: no turn of this session is running. Tools work while you answer a message.",
    true,
  ]);
  expect(calls).toEqual([]);
});

test("a refusal of the tool and wrong arguments are read by the agent, and marked as errors", async () => {
  await using up = await serverUp();
  const mine = sessionOf(["reviewer"]);
  using session = opened(up.server, mine.tools, () => t1);
  await using client = await clientOf(session);
  const nonsense = await client.callTool({ name: "review_work", arguments: { subtask: 7, score: "many" } });
  expect(textOf(nonsense)).toEqual([expect.stringContaining("Not reviewed: subtask: must be a string"), true]);
  const none = await client.callTool({ name: "review_work" });
  expect(textOf(none)).toEqual([expect.stringContaining("subtask: is missing"), true]);
  expect(mine.acted).toEqual([]);
});

test("a tool that throws answers with its reason, and the server goes on", async () => {
  await using up = await serverUp();
  const { tool } = recording("act", async () => Promise.reject(new TypeError("disk full")));
  using session = opened(up.server, [tool], () => t1);
  await using client = await clientOf(session);
  expect(textOf(await client.callTool({ name: "act", arguments: {} }))).toEqual(["Not done: disk full.", true]);
  expect((await client.listTools()).tools.length).toBe(1);
  expect(up.log.lines).toMatchObject([
    ["debug", { session: "s1", what: "act", reason: "disk full" }, expect.anything()],
  ]);
});

test("when the session ends, a call that is under way ends with it", async () => {
  await using up = await serverUp();
  const begun = Promise.withResolvers<AbortSignal>();
  const { tool } = recording("wait", async ({ signal }) => {
    begun.resolve(signal);
    return Promise.withResolvers<string>().promise;
  });
  const session = opened(up.server, [tool], () => t1);
  await using client = await clientOf(session);
  const result = client.callTool({ name: "wait", arguments: {} });
  const signal = await begun.promise;
  expect(signal.aborted).toBe(false);
  session[Symbol.dispose]();
  expect(signal.aborted).toBe(true);
  expect(textOf(await result)).toEqual(["Not done: this session has ended.", true]);
});

test("closing the server ends what is under way and does not wait for clients", async () => {
  const up = await serverUp();
  const begun = Promise.withResolvers<void>();
  const { tool } = recording("wait", async () => {
    begun.resolve();
    return Promise.withResolvers<string>().promise;
  });
  const session = opened(up.server, [tool], () => t1);
  await using client = await clientOf(session);
  const result = client.callTool({ name: "wait", arguments: {} });
  await begun.promise;
  await up[Symbol.asyncDispose]();
  expect(textOf(await result)).toEqual(["Not done: this session has ended.", true]);
  await expect(post(session, calling(1, "wait", {}))).rejects.toThrow("fetch failed");
});

test("a client that goes away aborts its call", async () => {
  await using up = await serverUp();
  const begun = Promise.withResolvers<AbortSignal>();
  const { tool } = recording("wait", async ({ signal }) => {
    begun.resolve(signal);
    return Promise.withResolvers<string>().promise;
  });
  using session = opened(up.server, [tool], () => t1);
  const leaving = new AbortController();
  const result = fetch(session.url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${session.token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify(calling(1, "wait", {})),
    signal: leaving.signal,
  }).then(async (answer) => answer.text());
  const signal = await begun.promise;
  const aborted = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => aborted.resolve());
  leaving.abort();
  await expect(result).rejects.toThrow(/abort/);
  await aborted.promise;
});

test("a request that a client sends again is the same call; the same words in another request are another", async () => {
  await using up = await serverUp();
  let turn = t1;
  const { tool, calls } = recording("act");
  using session = opened(up.server, [tool], () => turn);
  const ids = async (...requests: readonly unknown[]): Promise<readonly string[]> => {
    const before = calls.length;
    for (const one of requests) expect((await post(session, one)).status).toBe(200);
    return calls.slice(before).map(({ context }) => context.callId);
  };
  const [first, repeated, other, meant] = await ids(
    calling(1, "act", { text: "hi" }),
    calling(1, "act", { text: "hi" }),
    calling(1, "act", { text: "ho" }),
    calling(2, "act", { text: "hi" }),
  );
  expect(repeated).toBe(first);
  expect(new Set([first, other, meant]).size).toBe(3);
  turn = turnId("t2");
  const [next] = await ids(calling(1, "act", { text: "hi" }));
  expect(next).not.toBe(first);
  // Its turn runs again after a crash: the same calls, by a client that counts differently.
  turn = t1;
  expect(await ids(calling(8, "act", { text: "hi" }), calling(9, "act", { text: "hi" }))).toEqual([first, meant]);
});

test.each([
  ["not JSON", "{", 400],
  ["no JSON-RPC", { hello: 1 }, 400],
  ["too large", `{"padding":"${"x".repeat(1024 * 1024)}"}`, 413],
])("a body that is %s is refused, and the server goes on", async (_, body, status) => {
  await using up = await serverUp();
  const { tool, calls } = recording("act");
  using session = opened(up.server, [tool], () => t1);
  expect((await post(session, body)).status).toBe(status);
  expect((await post(session, calling(1, "act", {}))).status).toBe(200);
  expect(calls.length).toBe(1);
});

test("other addresses, and streams that nothing would ever come on, are refused", async () => {
  await using up = await serverUp();
  using session = opened(up.server, [], () => t1);
  const headers = { authorization: `Bearer ${session.token}`, accept: "text/event-stream" };
  expect((await fetch(new URL("/", session.url), { headers })).status).toBe(404);
  expect((await fetch(session.url, { headers })).status).toBe(405);
});

/** How much goes to the model for a one-line turn: the bytes of the real HTTP request, with the prompt and all tools of a role. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { agents } from "../../src/config/agents.ts";
import { loadRolePrompts, promptsFor } from "../../src/config/role-prompts.ts";
import { tasks } from "../../src/config/tasks.ts";
import { startRehearsal } from "../../src/models/rehearsal/server.ts";
import { opening, runtimeOn, say } from "../runtimes/support.ts";
import { repeat } from "../support/stage.ts";
import { sessionOf } from "../tools/support.ts";
import type { Measure } from "./row.ts";
import { grouped } from "./stats.ts";

/** Each alone, and an agent that has them all. */
export const measuredRoles = ["planner", "executor", "reviewer", "patrol", "planner, executor, reviewer, patrol"];
export const requestLimitBytes = 12 * 1_024;

export interface RequestSize {
  readonly role: string;
  readonly tools: number;
  /** Of the request's body, as it came over the wire. */
  readonly bytes: number;
}

export async function requestSizes(): Promise<readonly RequestSize[]> {
  await using opened = new AsyncDisposableStack();
  const rehearsal = opened.use(await startRehearsal({ scripts: [{ rules: [repeat] }] }));
  const scale = opened.use(await startScale(rehearsal.url));
  const runtime = opened.use(runtimeOn({ url: scale.url }));
  const sizes: RequestSize[] = [];
  for (const role of measuredRoles) {
    const roles = role.split(", ");
    const crew = { agents: agents.parse([{ id: "ada", name: "Ada", roles }]), tasks: tasks.parse({}) };
    const rolePrompts = promptsFor(roles, await loadRolePrompts(crew));
    const { tools } = sessionOf(roles);
    const session = await runtime.openSession(opening({ session: role, roles, rolePrompts, tools }));
    const { text } = await say(session, "t1", "@anna:example.org: How far are you?");
    if (text !== "ada heard: @anna:example.org: How far are you?")
      throw new Error(`an answer of another kind: ${text}`);
    sizes.push({ role, tools: tools.length, bytes: scale.weighed.at(-1) ?? Number.NaN });
  }
  return sizes;
}

export const requestSize: Measure = async () => {
  const sizes = await requestSizes();
  const largest = Math.max(...sizes.map(({ bytes }) => bytes));
  return [
    {
      what: "Request of a one-line turn, with all tools of the role",
      figure: sizes.map(({ role, tools, bytes }) => `${nameOf(role)} ${grouped(bytes)} B (${tools} tools)`).join(", "),
      limit: `≤ ${grouped(requestLimitBytes)} B`,
      comparedWith: "measured elsewhere: OpenClaw 61 KB (12 tools), QwenPaw 52 KB (27 tools)",
      ok: largest <= requestLimitBytes,
      runs: sizes.map(({ bytes }) => bytes),
    },
  ];
};

function nameOf(role: string): string {
  return role.includes(", ") ? "all four" : role;
}

interface Scale extends AsyncDisposable {
  readonly url: string;
  /** Bytes of the bodies that went through, oldest first. */
  readonly weighed: readonly number[];
}

/** Stands before an OpenAI API, hands on what comes, and notes how much that was. */
async function startScale(target: string): Promise<Scale> {
  const weighed: number[] = [];
  const handOn = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    weighed.push(body.length);
    const named = Object.entries(request.headers).filter(([name]) => name.startsWith("x-crewroom-"));
    const headers = Object.fromEntries(named.map(([name, value]) => [name, String(value)]));
    const answer = await fetch(`${target}${request.url ?? ""}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
    response.end(await answer.text());
  };
  const server = createServer((request, response) => {
    handOn(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    weighed,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

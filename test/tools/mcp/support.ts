/** A tool server on loopback, with the MCP library's own client. */
import { Client, StreamableHTTPClientTransport, type ClientOptions } from "@modelcontextprotocol/client";
import type { TurnId } from "../../../src/core/ids.ts";
import type { Tool, ToolCallContext } from "../../../src/runtimes/port.ts";
import { startToolServer, type ToolServer, type ToolSession } from "../../../src/tools/mcp/server.ts";
import { LinesLog } from "../../crew/support.ts";
import { sessionId } from "../../runtimes/support.ts";

export async function serverUp(): Promise<{ readonly server: ToolServer; readonly log: LinesLog } & AsyncDisposable> {
  const log = new LinesLog();
  const server = await startToolServer({ hostname: "127.0.0.1", port: 0, log });
  return { server, log, [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose]() };
}

/** A tool that writes down its calls and answers with `answer`. */
export function recording(name: string, answer: (context: ToolCallContext) => Promise<string> = async () => "Done.") {
  const calls: { readonly input: unknown; readonly context: ToolCallContext }[] = [];
  const tool: Tool = {
    name,
    description: `Does ${name}.`,
    inputSchema: { type: "object", properties: { text: { type: "string" } }, additionalProperties: false },
    call: async (input, context) => {
      calls.push({ input, context });
      return answer(context);
    },
  };
  return { tool, calls };
}

export function opened(server: ToolServer, tools: readonly Tool[], turn: () => TurnId | undefined): ToolSession {
  return server.open({ session: sessionId("s1"), tools, turn });
}

export async function clientOf(
  { url, token }: Pick<ToolSession, "url" | "token">,
  options: ClientOptions = {},
): Promise<Client & AsyncDisposable> {
  const client = new Client({ name: "test", version: "1" }, options);
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
  );
  return Object.assign(client, { [Symbol.asyncDispose]: async () => client.close() });
}

/** The text of a result, and whether it is marked as an error. */
export function textOf(result: Awaited<ReturnType<Client["callTool"]>>): readonly [string, boolean] {
  const [first] = result.content;
  return [first?.type === "text" ? first.text : "", result.isError === true];
}

/** One JSON-RPC request without a client, to say exactly what is sent. */
export async function post(
  { url, token }: Pick<ToolSession, "url" | "token">,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export function calling(id: number | string, name: string, input: unknown): unknown {
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: input } };
}

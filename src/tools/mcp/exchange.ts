/**
 * One session's tools as MCP: the list, and calls. Nothing is kept between requests but the ids of the turn's calls, so
 * a client may connect as often as it likes, and a bridge that starts anew asks nothing of it. The library speaks the
 * protocol of 2026-07-28 and those before it.
 */
import { type CallToolResult, createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { reasonOf } from "../../core/errors.ts";
import type { TurnId } from "../../core/ids.ts";
import type { Tool } from "../../runtimes/port.ts";
import { version } from "../../package.ts";
import { until } from "../../until.ts";
import { isRefusal, refusal } from "../refusal.ts";
import { CallIds } from "./call-ids.ts";

export interface ExchangeOptions {
  readonly tools: readonly Tool[];
  /** The turn that runs now. */
  readonly turn: () => TurnId | undefined;
  /** Aborts when the session ends. */
  readonly closed: AbortSignal;
  /** A tool threw, or a request is not what MCP allows. */
  readonly onError: (thrown: unknown, what: string) => void;
}

export type Exchange = (request: Request) => Promise<Response>;

export function createExchange({ tools, turn, closed, onError }: ExchangeOptions): Exchange {
  const ids = new CallIds();
  const listed = tools.map(({ name, description, inputSchema }) => ({
    name,
    description,
    inputSchema: { ...inputSchema, type: "object" as const },
  }));

  async function call(name: string, input: unknown, request: string | number, gone: AbortSignal): Promise<string> {
    const tool = tools.find((one) => one.name === name);
    if (tool === undefined) {
      return refusal(
        "done",
        `there is no tool ${name.slice(0, 100)}`,
        `Tools: ${listed.map((one) => one.name).join(", ")}.`,
      );
    }
    const running = turn();
    if (running === undefined) {
      return refusal("done", "no turn of this session is running", "Tools work while you answer a message.");
    }
    const signal = AbortSignal.any([closed, gone]);
    try {
      const callId = ids.idFor(running, request, name, input);
      // A tool that ignores the signal must not hold up the end.
      return await until(tool.call(input, { turn: running, callId, signal }), signal);
    } catch (thrown) {
      if (closed.aborted) return refusal("done", "this session has ended");
      if (!gone.aborted) onError(thrown, name);
      return refusal("done", reasonOf(thrown));
    }
  }

  const handler = createMcpHandler(
    () => {
      const mcp = new McpServer({ name: "crewroom", version }, { capabilities: { tools: {} } });
      mcp.server.setRequestHandler("tools/list", () => ({ tools: listed }));
      mcp.server.setRequestHandler("tools/call", async ({ params }, { mcpReq }) =>
        resultOf(await call(params.name, params.arguments, mcpReq.id, mcpReq.signal)),
      );
      return mcp;
    },
    // The list of a session never changes, so there is nothing to subscribe to.
    { maxSubscriptions: 0, onerror: (error) => onError(error, "a request") },
  );
  return async (request) => handler.fetch(request);
}

function resultOf(text: string): CallToolResult {
  return { content: [{ type: "text", text }], ...(isRefusal(text) && { isError: true }) };
}

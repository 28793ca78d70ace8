/**
 * The coordination tools over MCP (streamable HTTP), for runtimes in processes of their own. One server for all; each
 * session has a token, and with it the tools of its agent and no others.
 *
 *   open ──▶ calls act in the turn that runs, under ids made of it ──dispose──▶ the token is unknown, open calls end
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { CrewError, reasonOf } from "../../core/errors.ts";
import type { SessionId, TurnId } from "../../core/ids.ts";
import type { Tool } from "../../runtimes/port.ts";
import type { Exchange } from "./exchange.ts";
import { bodyOf, sendError, sendResponse, webRequest } from "./web.ts";

export interface ToolServerLog {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface ToolServerOptions {
  /** Loopback only: a token is all that stands between a caller and an agent's tools. */
  readonly hostname: "127.0.0.1";
  /** 0: a free one. */
  readonly port: number;
  readonly log: ToolServerLog;
}

export interface ToolSessionOpening {
  /** For the log. */
  readonly session: SessionId;
  readonly tools: readonly Tool[];
  /** The turn that the session runs now: calls act in it. Without one they are refused. */
  readonly turn: () => TurnId | undefined;
}

export interface ToolSession extends Disposable {
  /** Where an MCP client connects, with `Authorization: Bearer <token>`. */
  readonly url: string;
  /** A secret: whoever has it acts as the agent. */
  readonly token: string;
}

export interface ToolServer extends AsyncDisposable {
  readonly url: string;
  open(opening: ToolSessionOpening): ToolSession;
}

const path = "/mcp";
/** A plan of 200 subtasks has about 200 kB. */
const maxBodyBytes = 1024 * 1024;
const closeWithinMs = 1_000;

/** @throws CrewError `TOOLS_UNSERVED` */
export async function startToolServer({ hostname, port, log }: ToolServerOptions): Promise<ToolServer> {
  // Loaded here, because it takes 13 MB that a crew on `builtin` alone never needs.
  const { createExchange } = await import("./exchange.ts");
  /** By digest of the token: how long a look-up takes tells nothing about the token itself. */
  const sessions = new Map<string, Exchange>();
  const endings = new Set<AbortController>();
  let closing = false;

  const server = createServer((request, response) => {
    serve(request, response).catch((thrown: unknown) => {
      if (response.destroyed) return;
      log.warn({ reason: reasonOf(thrown) }, "a request for tools failed");
      sendError(response, 500, "The bridge could not answer this");
    });
  });
  try {
    const listening = once(server, "listening");
    server.listen(port, hostname);
    await listening;
  } catch (thrown) {
    throw new CrewError("TOOLS_UNSERVED", { hostname, port, reason: reasonOf(thrown) }, thrown);
  }
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  const base = `http://${hostname}:${bound}`;
  const names = [`${hostname}:${bound}`, `localhost:${bound}`];

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { host = "", origin, authorization = "" } = request.headers;
    // A web page whose name was made to point here would send its own name.
    if (!names.includes(host) || (origin !== undefined && !names.some((name) => origin === `http://${name}`))) {
      return sendError(response, 403, "This address is for programs on this machine only");
    }
    const exchange = sessions.get(digestOf(/^Bearer +(\S+)$/i.exec(authorization.trim())?.[1] ?? ""));
    if (exchange === undefined)
      return sendError(response, 401, "The token is missing, unknown, or of a session that has ended");
    if (new URL(request.url ?? "/", base).pathname !== path) return sendError(response, 404, `Tools are at ${path}`);
    const body = await bodyOf(request, maxBodyBytes);
    if (body === undefined) return sendError(response, 413, `The request has more than ${maxBodyBytes} bytes`);
    const gone = new AbortController();
    response.once("close", () => {
      if (!response.writableFinished) gone.abort();
      if (closing) server.closeIdleConnections();
    });
    await sendResponse(response, await exchange(webRequest(request, base, body, gone.signal)));
  }

  return {
    url: base + path,
    open({ session, tools, turn }) {
      const token = randomBytes(32).toString("base64url");
      const digest = digestOf(token);
      const ending = new AbortController();
      endings.add(ending);
      const onError = (thrown: unknown, what: string): void =>
        log.debug({ session, what, reason: reasonOf(thrown) }, "a call over MCP went wrong");
      sessions.set(digest, createExchange({ tools, turn, closed: ending.signal, onError }));
      return {
        url: base + path,
        token,
        [Symbol.dispose]() {
          sessions.delete(digest);
          endings.delete(ending);
          ending.abort();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      sessions.clear();
      for (const ending of endings) ending.abort();
      const closed = once(server, "close");
      server.close();
      const force = setTimeout(() => server.closeAllConnections(), closeWithinMs);
      await closed;
      clearTimeout(force);
    },
  };
}

function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}

/**
 * Where the homeserver calls us: the application service API, and the health routes beside it. Matrix spec, "Application
 * Service API". The 200 to a transaction means that it is kept: it is given only after `accept` has resolved.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { performance } from "node:perf_hooks";
import { CrewError, reasonOf } from "../core/errors.ts";
import { asRoomAlias, asUserId, type RoomAlias, type UserId } from "../core/ids.ts";
import type { HealthRoutes } from "../observe/health.ts";
import type { Logger } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { readBody } from "./http-body.ts";
import { routeOf } from "./ingress-route.ts";
import { asObject } from "./json.ts";
import { countKinds, parseTransaction, type Transaction } from "./transaction.ts";

/** One transaction as it came. */
export interface Arrival {
  /** Differs only while Synapse runs: after a restart on SQLite it counts from 1 again. For logs, never to tell doubles. */
  readonly txnId: string;
  /** The body as it came, for the inbox. */
  readonly raw: string;
  /** The same, parsed once. */
  readonly transaction: Transaction;
  /** `performance.now()` at the beginning of the request. */
  readonly arrivedAt: number;
}

export interface IngressOptions {
  readonly hsToken: string;
  /** Largest body in bytes. */
  readonly maxBodyBytes: number;
  /** Keeps a transaction. When it rejects, the homeserver is told to bring it again. */
  readonly accept: (arrival: Arrival) => Promise<void>;
  /** Asked before the homeserver invites an unknown user of our namespace. It waits for the answer and pushes nothing. */
  readonly userExists: (user: UserId) => Promise<boolean>;
  readonly roomAliasExists: (alias: RoomAlias) => Promise<boolean>;
  /** The homeserver reached us, on our own request. */
  readonly onPing?: (txnId: string | undefined) => void;
  readonly health: HealthRoutes;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "transactions" | "events" | "eventsMalformed">;
}

export interface Ingress extends AsyncDisposable {
  /**
   * Resolves to the port, which is a free one for port 0.
   * @throws CrewError `PORT_TAKEN`
   */
  listen(hostname: string, port: number): Promise<number>;
  /** Takes no more requests, and resolves when those under way are answered, at the latest after 2 s. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

/** The homeserver keeps its connection between transactions; it must not find it closed when it comes back. */
const keepAliveMs = 75_000;
const headersTimeoutMs = 20_000;
/** The longest that a whole request may take to arrive. */
const requestTimeoutMs = 120_000;
const closeWithinMs = 2_000;

export function createIngress(options: IngressOptions): Ingress {
  const isHomeserver = tokenCheck(options.hsToken);
  let closing = false;

  const server = createServer(
    { keepAliveTimeout: keepAliveMs, headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs },
    (request, response) => {
      const arrivedAt = performance.now();
      answerTo(request, arrivedAt, isHomeserver, options).then(
        (answer) => write(response, answer, closing),
        (thrown: unknown) => write(response, failed(thrown, request, options), closing),
      );
    },
  );
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });

  const close = async (): Promise<void> => {
    closing = true;
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    const force = setTimeout(() => server.closeAllConnections(), closeWithinMs);
    await closed;
    clearTimeout(force);
  };

  return {
    listen: (hostname, port) => listen(server, hostname, port),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function listen(server: Server, hostname: string, port: number): Promise<number> {
  try {
    const listening = once(server, "listening");
    server.listen(port, hostname);
    await listening;
  } catch (thrown) {
    throw new CrewError("PORT_TAKEN", { hostname, port, reason: reasonOf(thrown) }, thrown);
  }
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

async function answerTo(
  request: IncomingMessage,
  arrivedAt: number,
  isHomeserver: (request: IncomingMessage) => "yes" | "no token" | "wrong token",
  options: IngressOptions,
): Promise<Answer> {
  const { method = "", url = "/" } = request;
  const route = routeOf(url);
  if (route === undefined) {
    const health = method === "GET" ? await options.health(url) : undefined;
    return health ?? refusal(404, "M_UNRECOGNIZED", "There is no such address here");
  }
  if (method !== route.method) return refusal(405, "M_UNRECOGNIZED", `This address takes ${route.method} only`);
  const caller = isHomeserver(request);
  if (caller === "no token") return refusal(401, "M_MISSING_TOKEN", "The homeserver's token is missing");
  if (caller === "wrong token") return refusal(403, "M_FORBIDDEN", "This is not the homeserver's token");
  switch (route.kind) {
    case "transaction":
      return takeTransaction(route.id, await readBody(request, options.maxBodyBytes), arrivedAt, options);
    case "ping":
      return takePing(await readBody(request, options.maxBodyBytes), options);
    case "user": {
      const user = asUserId(route.id);
      return user !== undefined && (await options.userExists(user)) ? done : notFound;
    }
    case "room": {
      const alias = asRoomAlias(route.id);
      return alias !== undefined && (await options.roomAliasExists(alias)) ? done : notFound;
    }
    default:
      // Third-party look-ups: the registration names no protocols.
      return notFound;
  }
}

async function takeTransaction(
  txnId: string,
  raw: string,
  arrivedAt: number,
  options: IngressOptions,
): Promise<Answer> {
  const { metrics, log } = options;
  let transaction: Transaction;
  try {
    transaction = parseTransaction(raw);
  } catch (thrown) {
    metrics.eventsMalformed.inc();
    log.error({ txnId, bytes: raw.length, err: thrown }, "the homeserver's transaction cannot be read");
    return refusal(400, isJson(raw) ? "M_BAD_JSON" : "M_NOT_JSON", reasonOf(thrown));
  }
  await options.accept({ txnId, raw, transaction, arrivedAt });
  metrics.transactions.inc();
  for (const [kind, count] of countKinds(transaction)) metrics.events.inc({ kind }, count);
  return done;
}

/** Only asked after a failure, so that no good transaction is parsed twice. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function takePing(raw: string, { onPing }: IngressOptions): Answer {
  let txnId: unknown;
  try {
    txnId = raw === "" ? undefined : asObject(JSON.parse(raw))?.["transaction_id"];
  } catch (thrown) {
    return refusal(400, "M_NOT_JSON", reasonOf(thrown));
  }
  onPing?.(typeof txnId === "string" ? txnId : undefined);
  return done;
}

const done: Answer = { status: 200, body: "{}" };
const notFound = refusal(404, "M_NOT_FOUND", "There is none here");

function refusal(status: number, errcode: string, error: string): Answer {
  return { status, body: JSON.stringify({ errcode, error }) };
}

function failed(thrown: unknown, request: IncomingMessage, { log }: IngressOptions): Answer {
  const code = thrown instanceof CrewError ? thrown.code : undefined;
  if (code === "BODY_TOO_LARGE") {
    log.error({ err: thrown }, "a request was too large");
    return refusal(413, "M_TOO_LARGE", reasonOf(thrown));
  }
  if (code === "BODY_INVALID") return refusal(400, "M_BAD_JSON", reasonOf(thrown));
  log.error({ err: thrown, path: request.url }, "a request of the homeserver failed, and it will repeat it");
  return refusal(500, "M_UNKNOWN", "The bridge could not keep this; please repeat it");
}

function write(
  response: ServerResponse,
  { status, body, contentType = "application/json" }: Answer,
  last: boolean,
): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    ...(last && { connection: "close" }),
  });
  response.end(body);
}

/** Compares digests: their length is always the same, and the time taken tells nothing. */
function tokenCheck(hsToken: string): (request: IncomingMessage) => "yes" | "no token" | "wrong token" {
  const digest = (token: string): Buffer => createHash("sha256").update(token).digest();
  const expected = digest(hsToken);
  return (request) => {
    const token = tokenOf(request);
    if (token === undefined) return "no token";
    return timingSafeEqual(digest(token), expected) ? "yes" : "wrong token";
  };
}

/** The header decides; older homeservers put the token into the query. */
function tokenOf({ headers, url = "" }: IncomingMessage): string | undefined {
  const header = headers.authorization;
  if (header !== undefined) return /^Bearer +(\S+)$/i.exec(header.trim())?.[1] ?? "";
  const query = url.indexOf("?");
  return query < 0 ? undefined : (new URLSearchParams(url.slice(query + 1)).get("access_token") ?? undefined);
}

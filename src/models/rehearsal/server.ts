/**
 * The rehearsal server: it speaks the OpenAI chat completions API over HTTP and plays agents from a script, without a
 * model, for the demo and the tests. It says so everywhere: model name, fingerprint, owner, a header on every response.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { CrewError, reasonOf } from "../../core/errors.ts";
import { lineOf, scriptMark } from "./completion.ts";
import { errorBody, json, play } from "./play.ts";
import { chatRequest, match, noGroups, sceneOf, type ChatRequest, type Groups, type Scene } from "./scene.ts";
import { checkRehearsal, loadRehearsal, type Answer, type RehearsalInput, type Rule } from "./script.ts";

export interface RehearsalOptions {
  /** Scripts written in code; their rules come before those of `files`. */
  readonly scripts?: readonly RehearsalInput[];
  /** YAML scripts. The rules of all form one list, in order; the first that matches is played. */
  readonly files?: readonly string[];
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly hostname?: string;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly clock?: () => number;
  /** Waits for a script's delays, in milliseconds; rejects when the signal aborts. Default: a timer. */
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Called with each request before it is answered. */
  readonly onRequest?: (request: RecordedRequest) => void;
  /** Gets the one line that says, at the start, that this is a script. */
  readonly log?: (line: string) => void;
}

/** A chat completions request as it came, and what the script made of it. */
export interface RecordedRequest {
  readonly scene: Scene;
  readonly body: ChatRequest;
  /** Index of the rule played, in the joined list; `undefined` when none matched. */
  readonly rule: number | undefined;
}

export interface RehearsalServer extends AsyncDisposable {
  /** Base URL for OpenAI clients; ends in `/v1`. */
  readonly url: string;
  /** The newest 200 requests, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /** Ends all connections, also those that hang on purpose. */
  close(): Promise<void>;
}

const requestsKept = 200;
const bodyLimitBytes = 64 * 1024 * 1024;
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimitBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseRequest(body: string): ChatRequest | string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return "The body is not JSON.";
  }
  const parsed = chatRequest.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return `${issue?.path.join(".") ?? "body"}: ${issue?.message ?? "invalid"}`;
}

function unscripted(scene: Scene): Answer {
  const who = scene.agent === "" ? "an agent that does not give its id" : `the agent "${scene.agent}"`;
  return {
    text: `I am a rehearsal script, not a model, and I have no line for ${who} here (message ${scene.turn}, step ${scene.step}).`,
    delay_ms: 0,
    chunk_delay_ms: 0,
    hang: false,
    disconnect: false,
    garbage: false,
  };
}

/**
 * Starts a rehearsal server.
 * Throws `REHEARSAL_INVALID` for a script that cannot be played and `PORT_TAKEN` when it cannot listen.
 */
export async function startRehearsal(options: RehearsalOptions = {}): Promise<RehearsalServer> {
  const { hostname = "127.0.0.1", port = 0, clock = Date.now } = options;
  const delay = options.delay ?? (async (ms, signal) => sleep(ms, undefined, { signal }));
  const scripts = [
    ...(options.scripts ?? []).map((script) => checkRehearsal(script)),
    ...(await Promise.all((options.files ?? []).map(loadRehearsal))),
  ];
  const rules: readonly Rule[] = scripts.flatMap((script) => script.rules);
  const played = rules.map(() => 0);
  const requests: RecordedRequest[] = [];
  let number = 0;

  function choose(scene: Scene): {
    readonly rule: number | undefined;
    readonly answer: Answer;
    readonly groups: Groups;
  } {
    for (const [index, { when, times, answer }] of rules.entries()) {
      const groups = (played[index] ?? 0) < (times ?? Infinity) ? match(when, scene, answer) : undefined;
      if (groups === undefined) continue;
      played[index] = (played[index] ?? 0) + 1;
      return { rule: index, answer, groups };
    }
    return { rule: undefined, answer: unscripted(scene), groups: noGroups };
  }

  async function complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const source = await readBody(request);
    if (source === undefined)
      return json(response, 413, errorBody(413, `The body has more than ${bodyLimitBytes} bytes.`));
    const body = parseRequest(source);
    if (typeof body === "string") return json(response, 400, errorBody(400, body));

    const scene = sceneOf(body, request.headers);
    const { rule, answer, groups } = choose(scene);
    const recorded: RecordedRequest = { scene, body, rule };
    requests.push(recorded);
    if (requests.length > requestsKept) requests.shift();
    options.onRequest?.(recorded);

    const gone = new AbortController();
    response.once("close", () => gone.abort());
    number += 1;
    const requestChars = JSON.stringify([body.messages, body.tools ?? []]).length;
    const line = lineOf(answer, { scene, groups, requestChars, number, created: Math.floor(clock() / 1000) });
    try {
      await play({ answer, line, request: body, response, delay, signal: gone.signal });
    } catch (thrown) {
      if (!gone.signal.aborted) throw thrown;
    }
    return undefined;
  }

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    if (path === "/v1/models") {
      const model = { id: scriptMark.model, object: "model", created: 0, owned_by: "crewroom-rehearsal" };
      return json(response, 200, { object: "list", data: [model] });
    }
    if (path !== "/v1/chat/completions")
      return json(response, 404, errorBody(404, `Unknown address ${path}: this is Crewroom's rehearsal script.`));
    if (request.method !== "POST") return json(response, 405, errorBody(405, "Only POST."), { allow: "POST" });
    return complete(request, response);
  }

  const server = createServer((request, response) => {
    route(request, response).catch((thrown: unknown) => {
      if (response.headersSent) response.destroy();
      else json(response, 500, errorBody(500, reasonOf(thrown)));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(new CrewError("PORT_TAKEN", { hostname, port, reason: reasonOf(error) }, error)),
    );
    server.listen(port, hostname, resolve);
  });
  const address = server.address() as AddressInfo;
  const url = `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${address.port}/v1`;
  options.log?.(`rehearsal: a script with ${rules.length} rules plays the agents at ${url}; no model is asked`);

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    closed ??= new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    return closed;
  };
  return { url, requests, close, [Symbol.asyncDispose]: close };
}

/**
 * Plays one answer on one response: delay → reasoning, text and tool calls in chunks → then the way it ends (normally, or
 * with an error, garbage, a cut connection, or silence until the caller goes away).
 */
import type { ServerResponse } from "node:http";
import { chunksOf, endOf, wholeOf, type Line } from "./completion.ts";
import type { ChatRequest } from "./scene.ts";
import type { Answer } from "./script.ts";

/** On every response. */
const mark = { "x-crewroom-rehearsal": "script" } as const;

/** Sends a JSON answer. */
export function json(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...mark, ...headers }).end(JSON.stringify(body));
}

const errorTypes: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  404: "invalid_request_error",
  429: "rate_limit_error",
};

/** An error as OpenAI's API shapes it. */
export function errorBody(status: number, message: string, code: string | null = null): object {
  return {
    error: {
      message,
      type: errorTypes[status] ?? (status < 500 ? "invalid_request_error" : "server_error"),
      param: null,
      code,
    },
  };
}

export interface Performance {
  readonly answer: Answer;
  readonly line: Line;
  readonly request: ChatRequest;
  readonly response: ServerResponse;
  /** Milliseconds; rejects when the signal aborts. */
  readonly delay: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Aborts when the caller has gone away. */
  readonly signal: AbortSignal;
}

/** Rejects with the signal's reason when the caller goes away during a delay. */
export async function play(performance: Performance): Promise<void> {
  const { answer, line, request, response, delay, signal } = performance;
  if (answer.delay_ms > 0) await delay(answer.delay_ms, signal);
  const spoken = line.text !== "" || line.reasoning !== "" || line.calls.length > 0;
  const { error } = answer;
  const stream = request.stream === true;
  if (error !== undefined && !(stream && spoken)) {
    const retry = error.retry_after === undefined ? undefined : { "retry-after": String(error.retry_after) };
    json(response, error.status, errorBody(error.status, error.message, error.code), retry);
    return;
  }
  const fails = answer.hang || answer.disconnect;
  if (!stream && !fails) {
    if (answer.garbage)
      response.writeHead(200, { "content-type": "application/json", ...mark }).end('{"choices": [{"mess');
    else json(response, 200, wholeOf(line));
    return;
  }
  if (stream && (spoken || !fails)) {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", ...mark });
    const send = (event: object): boolean => response.write(`data: ${JSON.stringify(event)}\n\n`);
    for (const event of chunksOf(line, answer.chunks)) {
      send(event);
      if (answer.chunk_delay_ms > 0) await delay(answer.chunk_delay_ms, signal);
    }
    if (error !== undefined) send(errorBody(error.status, error.message, error.code ?? null));
    else if (answer.garbage) response.write('data: {"choices": [{"delta": {"cont\n\n');
    else if (!fails) for (const event of endOf(line, request.stream_options?.include_usage === true)) send(event);
  }
  if (answer.hang) return; // the caller's going away, or close(), ends it
  // What was said still arrives; the end that HTTP asks for does not.
  if (answer.disconnect) response.socket?.destroySoon();
  else response.end("data: [DONE]\n\n");
}

/** Between Node's HTTP server and the web's `Request` and `Response`, in which the MCP library speaks. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** The body as text, or `undefined` when it is above the limit: it is then read and thrown away, so that the client gets to see the answer. */
export async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  return size > maxBytes ? undefined : Buffer.concat(chunks).toString("utf8");
}

export function webRequest(request: IncomingMessage, base: string, body: string, signal: AbortSignal): Request {
  const { method = "GET", url = "/" } = request;
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    for (const one of typeof value === "string" ? [value] : (value ?? [])) headers.append(name, one);
  }
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(new URL(url, base), { method, headers, signal, ...(hasBody && { body }) });
}

/** Sends the answer, piece by piece when it is a stream. A client that went away ends it. */
export async function sendResponse(response: ServerResponse, answer: Response): Promise<void> {
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body === null) {
    response.end();
    return;
  }
  response.flushHeaders();
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    if (response.destroyed) return;
    response.write(chunk);
  }
  response.end();
}

export function sendError(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  // The form in which MCP clients look for a reason.
  const body = JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32_000, message } });
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(status === 401 && { "www-authenticate": "Bearer" }),
  });
  response.end(body);
}

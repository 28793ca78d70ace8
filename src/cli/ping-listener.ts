/** Stands in for the bridge while `check` asks the homeserver for a ping. */
import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { CrewError, reasonOf } from "../core/errors.ts";

export class PingListener implements AsyncDisposable {
  readonly #server: Server;
  readonly #token: string;
  #wrongToken = false;

  private constructor(server: Server, token: string) {
    this.#server = server;
    this.#token = token;
    server.on("request", (request, response) => this.#answer(request, response));
  }

  /** Whether somebody pinged with another token than the registration's. */
  get wrongToken(): boolean {
    return this.#wrongToken;
  }

  /** `undefined` when the port is taken, as it is by a bridge that runs. Throws `PORT_TAKEN` for any other failure. */
  static async open(
    { hostname, port }: { readonly hostname: string; readonly port: number },
    token: string,
  ): Promise<PingListener | undefined> {
    const server = createServer();
    try {
      server.listen(port, hostname);
      await once(server, "listening");
    } catch (thrown) {
      if (thrown instanceof Error && "code" in thrown && thrown.code === "EADDRINUSE") return undefined;
      throw new CrewError("PORT_TAKEN", { hostname, port, reason: reasonOf(thrown) }, thrown);
    }
    return new PingListener(server, token);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    response.setHeader("content-type", "application/json");
    if (request.method !== "POST" || request.url?.split("?", 1)[0] !== "/_matrix/app/v1/ping") {
      // Never 200: the homeserver would take a transaction for delivered. It comes again when the bridge runs.
      response.writeHead(503).end('{"errcode":"M_UNKNOWN","error":"crewroom check is running, not the bridge"}');
    } else if (same(request.headers.authorization, `Bearer ${this.#token}`)) {
      response.writeHead(200).end("{}");
    } else {
      this.#wrongToken = true;
      response.writeHead(403).end('{"errcode":"M_FORBIDDEN","error":"Bad token"}');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** In constant time: hashes first, so that the lengths are the same too. */
function same(given: string | undefined, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given ?? ""), digest(expected));
}

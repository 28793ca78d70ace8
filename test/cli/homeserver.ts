/** A tiny homeserver that plays the endpoints that `crewroom check` asks, and pings as a real one does. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Play {
  versions?: readonly string[];
  /** What it knows of us. */
  as_token: string;
  hs_token: string;
  user: string;
  /** Where it pings to; none: M_URL_NOT_SET. */
  url?: string;
}

export class PlayedHomeserver implements AsyncDisposable {
  readonly #server: Server;
  readonly #play: Play;

  private constructor(server: Server, play: Play) {
    this.#server = server;
    this.#play = play;
    server.on("request", (request, response) => void this.#serve(request, response));
  }

  static async open(play: Play): Promise<PlayedHomeserver> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new PlayedHomeserver(server, play);
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [status, body] = await this.#answer(request);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  async #answer(request: IncomingMessage): Promise<[number, unknown]> {
    const play = this.#play;
    const known = request.headers.authorization === `Bearer ${play.as_token}`;
    // As Synapse does, on every path.
    if (request.headers.authorization !== undefined && !known) return [401, { errcode: "M_UNKNOWN_TOKEN" }];
    switch (request.url) {
      case "/_matrix/client/versions":
        return [200, { versions: play.versions ?? ["r0.6.1", "v1.2", "v1.12", "v1.9"] }];
      case "/_matrix/federation/v1/version":
        return [200, { server: { name: "Played", version: "1.0" } }];
      case "/_matrix/client/v3/account/whoami":
        return known ? [200, { user_id: play.user }] : [401, { errcode: "M_MISSING_TOKEN" }];
      case "/_matrix/client/v1/appservice/crewroom/ping":
        return known ? this.#ping() : [401, { errcode: "M_MISSING_TOKEN" }];
      default:
        return [404, { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" }];
    }
  }

  async #ping(): Promise<[number, unknown]> {
    if (this.#play.url === undefined) return [400, { errcode: "M_URL_NOT_SET", error: "No url" }];
    try {
      const answer = await fetch(`${this.#play.url}/_matrix/app/v1/ping`, {
        method: "POST",
        headers: { authorization: `Bearer ${this.#play.hs_token}` },
        body: "{}",
      });
      if (answer.status === 200) return [200, { duration_ms: 7 }];
      return [502, { errcode: "M_BAD_STATUS", error: "Bad status", status: answer.status }];
    } catch {
      return [502, { errcode: "M_CONNECTION_FAILED", error: "Connection refused" }];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

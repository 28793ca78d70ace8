/**
 * A reverse proxy, as operators put one before their homeserver: it passes everything on, byte for byte, until a test
 * tells it how to fail. It also sees what became of each request, which its two ends do not tell.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, request as ask, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { Changes, type WaitOptions } from "./changes.ts";

export interface Asked {
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  /** `user_id` of the query: the user that an application service acts as. */
  readonly user: string | undefined;
}

/** What became of a request. `abandoned`: who asked went away before the answer was complete. */
export type Fate = "open" | "answered" | "failed" | "abandoned";

export interface Exchange {
  readonly asked: Asked;
  readonly fate: Fate;
}

/** As the proxy keeps it. */
type Kept = { -readonly [Key in keyof Exchange]: Exchange[Key] };

export interface Fault {
  readonly fits: (asked: Asked) => boolean;
  /** How many requests meet it. Default: all, for as long as the proxy runs. */
  readonly times?: number;
  /**
   * `refuse`: the answer comes from the proxy, and nobody behind it hears of the request. `lose`: the request is done,
   * and then its answer is thrown away: the caller cannot know whether it was.
   */
  readonly how: "refuse" | "lose";
  /** `cut`: the connection is closed without an answer. */
  readonly answer: "cut" | Answer;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** As a homeserver would answer. Default: a page of HTML, as a proxy does. */
  readonly json?: object;
}

/** Of how many requests a failed wait tells. */
const toldOf = 50;
/** A proxy's own page, which no homeserver would send. */
const page = "<html><body>The server behind this proxy is not available.</body></html>";

export class Proxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #exchanges: Kept[] = [];
  readonly #faults: { readonly fault: Fault; met: number }[] = [];
  readonly #changes = new Changes();
  #target: string | undefined;

  private constructor() {
    this.#server = createServer((incoming, response) => {
      const exchange: Kept = { asked: askedOf(incoming), fate: "open" };
      this.#exchanges.push(exchange);
      this.#changes.changed();
      response.once("close", () => {
        if (exchange.fate === "open") exchange.fate = response.writableFinished ? "answered" : "abandoned";
        this.#changes.changed();
      });
      this.#handle(incoming, response, exchange).catch(() => response.destroy());
    });
  }

  /** Listens on a free port of loopback. */
  static async start(target?: string): Promise<Proxy> {
    const proxy = new Proxy();
    proxy.#target = target;
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Where requests go. Until it is told, they are answered with 502. */
  passTo(url: string): void {
    this.#target = url;
  }

  /** Lets requests fail. Gives how many have met it until now. */
  fail(fault: Fault): () => number {
    const entry = { fault, met: 0 };
    this.#faults.push(entry);
    return () => entry.met;
  }

  /** All requests until now, in the order in which they came. */
  get exchanges(): readonly Exchange[] {
    return this.#exchanges;
  }

  /** Resolves when `probe` gives something; it is asked after every request and every end of one. */
  until<T>(
    what: string,
    probe: (exchanges: readonly Exchange[]) => T | undefined,
    options: Pick<WaitOptions, "timeoutMs"> = {},
  ): Promise<T> {
    const describe = (): string =>
      `${what}; of these requests: ${this.#exchanges
        .slice(-toldOf)
        .map(({ asked, fate }) => `\n  ${asked.method} ${asked.path}: ${fate}`)
        .join("")}`;
    return this.#changes.until(() => probe(this.#exchanges), { ...options, describe });
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse, exchange: Kept) {
    const entry = this.#faults.find(({ fault, met }) => met < (fault.times ?? Infinity) && fault.fits(exchange.asked));
    if (entry !== undefined) entry.met += 1;
    const { fault } = entry ?? {};
    if (this.#target === undefined || fault?.how === "refuse") {
      incoming.resume();
      await once(incoming, "end");
      failWith(fault?.answer ?? { status: 502 }, response, exchange);
      return;
    }
    const { asked, answered } = passOn(this.#target, incoming);
    response.once("close", () => asked.destroy());
    await pipeline(incoming, asked);
    const answer = await answered.catch(() => undefined);
    if (answer === undefined) {
      failWith({ status: 502 }, response, exchange);
      return;
    }
    if (fault?.how === "lose") {
      answer.resume();
      await once(answer, "end");
      failWith(fault.answer, response, exchange);
      return;
    }
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    await pipeline(answer, response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function passOn(target: string, incoming: IncomingMessage) {
  const { hostname, port } = new URL(target);
  const { method, url: path, headers } = incoming;
  const asked = ask({ hostname, port, method, path, headers, agent: false });
  const answered = once(asked, "response").then(([answer]: unknown[]) => answer as IncomingMessage);
  return { asked, answered };
}

function failWith(answer: Fault["answer"], response: ServerResponse, exchange: Kept): void {
  exchange.fate = "failed";
  if (answer === "cut") {
    response.destroy();
    return;
  }
  const { status, headers, json } = answer;
  const type = json === undefined ? "text/html" : "application/json";
  response
    .writeHead(status, { "content-type": type, ...headers })
    .end(json === undefined ? page : JSON.stringify(json));
}

function askedOf({ method = "", url = "/" }: IncomingMessage): Asked {
  const { pathname, searchParams } = new URL(url, "http://proxy");
  return { method, path: decodeURIComponent(pathname), user: searchParams.get("user_id") ?? undefined };
}

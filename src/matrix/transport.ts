/** One request to the homeserver over Node's `fetch`: the token, the user it is for, the time-out, typed failures. */
import { CrewError } from "../core/errors.ts";
import type { UserId } from "../core/ids.ts";
import { failureOf, HomeserverError, unreachable } from "./homeserver-error.ts";
import type { Outage } from "./outage.ts";

/** The device of all our users. Only with one does Synapse know a repeated send across its own restart. */
export const deviceId = "CREWROOM";

export interface TransportOptions {
  /** `homeserver.address`, e.g. `http://127.0.0.1:8008`. */
  readonly address: string;
  readonly asToken: string;
  /** Longest time for one request, its answer's body included. */
  readonly timeoutMs: number;
  /** Told the outcome of every request. Default: nobody. */
  readonly outage?: Pick<Outage, "report"> | undefined;
  /** Default: Node's. */
  readonly fetch?: typeof fetch | undefined;
}

/** What every call may carry. */
export interface Call {
  /** The call then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Instead of the transport's. */
  readonly timeoutMs?: number | undefined;
}

export interface Asked extends Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path from `/_matrix` on, its parts already encoded: see {@link pathOf}. */
  readonly path: string;
  /** Acts as this user of ours. Default: the bot. */
  readonly as?: UserId | undefined;
  /** Acts on that user's device {@link deviceId}, which must exist. */
  readonly deviceId?: boolean | undefined;
  readonly query?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** JSON. */
  readonly body?: unknown;
  /** Bytes instead of JSON. Of a blob over a file (`openAsBlob`) only a little at a time is in memory. */
  readonly bytes?: { readonly data: Uint8Array | Blob; readonly mimeType: string } | undefined;
  /** Ends the sentence "The homeserver refused …". Default: the method and path. */
  readonly what?: string | undefined;
  /** The homeserver may itself wait for another one: its silence is then no outage. */
  readonly remote?: boolean | undefined;
  /** Asks as nobody. Synapse refuses even public requests that carry a token which it does not know. */
  readonly withoutToken?: boolean | undefined;
}

export interface Transport {
  readonly address: string;
  /**
   * Sends it once and reads the answer with `read`, within the time-out.
   * @throws HomeserverError when there is no answer or it is no success.
   */
  exchange<T>(asked: Asked, read: (answer: Response) => Promise<T>): Promise<T>;
  /** {@link exchange} of JSON. A success that is no JSON comes from a proxy, and is a failure that may be repeated. */
  request(asked: Asked): Promise<unknown>;
}

/** Puts encoded parts into a path: ``pathOf`/_matrix/client/v3/join/${room}` ``. */
export function pathOf(texts: TemplateStringsArray, ...parts: readonly string[]): string {
  return texts.map((text, index) => text + encodeURIComponent(parts[index]?.toWellFormed() ?? "")).join("");
}

export function createTransport(options: TransportOptions): Transport {
  const address = options.address.replace(/\/+$/, "");
  const { outage, fetch: send = fetch } = options;

  const attempt = async <T>(asked: Asked, read: (answer: Response) => Promise<T>): Promise<T> => {
    using limit = deadline(asked.timeoutMs ?? options.timeoutMs, asked.signal);
    try {
      const answer = await send(urlOf(address, asked), initOf(asked, options.asToken, limit.signal));
      if (answer.ok) return await read(answer);
      const retryAfter = answer.headers.get("retry-after") ?? undefined;
      throw failureOf(address, nameOf(asked), { status: answer.status, text: await answer.text(), retryAfter });
    } catch (thrown) {
      asked.signal?.throwIfAborted();
      if (thrown instanceof CrewError) throw thrown;
      throw unreachable(address, thrown, !(asked.remote === true && limit.signal.aborted));
    }
  };

  const exchange = async <T>(asked: Asked, read: (answer: Response) => Promise<T>): Promise<T> => {
    try {
      const result = await attempt(asked, read);
      outage?.report(true);
      return result;
    } catch (thrown) {
      if (thrown instanceof HomeserverError && thrown.outage) outage?.report(false);
      else if (thrown instanceof HomeserverError && thrown.status !== undefined) outage?.report(true);
      throw thrown;
    }
  };

  const readJson = async (asked: Asked, answer: Response): Promise<unknown> => {
    const text = await answer.text();
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw failureOf(address, nameOf(asked), { status: answer.status, text });
    }
  };

  return { address, exchange, request: (asked) => exchange(asked, (answer) => readJson(asked, answer)) };
}

function nameOf({ what, method, path }: Asked): string {
  return what ?? `${method} ${path}`;
}

function urlOf(address: string, { path, as, deviceId: onDevice, query = {} }: Asked): string {
  const search = new URLSearchParams();
  if (as !== undefined) search.set("user_id", as.toWellFormed());
  if (onDevice === true) search.set("device_id", deviceId);
  for (const [name, values] of Object.entries(query)) {
    for (const value of typeof values === "string" ? [values] : values) search.append(name, value);
  }
  return search.size === 0 ? `${address}${path}` : `${address}${path}?${search.toString()}`;
}

function initOf(asked: Asked, asToken: string, signal: AbortSignal): RequestInit {
  const headers: Record<string, string> = { accept: "application/json" };
  if (asked.withoutToken !== true) headers["authorization"] = `Bearer ${asToken}`;
  const init: RequestInit = { method: asked.method, headers, signal };
  if (asked.bytes !== undefined) {
    headers["content-type"] = asked.bytes.mimeType;
    init.body = asked.bytes.data instanceof Blob ? asked.bytes.data : new Uint8Array(asked.bytes.data);
  } else if (asked.body !== undefined) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(asked.body);
  }
  return init;
}

/** Aborts after that time or with `signal`, and leaves nothing behind on a signal that lives as long as the bridge. */
function deadline(ms: number, signal: AbortSignal | undefined): Disposable & { readonly signal: AbortSignal } {
  signal?.throwIfAborted();
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => stop.abort(new DOMException(`no answer within ${ms} ms`, "TimeoutError")), ms);
  return {
    signal: stop.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    },
  };
}

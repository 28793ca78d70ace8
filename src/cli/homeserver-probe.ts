/** Single requests to the homeserver, without retries: `check` wants to see each failure. */
import { CrewError, reasonOf } from "../core/errors.ts";

const timeoutMs = 15_000;

export interface Answer {
  readonly status: number;
  /** The JSON object of the body, or an empty one. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The `Server` header: `Synapse/1.163.2`, or the proxy before it. */
  readonly server: string;
}

export class HomeserverProbe {
  readonly address: string;
  readonly #token: string | undefined;

  constructor(address: string, token: string | undefined) {
    this.address = address;
    this.#token = token;
  }

  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  /** As nobody: Synapse refuses even public requests that carry a token it does not know. */
  async ask(path: string): Promise<Answer> {
    return this.#request("GET", path, {});
  }

  /** As the bridge. */
  async askAsBridge(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer> {
    return this.#request(method, path, { authorization: `Bearer ${this.#token ?? ""}` }, body);
  }

  /** Throws `HOMESERVER_UNREACHABLE` when there is no answer at all; any status is an answer. */
  async #request(method: string, path: string, more: Record<string, string>, body?: unknown): Promise<Answer> {
    const headers: Record<string, string> = { accept: "application/json", ...more };
    if (body !== undefined) headers["content-type"] = "application/json";
    const init: RequestInit = { method, headers, redirect: "manual", signal: AbortSignal.timeout(timeoutMs) };
    if (body !== undefined) init.body = JSON.stringify(body);
    try {
      const response = await fetch(`${this.address}${path}`, init);
      const server = response.headers.get("server") ?? "";
      return { status: response.status, body: objectOf(await response.text()), server };
    } catch (thrown) {
      throw new CrewError("HOMESERVER_UNREACHABLE", { address: this.address, reason: reasonOf(thrown) }, thrown);
    }
  }
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

/** `403 M_FORBIDDEN: You are not…` */
export function statusText({ status, body }: Answer): string {
  const code = typeof body["errcode"] === "string" ? ` ${body["errcode"]}` : "";
  const reason = typeof body["error"] === "string" ? `: ${body["error"]}` : "";
  return `${status}${code}${reason}`;
}

/** One request to the client-server API, for the few calls that the demo makes as a person. */
import { CrewError, reasonOf } from "../core/errors.ts";
import { z } from "zod";

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** With its leading slash and its query. */
  readonly path: string;
  readonly token?: string;
  /** Sent as JSON; a Buffer is sent as it is. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

const errorSchema = z.object({ errcode: z.string().catch(""), error: z.string().catch("") });

/**
 * Resolves to the answer's JSON. Rejects with `HOMESERVER_UNREACHABLE`, or with `HOMESERVER_REFUSED` whose details hold
 * `status`, `errcode` and `reason`; with the signal's reason when it aborts.
 */
export async function callApi(homeserver: string, request: ApiRequest): Promise<unknown> {
  const answer = await exchange(homeserver, request);
  const json: unknown = await answer.json().catch(() => ({}));
  request.signal?.throwIfAborted();
  if (answer.ok) return json;
  throw refusal(request, answer, json);
}

/** Resolves to the answer's bytes; rejects like {@link callApi}. */
export async function callForBytes(homeserver: string, request: ApiRequest): Promise<Buffer> {
  const answer = await exchange(homeserver, request);
  if (!answer.ok) throw refusal(request, answer, await answer.json().catch(() => ({})));
  const bytes = await answer.arrayBuffer().catch((error: unknown) => {
    throw unreachable(homeserver, request, error);
  });
  return Buffer.from(bytes);
}

async function exchange(homeserver: string, request: ApiRequest): Promise<Response> {
  const { method, path, token, body, signal } = request;
  const raw = body instanceof Uint8Array;
  const init: RequestInit = {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": request.contentType ?? "application/json" }),
    },
    ...(body !== undefined && { body: raw ? Buffer.from(body) : JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  };
  return fetch(`${homeserver}${path}`, init).catch((error: unknown) => {
    throw unreachable(homeserver, request, error);
  });
}

function unreachable(homeserver: string, { signal }: ApiRequest, error: unknown): CrewError {
  signal?.throwIfAborted();
  return new CrewError("HOMESERVER_UNREACHABLE", { address: homeserver, reason: reasonOf(error) }, error);
}

function refusal({ method, path }: ApiRequest, { status }: Response, json: unknown): CrewError {
  const { errcode, error } = errorSchema.catch({ errcode: "", error: "" }).parse(json);
  const what = `${method} ${path.split("?", 1)[0]}`;
  return new CrewError("HOMESERVER_REFUSED", { what, status, errcode, reason: error });
}

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
  const answer = await fetch(`${homeserver}${path}`, init).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new CrewError("HOMESERVER_UNREACHABLE", { address: homeserver, reason: reasonOf(error) }, error);
  });
  const json: unknown = await answer.json().catch(() => ({}));
  signal?.throwIfAborted();
  if (answer.ok) return json;
  const { errcode, error } = errorSchema.catch({ errcode: "", error: "" }).parse(json);
  const what = `${method} ${path.split("?", 1)[0]}`;
  throw new CrewError("HOMESERVER_REFUSED", { what, status: answer.status, errcode, reason: error });
}

/**
 * Reads of rooms through matrix-bot-sdk. One client serves all our users: one for each would cost memory for every agent,
 * so the user is told by `user_id` in each request.
 */
import { asRoomId, asUserId, type EventId, type RoomId, type UserId } from "../core/ids.ts";
import type { Snapshot } from "../core/input.ts";
import { failureOf, HomeserverError, unreachable } from "./homeserver-error.ts";
import { asObject, type JsonObject } from "./json.ts";
import type { Outage } from "./outage.ts";
import { decodePowerLevels } from "./power-levels.ts";
import { MatrixClient, MatrixError } from "./sdk.ts";
import { type Call, pathOf } from "./transport.ts";

export interface ReadsOptions {
  readonly address: string;
  readonly asToken: string;
  /** Longest time for one request. Default: 60,000. */
  readonly timeoutMs?: number;
  /** Told the outcome of every request. Default: nobody. */
  readonly outage?: Pick<Outage, "report">;
}

/** All reject with {@link HomeserverError}, and with the reason of `call.signal` when that aborts. */
export interface Reads {
  /** The room as its full state has it now. `as` must be in it. */
  snapshot(room: RoomId, as: UserId, call?: Call): Promise<Snapshot>;
  /**
   * The newest events that came after `invite`, at most `limit` (100), oldest first and undecoded. When the homeserver does
   * not show the invite, by the time of the invite.
   */
  messagesSince(room: RoomId, as: UserId, invite: EventId, limit?: number, call?: Call): Promise<unknown[]>;
}

const v3 = "/_matrix/client/v3";
const pageSize = 100;
/** A homeserver may give empty pages while it asks others for more. */
const maxPages = 20;

export function createReads(options: ReadsOptions): Reads {
  const client = new MatrixClient(options.address, options.asToken);
  const address = client.homeserverUrl;

  const get = async (path: string, as: UserId, query: Query, call: Call): Promise<unknown> => {
    try {
      const timeoutMs = call.timeoutMs ?? options.timeoutMs;
      const asked = client.doRequest("GET", path, { ...query, user_id: as }, null, timeoutMs);
      const answer = await unlessAborted<unknown>(asked, call.signal);
      // The SDK hands on as text what is no JSON.
      if (typeof answer !== "object" || answer === null) throw failureOf(address, "a read", { status: 200, text: "" });
      options.outage?.report(true);
      return answer;
    } catch (thrown) {
      call.signal?.throwIfAborted();
      const failure = failureFrom(address, thrown);
      if (failure.outage || failure.status !== undefined) options.outage?.report(!failure.outage);
      throw failure;
    }
  };

  /** Over federation the invite may stand in no timeline. Without its time nothing is known to be new. */
  const timeOf = async (room: RoomId, as: UserId, event: EventId, call: Call): Promise<number> => {
    try {
      return timestampOf(await get(v3 + pathOf`/rooms/${room}/event/${event}`, as, {}, call)) ?? Infinity;
    } catch (thrown) {
      if (thrown instanceof HomeserverError && !thrown.retryable) return Infinity;
      throw thrown;
    }
  };

  return {
    async snapshot(room, as, call = {}) {
      const events = await get(v3 + pathOf`/rooms/${room}/state`, as, {}, call);
      return snapshotOf(Array.isArray(events) ? events : []);
    },
    async messagesSince(room, as, invite, limit = 100, call = {}) {
      const path = v3 + pathOf`/rooms/${room}/messages`;
      const newestFirst: unknown[] = [];
      let from: string | undefined;
      for (let page = 0; page < maxPages && newestFirst.length < limit; page++) {
        const query = { dir: "b", limit: String(Math.min(limit, pageSize)), ...(from !== undefined && { from }) };
        const { chunk, end } = asObject(await get(path, as, query, call)) ?? {};
        const events: readonly unknown[] = Array.isArray(chunk) ? chunk : [];
        const until = events.findIndex((event) => asObject(event)?.["event_id"] === invite);
        newestFirst.push(...(until < 0 ? events : events.slice(0, until)));
        if (until >= 0) break;
        if (typeof end !== "string") return notBefore(newestFirst, await timeOf(room, as, invite, call)).toReversed();
        from = end;
      }
      return newestFirst.slice(0, limit).toReversed();
    },
  };
}

type Query = Readonly<Record<string, string>>;

/** The SDK cannot abort a request: nobody waits for it any longer, and its time-out ends it. */
async function unlessAborted<T>(asked: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return asked;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([asked, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function notBefore(events: readonly unknown[], ts: number): unknown[] {
  return events.filter((event) => (timestampOf(event) ?? 0) >= ts);
}

function timestampOf(event: unknown): number | undefined {
  const ts = asObject(event)?.["origin_server_ts"];
  return typeof ts === "number" ? ts : undefined;
}

/** The SDK throws its MatrixError, the whole response when that has no `errcode`, or what the socket threw. */
function failureFrom(address: string, thrown: unknown): HomeserverError {
  if (thrown instanceof HomeserverError) return thrown;
  if (thrown instanceof MatrixError) {
    return failureOf(address, "a read", { status: thrown.statusCode, text: JSON.stringify(thrown.body) });
  }
  const status = asObject(thrown)?.["statusCode"];
  return typeof status === "number" ? failureOf(address, "a read", { status, text: "" }) : unreachable(address, thrown);
}

function snapshotOf(events: readonly unknown[]): Snapshot {
  const state = events.map(asObject).filter((event) => event !== undefined);
  const only = (type: string): JsonObject | undefined =>
    state.find((event) => event["type"] === type && event["state_key"] === "");
  const create = only("m.room.create");
  const made = asObject(create?.["content"]) ?? {};
  const predecessor = asRoomId(asObject(made["predecessor"])?.["room_id"]);
  return {
    // The spec's default, of rooms that are older than versions.
    version: typeof made["room_version"] === "string" ? made["room_version"] : "1",
    creators: creatorsOf(create?.["sender"], made["additional_creators"]),
    power: decodePowerLevels(only("m.room.power_levels")?.["content"]),
    encrypted: only("m.room.encryption") !== undefined,
    members: state.flatMap(memberOf),
    ...(predecessor !== undefined && { predecessor }),
  };
}

function creatorsOf(sender: unknown, additional: unknown): readonly UserId[] {
  const others: readonly unknown[] = Array.isArray(additional) ? additional : [];
  const users = [sender, ...others].map(asUserId);
  return [...new Set(users.filter((user) => user !== undefined))];
}

function memberOf(event: JsonObject): Snapshot["members"] {
  const user = event["type"] === "m.room.member" ? asUserId(event["state_key"]) : undefined;
  const membership = asObject(event["content"])?.["membership"];
  if (user === undefined) return [];
  return membership === "join" || membership === "invite" || membership === "ban" ? [{ user, membership }] : [];
}

/**
 * Reads of rooms through matrix-bot-sdk. One client serves all our users: one for each would cost memory for every agent,
 * so the user is told by `user_id` in each request.
 */
import { asRoomId, asUserId, type EventId, type RoomId, type UserId } from "../core/ids.ts";
import type { CrewroomState, Snapshot } from "../core/input.ts";
import { failureOf, HomeserverError, unreachable } from "./homeserver-error.ts";
import { asObject, type JsonObject } from "./json.ts";
import type { Outage } from "./outage.ts";
import { decodePowerLevels } from "./power-levels.ts";
import { decodeServerAcl } from "./server-acl.ts";
import { Recent, type Said } from "./recent.ts";
import { MatrixClient, MatrixError } from "./sdk.ts";
import { type Call, pathOf } from "./transport.ts";
import { until } from "../until.ts";

export interface ReadsOptions {
  readonly address: string;
  readonly asToken: string;
  /** Whose `dev.crewroom.*` state counts. */
  readonly bot: UserId;
  /** Longest time for one request. Default: 60,000. */
  readonly timeoutMs?: number;
  /** Told the outcome of every request. Default: nobody. */
  readonly outage?: Pick<Outage, "report">;
}

/** All reject with {@link HomeserverError}, and with the reason of `call.signal` when that aborts. */
export interface Reads {
  /** The room as its full state has it now. `as` must be in it. */
  snapshot(room: RoomId, as: UserId, call?: Call): Promise<Snapshot>;
  /** All state events of a room, undecoded. `as` must be in it. */
  state(room: RoomId, as: UserId, call?: Call): Promise<readonly unknown[]>;
  /**
   * The newest events that came after `invite`, at most `limit` (100), oldest first and undecoded. When the homeserver does
   * not show the invite, by the time of the invite.
   */
  messagesSince(room: RoomId, as: UserId, invite: EventId, limit?: number, call?: Call): Promise<unknown[]>;
  /**
   * The first event of that time or later, undecoded; `undefined`: none. Where our homeserver knows of none, it asks the others
   * in the room. Spec: "Finding the closest event by timestamp".
   * @param ts Milliseconds since the epoch.
   */
  eventFrom(room: RoomId, as: UserId, ts: number, call?: Call): Promise<unknown>;
  /**
   * The newest messages, at most `limit` (1 to 100), oldest first; edits applied, redacted ones left out. With `thread` only
   * of that thread, its root first, however many came after it.
   */
  recent(room: RoomId, as: UserId, limit: number, thread: EventId | undefined, call?: Call): Promise<readonly Said[]>;
}

const v1 = "/_matrix/client/v1";
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
      // The SDK cannot abort a request: nobody waits for it any longer, and its time-out ends it.
      const asked = client.doRequest("GET", path, { ...query, user_id: as }, null, timeoutMs);
      const answer = await until<unknown>(asked, call.signal);
      // The SDK hands on as text what is no JSON.
      if (typeof answer !== "object" || answer === null) throw failureOf(address, "a read", { status: 200, text: "" });
      options.outage?.report(true);
      return answer;
    } catch (thrown) {
      call.signal?.throwIfAborted();
      // A mistake of ours is no outage: repeated, it would only be made again.
      if (thrown instanceof TypeError) throw thrown;
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

  /** Folds pages until there are `limit` messages. The page's token stands under `end` or `next_batch`. */
  const recentIn = async (path: string, as: UserId, query: Query, limit: number, call: Call): Promise<Recent> => {
    const recent = new Recent();
    let from: string | undefined;
    for (let page = 0; page < maxPages && recent.count < limit; page++) {
      const asked = { ...query, dir: "b", limit: String(pageSize), ...(from !== undefined && { from }) };
      const { chunk, end, next_batch: next } = asObject(await get(path, as, asked, call)) ?? {};
      for (const event of Array.isArray(chunk) ? chunk : []) recent.add(event);
      const token = end ?? next;
      if (typeof token !== "string") break;
      from = token;
    }
    return recent;
  };

  /** Its root, unless that was redacted, is of another type, or is not to be seen. */
  const rootOf = async (room: RoomId, as: UserId, root: EventId, call: Call): Promise<readonly Said[]> => {
    const recent = new Recent();
    try {
      recent.add(await get(v3 + pathOf`/rooms/${room}/event/${root}`, as, {}, call));
    } catch (thrown) {
      if (!(thrown instanceof HomeserverError) || thrown.retryable) throw thrown;
    }
    return recent.newest(1);
  };

  const stateOf = async (room: RoomId, as: UserId, call: Call = {}): Promise<readonly unknown[]> => {
    const events = await get(v3 + pathOf`/rooms/${room}/state`, as, {}, call);
    const all: readonly unknown[] = Array.isArray(events) ? events : [];
    return all;
  };

  return {
    state: stateOf,
    async snapshot(room, as, call = {}) {
      return snapshotOf(await stateOf(room, as, call), options.bot);
    },
    async recent(room, as, limit, thread, call = {}) {
      const most = Math.min(Math.max(Math.trunc(limit), 1), pageSize);
      if (thread === undefined) {
        const query = { filter: JSON.stringify({ types: ["m.room.message"] }) };
        return (await recentIn(v3 + pathOf`/rooms/${room}/messages`, as, query, most, call)).newest(most);
      }
      const path = v1 + pathOf`/rooms/${room}/relations/${thread}/m.thread/m.room.message`;
      const root = await rootOf(room, as, thread, call);
      const answers = await recentIn(path, as, {}, most - root.length, call);
      return [...root, ...answers.newest(most - root.length)];
    },
    async eventFrom(room, as, ts, call = {}) {
      const path = v1 + pathOf`/rooms/${room}/timestamp_to_event`;
      try {
        const found = asObject(await get(path, as, { ts: String(ts), dir: "f" }, call));
        const event = found?.["event_id"];
        return typeof event === "string"
          ? await get(v3 + pathOf`/rooms/${room}/event/${event}`, as, {}, call)
          : undefined;
      } catch (thrown) {
        if (thrown instanceof HomeserverError && thrown.status === 404) return undefined;
        throw thrown;
      }
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

function notBefore(events: readonly unknown[], ts: number): unknown[] {
  return events.filter((event) => (timestampOf(event) ?? 0) >= ts);
}

export function timestampOf(event: unknown): number | undefined {
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

function snapshotOf(events: readonly unknown[], bot: UserId): Snapshot {
  const state = events.map(asObject).filter((event) => event !== undefined);
  const only = (type: string): JsonObject | undefined =>
    state.find((event) => event["type"] === type && event["state_key"] === "");
  const create = only("m.room.create");
  const made = asObject(create?.["content"]) ?? {};
  const acl = only("m.room.server_acl");
  const predecessor = asRoomId(asObject(made["predecessor"])?.["room_id"]);
  return {
    // The spec's default, of rooms that are older than versions.
    version: typeof made["room_version"] === "string" ? made["room_version"] : "1",
    creators: creatorsOf(create?.["sender"], made["additional_creators"]),
    power: decodePowerLevels(only("m.room.power_levels")?.["content"]),
    encrypted: only("m.room.encryption") !== undefined,
    ...(acl === undefined ? {} : { acl: decodeServerAcl(acl["content"]) }),
    members: state.flatMap(memberOf),
    crewroom: state.filter((event) => event["sender"] === bot).flatMap(crewroomStateOf),
    ...(predecessor !== undefined && { predecessor }),
  };
}

function creatorsOf(sender: unknown, additional: unknown): readonly UserId[] {
  const others: readonly unknown[] = Array.isArray(additional) ? additional : [];
  const users = [sender, ...others].map(asUserId);
  return [...new Set(users.filter((user) => user !== undefined))];
}

/** Anybody with enough power can write events of this name; only the bot's are true. */
function crewroomStateOf(event: JsonObject): readonly CrewroomState[] {
  const { type, state_key: key } = event;
  const content = asObject(event["content"]);
  if (typeof type !== "string" || !type.startsWith("dev.crewroom.")) return [];
  return typeof key === "string" && content !== undefined ? [{ type, key, content }] : [];
}

function memberOf(event: JsonObject): Snapshot["members"] {
  const user = event["type"] === "m.room.member" ? asUserId(event["state_key"]) : undefined;
  const membership = asObject(event["content"])?.["membership"];
  if (user === undefined) return [];
  const isTold = membership === "join" || membership === "invite" || membership === "ban" || membership === "leave";
  return isTold ? [{ user, membership }] : [];
}

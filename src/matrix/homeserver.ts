/**
 * What the bridge does on the homeserver: all writes, and the reads that matrix-bot-sdk has no sound way for. Each call is
 * one request without retries; `retry.ts` repeats them. All reject with {@link HomeserverError}, and with the reason
 * of `call.signal` when that aborts.
 *
 * matrix-bot-sdk and matrix-appservice-bridge make transaction ids that collide between users, and Synapse keeps an
 * application service's sends by path without the user: two agents in lockstep would lose messages. Here the id always
 * comes from the caller.
 */
import {
  asEventId,
  asMxcUri,
  asRoomId,
  asUserId,
  localpartOf,
  serverOf,
  type EventId,
  type MxcUri,
  type RoomAlias,
  type RoomId,
  type UserId,
} from "../core/ids.ts";
import { failureOf, HomeserverError } from "./homeserver-error.ts";
import { asObject } from "./json.ts";
import { download, type Downloaded, downloadInto, upload } from "./media.ts";
import { type Asked, type Call, createTransport, deviceId, pathOf, type TransportOptions } from "./transport.ts";

export interface HomeserverOptions extends TransportOptions {
  /** `homeserver.domain` */
  readonly domain: string;
}

export interface Profile {
  readonly name?: string;
  readonly avatar?: MxcUri;
}

type Json = Readonly<Record<string, unknown>>;

export interface Homeserver {
  readonly address: string;
  readonly domain: string;
  /** Any request: resolves to the JSON of a 2xx answer. */
  request(asked: Asked): Promise<unknown>;

  // Rooms. `as` is one of our users.

  /**
   * Sends a timeline event. `txnId` must be unique among all our users; the same one gives the same event, also after a
   * restart of Synapse. The user's device must exist: see {@link putDevice}.
   */
  send(room: RoomId, as: UserId, type: string, content: object, txnId: string, call?: Call): Promise<EventId>;
  redact(room: RoomId, as: UserId, event: EventId, txnId: string, reason?: string, call?: Call): Promise<EventId>;
  /** Repeating it with equal content changes nothing. */
  setState(room: RoomId, as: UserId, type: string, key: string, content: object, call?: Call): Promise<EventId>;
  /** `via`: servers that know the room. Over federation it may take minutes. Repeating it changes nothing. */
  join(room: RoomId | RoomAlias, as: UserId, via?: readonly string[], call?: Call): Promise<RoomId>;
  leave(room: RoomId, as: UserId, reason?: string, call?: Call): Promise<void>;
  invite(room: RoomId, as: UserId, user: UserId, reason?: string, call?: Call): Promise<void>;
  /** Makes another room each time. */
  createRoom(as: UserId, body: Json, call?: Call): Promise<RoomId>;
  /** `undefined` when there is no such alias. */
  resolveAlias(alias: RoomAlias, call?: Call): Promise<RoomId | undefined>;
  /** Takes an alias away from its room. One that does not exist is fine. */
  removeAlias(alias: RoomAlias, as: UserId, call?: Call): Promise<void>;
  /** The room version of new rooms, e.g. `"11"`; `undefined` when the homeserver does not tell. */
  defaultRoomVersion(as: UserId, call?: Call): Promise<string | undefined>;
  joinedRooms(as: UserId, call?: Call): Promise<readonly RoomId[]>;
  /** A public read receipt; `thread` is the root of the thread, or `main`. */
  receipt(room: RoomId, as: UserId, event: EventId, thread?: EventId | "main", call?: Call): Promise<void>;
  /** `forMs`: after that long the homeserver stops it by itself. */
  typing(room: RoomId, as: UserId, on: boolean, forMs: number, call?: Call): Promise<void>;

  // Users

  /** Registers a user of ours without logging it in. One that exists already is fine. */
  register(user: UserId, call?: Call): Promise<void>;
  /** Makes the device that sends are for, or leaves it as it is. */
  putDevice(as: UserId, call?: Call): Promise<void>;
  /** Empty for a user without a profile. */
  profile(user: UserId, call?: Call): Promise<Profile>;
  setDisplayName(as: UserId, name: string, call?: Call): Promise<void>;
  setAvatar(as: UserId, avatar: MxcUri, call?: Call): Promise<void>;

  // Media

  upload(bytes: Uint8Array | Blob, mimeType: string, name: string, call?: Call): Promise<MxcUri>;
  /** @throws CrewError `MEDIA_TOO_LARGE` above `maxBytes`, which are never read. */
  download(mxc: MxcUri, maxBytes: number, call?: Call): Promise<Downloaded>;
  /** Gives the bytes away as they come, instead of keeping them. @throws CrewError as {@link download} does. */
  downloadInto(mxc: MxcUri, maxBytes: number, take: (chunk: Uint8Array) => Promise<void>, call?: Call): Promise<void>;

  // The homeserver itself

  /** Asks the homeserver to reach us. Resolves to the milliseconds that it took. */
  ping(appservice: string, txnId: string, call?: Call): Promise<number>;
  /** Versions of the specification. Asked without a token. */
  versions(call?: Call): Promise<readonly string[]>;
  whoami(as?: UserId, call?: Call): Promise<UserId>;
}

const v3 = "/_matrix/client/v3";

export function createHomeserver(options: HomeserverOptions): Homeserver {
  const transport = createTransport(options);
  const { address } = transport;

  const ask = async (asked: Asked): Promise<Json> => {
    const answer = await transport.request(asked);
    return typeof answer === "object" && answer !== null ? { ...answer } : {};
  };
  const tell = async (asked: Asked): Promise<void> => void (await transport.request(asked));
  /** A homeserver that leaves out what the spec demands is as good as none. */
  const need = <T>(value: T | undefined, what: string): T => {
    if (value === undefined) throw failureOf(address, what, { status: 200, text: "" });
    return value;
  };
  const idOf = (answer: Json, what: string): EventId => need(asEventId(answer["event_id"]), what);
  const roomOf = (answer: Json, what: string): RoomId => need(asRoomId(answer["room_id"]), what);
  const membership = (
    room: RoomId,
    as: UserId,
    change: string,
    body: Json,
    call?: Pick<Asked, "remote"> & Call,
  ): Promise<void> => {
    const path = `${v3}${pathOf`/rooms/${room}/`}${change}`;
    return tell({ method: "POST", path, as, body, what: `to ${change}`, ...call });
  };

  return {
    address,
    domain: options.domain,
    request: (asked) => transport.request(asked),

    async send(room, as, type, content, txnId, call) {
      const what = `a message (${type})`;
      const path = v3 + pathOf`/rooms/${room}/send/${type}/${txnId}`;
      return idOf(await ask({ method: "PUT", path, as, deviceId: true, body: content, what, ...call }), what);
    },
    async redact(room, as, event, txnId, reason, call) {
      const what = "a redaction";
      const path = v3 + pathOf`/rooms/${room}/redact/${event}/${txnId}`;
      const body = reason === undefined ? {} : { reason };
      return idOf(await ask({ method: "PUT", path, as, deviceId: true, body, what, ...call }), what);
    },
    async setState(room, as, type, key, content, call) {
      const what = `a change of ${type}`;
      const path = v3 + pathOf`/rooms/${room}/state/${type}/${key}`;
      return idOf(await ask({ method: "PUT", path, as, body: content, what, ...call }), what);
    },
    async join(room, as, via = [], call) {
      const what = "to join";
      const query = via.length === 0 ? {} : { via, server_name: via };
      const path = v3 + pathOf`/join/${room}`;
      return roomOf(await ask({ method: "POST", path, as, query, body: {}, what, remote: true, ...call }), what);
    },
    leave: (room, as, reason, call) => membership(room, as, "leave", reason === undefined ? {} : { reason }, call),
    invite: (room, as, user, reason, call) =>
      membership(
        room,
        as,
        "invite",
        { user_id: user, ...(reason !== undefined && { reason }) },
        // Another homeserver has to sign it first.
        { ...call, remote: serverOf(user) !== options.domain },
      ),
    async createRoom(as, body, call) {
      const what = "a new room";
      return roomOf(await ask({ method: "POST", path: `${v3}/createRoom`, as, body, what, ...call }), what);
    },
    async resolveAlias(alias, call) {
      const what = `the alias ${alias}`;
      const path = v3 + pathOf`/directory/room/${alias}`;
      try {
        return roomOf(await ask({ method: "GET", path, what, remote: true, ...call }), what);
      } catch (thrown) {
        if (thrown instanceof HomeserverError && thrown.errcode === "M_NOT_FOUND") return undefined;
        throw thrown;
      }
    },
    async removeAlias(alias, as, call) {
      const path = v3 + pathOf`/directory/room/${alias}`;
      try {
        await tell({ method: "DELETE", path, as, what: `to remove ${alias}`, ...call });
      } catch (thrown) {
        if (!(thrown instanceof HomeserverError && thrown.errcode === "M_NOT_FOUND")) throw thrown;
      }
    },
    async defaultRoomVersion(as, call) {
      const what = "to tell its capabilities";
      const { capabilities } = await ask({ method: "GET", path: `${v3}/capabilities`, as, what, ...call });
      const version = asObject(asObject(capabilities)?.["m.room_versions"])?.["default"];
      return typeof version === "string" ? version : undefined;
    },
    async joinedRooms(as, call) {
      const { joined_rooms: rooms } = await ask({ method: "GET", path: `${v3}/joined_rooms`, as, ...call });
      return Array.isArray(rooms) ? rooms.map(asRoomId).filter((room) => room !== undefined) : [];
    },
    receipt: (room, as, event, thread, call) => {
      const path = v3 + pathOf`/rooms/${room}/receipt/m.read/${event}`;
      const body = thread === undefined ? {} : { thread_id: thread };
      return tell({ method: "POST", path, as, body, what: "a read receipt", ...call });
    },
    typing: (room, as, on, forMs, call) => {
      const path = v3 + pathOf`/rooms/${room}/typing/${as}`;
      const body = on ? { typing: true, timeout: forMs } : { typing: false };
      return tell({ method: "PUT", path, as, body, what: "a typing notice", ...call });
    },

    async register(user, call) {
      const username = localpartOf(user);
      // Homeservers with delegated authentication refuse an application service that would also log in.
      const body = { type: "m.login.application_service", username, inhibit_login: true };
      try {
        await tell({ method: "POST", path: `${v3}/register`, body, what: `to register ${user}`, ...call });
      } catch (thrown) {
        if (!(thrown instanceof HomeserverError && thrown.errcode === "M_USER_IN_USE")) throw thrown;
      }
    },
    putDevice: (as, call) =>
      tell({
        method: "PUT",
        path: v3 + pathOf`/devices/${deviceId}`,
        as,
        body: { display_name: "Crewroom" },
        what: `a device of ${as}`,
        ...call,
      }),
    async profile(user, call) {
      try {
        const path = v3 + pathOf`/profile/${user}`;
        const { displayname, avatar_url: url } = await ask({ method: "GET", path, what: "a profile", ...call });
        const avatar = asMxcUri(url);
        return { ...(typeof displayname === "string" && { name: displayname }), ...(avatar && { avatar }) };
      } catch (thrown) {
        if (thrown instanceof HomeserverError && thrown.errcode === "M_NOT_FOUND") return {};
        throw thrown;
      }
    },
    setDisplayName: (as, name, call) => {
      const path = v3 + pathOf`/profile/${as}/displayname`;
      return tell({ method: "PUT", path, as, body: { displayname: name }, what: `the name of ${as}`, ...call });
    },
    setAvatar: (as, avatar, call) => {
      const path = v3 + pathOf`/profile/${as}/avatar_url`;
      return tell({ method: "PUT", path, as, body: { avatar_url: avatar }, what: `the avatar of ${as}`, ...call });
    },

    upload: async (data, mimeType, name, call) =>
      need(await upload(transport, { data, mimeType, name }, call), "an upload"),
    download: (mxc, maxBytes, call) => download(transport, mxc, maxBytes, call),
    downloadInto: (mxc, maxBytes, take, call) => downloadInto(transport, mxc, maxBytes, take, call),

    async ping(appservice, txnId, call) {
      const path = pathOf`/_matrix/client/v1/appservice/${appservice}/ping`;
      const body = { transaction_id: txnId };
      const { duration_ms: ms } = await ask({ method: "POST", path, body, what: "a ping", ...call });
      return typeof ms === "number" ? ms : 0;
    },
    async versions(call) {
      const path = "/_matrix/client/versions";
      const { versions } = await ask({ method: "GET", path, withoutToken: true, ...call });
      return Array.isArray(versions) ? versions.filter((one) => typeof one === "string") : [];
    },
    async whoami(as, call) {
      const what = "to say who we are";
      const answer = await ask({ method: "GET", path: `${v3}/account/whoami`, as, what, ...call });
      return need(asUserId(answer["user_id"]), what);
    },
  };
}

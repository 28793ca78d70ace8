/**
 * Identifiers, branded so that one kind cannot stand in for another. They are made where bytes enter (a transaction, a
 * config file, a command) with the `as*` functions below, and trusted everywhere after.
 *
 * Grammar: Matrix spec, appendix "Identifier grammar". Server names carry ports and IPv6 literals, so an id is split at
 * its *first* colon, never at its last.
 */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `@localpart:server` */
export type UserId = Branded<"UserId">;
/** `!opaque:server`, or `!hash` without a server in room version 12 and later. */
export type RoomId = Branded<"RoomId">;
/** `#localpart:server` */
export type RoomAlias = Branded<"RoomAlias">;
/** `$opaque` */
export type EventId = Branded<"EventId">;
/** `mxc://server/media` */
export type MxcUri = Branded<"MxcUri">;
/** An agent's id in the config: `[a-z0-9][a-z0-9_.-]{0,62}`. */
export type AgentId = Branded<"AgentId">;
/** One agent's conversation with its runtime: agent, room and, inside a thread, the thread's root. */
export type SessionId = Branded<"SessionId">;
/** One prompt of a session. Deterministic: the same cause gives the same id after a restart. */
export type TurnId = Branded<"TurnId">;
/** Full name of a git commit: 40 hexadecimal digits. */
export type CommitHash = Branded<"CommitHash">;
/** Deterministic id of an effect, from which its Matrix transaction id is made. */
export type EffectId = Branded<"EffectId">;

const maxIdBytes = 255;

function fits(text: string, sigil: string): boolean {
  return text.startsWith(sigil) && text.length > 1 && Buffer.byteLength(text) <= maxIdBytes;
}

/** Narrows to a user id, or `undefined` when it has no sigil, no server part, or more than 255 bytes. */
export function asUserId(text: unknown): UserId | undefined {
  return typeof text === "string" && fits(text, "@") && text.indexOf(":") > 1 ? (text as UserId) : undefined;
}

/** Narrows to a room id, or `undefined`. Room version 12 ids have no server part. */
export function asRoomId(text: unknown): RoomId | undefined {
  return typeof text === "string" && fits(text, "!") ? (text as RoomId) : undefined;
}

/** Narrows to an event id, or `undefined`. */
export function asEventId(text: unknown): EventId | undefined {
  return typeof text === "string" && fits(text, "$") ? (text as EventId) : undefined;
}

/** Narrows to a room alias, or `undefined`. */
export function asRoomAlias(text: unknown): RoomAlias | undefined {
  return typeof text === "string" && fits(text, "#") && text.indexOf(":") > 1 ? (text as RoomAlias) : undefined;
}

/** Narrows to a full commit hash, or `undefined`. */
export function asCommitHash(text: unknown): CommitHash | undefined {
  return typeof text === "string" && /^[0-9a-f]{40}$/.test(text) ? (text as CommitHash) : undefined;
}

/** Narrows to a media address of the form `mxc://server/id`, or `undefined`. */
export function asMxcUri(text: unknown): MxcUri | undefined {
  return typeof text === "string" && /^mxc:\/\/[^/\s]+\/[\w-]+$/.test(text) ? (text as MxcUri) : undefined;
}

const agentId = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

/** Narrows to an agent id, or `undefined`. */
export function asAgentId(text: unknown): AgentId | undefined {
  return typeof text === "string" && agentId.test(text) ? (text as AgentId) : undefined;
}

/** The server part of a user id or an alias: all that follows the first colon, port included. */
export function serverOf(id: UserId | RoomAlias): string {
  return id.slice(id.indexOf(":") + 1);
}

/** The part of a user id between `@` and the first colon. */
export function localpartOf(id: UserId): string {
  return id.slice(1, id.indexOf(":"));
}

/** The Matrix user of an agent. */
export function agentUserId(agent: AgentId, server: string): UserId {
  return `@agent_${agent}:${server}` as UserId;
}

/** The agent behind a Matrix user of this server, or `undefined` for anybody else. */
export function agentOfUserId(user: UserId, server: string): AgentId | undefined {
  const start = "@agent_";
  return user.startsWith(start) && serverOf(user) === server
    ? asAgentId(user.slice(start.length, user.indexOf(":")))
    : undefined;
}

/** The bridge's own Matrix user. */
export function botUserId(server: string): UserId {
  return `@crewroom:${server}` as UserId;
}

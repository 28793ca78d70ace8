/**
 * One event of a transaction or of a room's history, as an input of its room's lane. Everything in it is a stranger's
 * JSON; decoding never throws.
 */
import { asEventId, asRoomId, asUserId, localpartOf, type EventId, type RoomId, type UserId } from "../core/ids.ts";
import type { MatrixInput, Member, Message } from "../core/input.ts";
import { decodeMessage, type NewContent } from "./compose/incoming.ts";
import { truncate } from "../core/text.ts";
import { asObject, type JsonObject } from "./json.ts";
import { decodePowerLevels } from "./power-levels.ts";
import { decodeServerAcl } from "./server-acl.ts";

export interface Own {
  /** Whether this is the bot or an agent of this bridge. */
  isOwn(user: UserId): boolean;
}

export interface Decoded {
  readonly room: RoomId;
  readonly input: MatrixInput;
}

/**
 * `ignored`: fine, but nothing that the bridge acts on: other types, redacted events, messages and reactions of our own
 * users. `malformed`: it breaks the spec; {@link tellEvent} names it for the log. `room` fills in the room for events
 * that come without it.
 */
export function decodeEvent(raw: unknown, own: Own, room?: RoomId): Decoded | "ignored" | "malformed" {
  const event = asObject(raw);
  const type = event?.["type"];
  if (event === undefined || typeof type !== "string") return "malformed";
  const decode = decoders.get(type);
  if (decode === undefined) return "ignored";
  const envelope = envelopeOf(event, room);
  if (envelope === undefined) return "malformed";
  const input = decode(envelope, own);
  return typeof input === "string" ? input : { room: envelope.room, input };
}

/** What a log may say of an event that could not be decoded: where it came from, never what it says. */
export function tellEvent(raw: unknown): { readonly event?: string; readonly type?: string; readonly room?: string } {
  const { event_id: event, type, room_id: room } = asObject(raw) ?? {};
  const short = (value: unknown): string | undefined => (typeof value === "string" ? truncate(value, 255) : undefined);
  const told = { event: short(event), type: short(type), room: short(room) };
  return {
    ...(told.event !== undefined && { event: told.event }),
    ...(told.type !== undefined && { type: told.type }),
    ...(told.room !== undefined && { room: told.room }),
  };
}

/** What all events have, decoded. */
interface Envelope {
  readonly room: RoomId;
  readonly from: { readonly event: EventId; readonly sender: UserId; readonly ts: number };
  readonly content: JsonObject;
  /** `undefined`: no state event. */
  readonly stateKey: string | undefined;
  /** Of a redaction, where room versions before 11 have it. */
  readonly redacts: unknown;
  readonly redacted: boolean;
}

type Decoder = (envelope: Envelope, own: Own) => MatrixInput | "ignored" | "malformed";

const decoders: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ["m.room.message", timeline(decodeMessageEvent)],
  ["m.reaction", timeline(decodeReaction)],
  ["m.room.redaction", timeline(decodeRedaction)],
  ["m.room.member", decodeMember],
  [
    "m.room.power_levels",
    state(({ from, content }) => ({ kind: "power", ...from, power: decodePowerLevels(content) })),
  ],
  ["m.room.server_acl", state(({ from, content }) => ({ kind: "acl", ...from, acl: decodeServerAcl(content) }))],
  ["m.room.encryption", state(({ from }) => ({ kind: "encryption", ...from }))],
  ["m.room.tombstone", state(decodeTombstone)],
]);

function envelopeOf(event: JsonObject, known: RoomId | undefined): Envelope | undefined {
  const room = event["room_id"] === undefined ? known : asRoomId(event["room_id"]);
  const id = asEventId(event["event_id"]);
  const sender = asUserId(event["sender"]);
  const ts = event["origin_server_ts"];
  const content = asObject(event["content"]);
  const stateKey = event["state_key"];
  if (room === undefined || id === undefined || sender === undefined || content === undefined) return undefined;
  if (typeof ts !== "number" || !Number.isSafeInteger(ts)) return undefined;
  if (stateKey !== undefined && typeof stateKey !== "string") return undefined;
  const redacted = asObject(event["unsigned"])?.["redacted_because"] !== undefined;
  return { room, from: { event: id, sender, ts }, content, stateKey, redacts: event["redacts"], redacted };
}

/** No state events, which may have any type, and none that was redacted. */
function timeline(decode: Decoder): Decoder {
  return (envelope, own) => (envelope.stateKey !== undefined || envelope.redacted ? "ignored" : decode(envelope, own));
}

/** Only the room's one state event of this type. */
function state(decode: Decoder): Decoder {
  return (envelope, own) => (envelope.stateKey === "" ? decode(envelope, own) : "ignored");
}

function decodeMessageEvent({ from, content }: Envelope, own: Own): ReturnType<Decoder> {
  if (own.isOwn(from.sender)) return "ignored";
  const said = decodeMessage(content);
  if (said === undefined) return "malformed";
  // Element asks in a direct chat to verify the other's device; an agent has nothing to say to that.
  if (said.msgtype.startsWith("m.key.verification.")) return "ignored";
  if (said.edits !== undefined) {
    return { kind: "edit", ...from, target: said.edits.target, text: wordsOf(said.edits.newContent, from.sender) };
  }
  const { mentions, replyTo, thread, attachment } = said;
  const hops = hopsIn(content);
  const message: Message = {
    kind: "message",
    ...from,
    text: wordsOf(said, from.sender),
    mentions,
    ...(replyTo !== undefined && { replyTo }),
    ...(thread !== undefined && { thread }),
    ...(attachment !== undefined && { attachment }),
    notice: said.isNotice,
    ...(hops !== undefined && { hops }),
  };
  return message;
}

/** `/me waves` reads `* alice waves`, as clients show it. */
export function wordsOf({ text, isEmote }: NewContent, sender: UserId): string {
  return isEmote ? `* ${localpartOf(sender)} ${text}` : text;
}

/** Written by another Crewroom bridge beside its agents' messages. A forged one can only make a chain end earlier. */
function hopsIn(content: JsonObject): number | undefined {
  const hops = asObject(content["dev.crewroom.turn"])?.["hops"];
  return typeof hops === "number" && Number.isSafeInteger(hops) && hops >= 0 ? hops : undefined;
}

function decodeReaction({ from, content }: Envelope, own: Own): ReturnType<Decoder> {
  // What another bridge's agent marked as its own is no person's word.
  if (own.isOwn(from.sender) || content["dev.crewroom.turn"] !== undefined) return "ignored";
  const { rel_type: relation, event_id: on, key } = asObject(content["m.relates_to"]) ?? {};
  const target = asEventId(on);
  if (relation !== "m.annotation" || target === undefined || typeof key !== "string") return "malformed";
  return { kind: "reaction", ...from, target, key: key.slice(0, maxKeyChars) };
}

/** An emoji has a few units; the spec has no limit. */
const maxKeyChars = 255;

function decodeRedaction({ from, content, redacts }: Envelope): ReturnType<Decoder> {
  const target = asEventId(content["redacts"] ?? redacts);
  return target === undefined ? "malformed" : { kind: "redaction", ...from, target };
}

const memberships: ReadonlySet<unknown> = new Set<Member["membership"]>(["invite", "join", "leave", "ban", "knock"]);

function decodeMember({ from, content, stateKey }: Envelope): ReturnType<Decoder> {
  if (stateKey === undefined) return "ignored";
  const user = asUserId(stateKey);
  const { membership, is_direct: direct, reason } = content;
  if (user === undefined || !isMembership(membership)) return "malformed";
  return {
    kind: "member",
    ...from,
    user,
    membership,
    direct: direct === true,
    ...(typeof reason === "string" && { reason: truncate(reason, maxReasonChars) }),
  };
}

const maxReasonChars = 1_000;

function isMembership(value: unknown): value is Member["membership"] {
  return memberships.has(value);
}

function decodeTombstone({ from, content, redacted }: Envelope): ReturnType<Decoder> {
  // A redacted one no longer says where to go.
  if (redacted) return "ignored";
  const replacement = asRoomId(content["replacement_room"]);
  return replacement === undefined ? "malformed" : { kind: "tombstone", ...from, replacement };
}

/**
 * What a person's `m.room.message` says. The content is a stranger's JSON: every field is narrowed here, once. Decoding
 * never throws, and its work is bounded by {@link maxTextChars}, whatever comes in.
 */
import { asEventId, asUserId, type EventId, type UserId } from "../../core/ids.ts";
import { attachmentIn, type Attachment } from "./attachment.ts";
import { maxMentions, userIdAt } from "./mentions.ts";
import { cleanText } from "../../core/text.ts";

export interface IncomingMessage {
  /** `m.text`, `m.notice`, `m.emote`, `m.image`, …; unknown kinds keep their name and their text. */
  readonly msgtype: string;
  /** What was said, without HTML and without the quote that older clients put before a reply. Of a file: its caption. */
  readonly text: string;
  readonly isNotice: boolean;
  readonly isEmote: boolean;
  /** Who is addressed, without doubles. `m.mentions` decides; without it pills count, and without pills full MXIDs. */
  readonly mentions: readonly UserId[];
  /** The message that this one answers. Not set for the reply that stands in a thread only for older clients. */
  readonly replyTo?: EventId;
  /** Root of the thread that this message stands in. */
  readonly thread?: EventId;
  readonly attachment?: Attachment;
  /** When this replaces an earlier message: which one, and what it says now. The fields beside are the fallback. */
  readonly edits?: { readonly target: EventId; readonly newContent: NewContent };
}

/** What a message says after an edit. Its place in the room stays that of the original. */
export type NewContent = Omit<IncomingMessage, "replyTo" | "thread" | "edits">;

/** An event has at most 65,536 bytes; longer strings come from no homeserver that keeps to the spec. */
const maxTextChars = 65_536;

/** Decodes the content of an `m.room.message`, or `undefined` when it is malformed or redacted. */
export function decodeMessage(content: unknown): IncomingMessage | undefined {
  const fields = asObject(content);
  if (fields === undefined) return undefined;
  const relation = asObject(fields["m.relates_to"]) ?? {};
  const related = asEventId(relation["event_id"]);
  const inReplyTo = asEventId(asObject(relation["m.in_reply_to"])?.["event_id"]);
  const said = decodeWords(fields, inReplyTo !== undefined);
  if (said === undefined) return undefined;
  if (relation["rel_type"] === "m.replace") {
    // Older clients put the quote of a reply into the edit, without the relation that says so.
    const newContent = decodeWords(asObject(fields["m.new_content"]) ?? {}, true);
    return related && newContent ? { ...said, edits: { target: related, newContent } } : undefined;
  }
  const thread = relation["rel_type"] === "m.thread" ? related : undefined;
  const onlyFallback = thread !== undefined && relation["is_falling_back"] === true;
  return {
    ...said,
    ...(thread !== undefined && { thread }),
    ...(inReplyTo !== undefined && !onlyFallback && { replyTo: inReplyTo }),
  };
}

function decodeWords(fields: JsonObject, isReply: boolean): NewContent | undefined {
  const { msgtype, body } = fields;
  if (typeof msgtype !== "string" || typeof body !== "string" || msgtype.length > maxMsgtypeChars) return undefined;
  const attachment = attachmentIn(msgtype, fields);
  if (attachment === "malformed") return undefined;
  const bounded = cleanText(body.slice(0, maxTextChars));
  const own = isReply ? withoutReplyFallback(bounded) : bounded;
  const text = attachment === undefined || hasCaption(fields) ? own : "";
  return {
    msgtype,
    text,
    isNotice: msgtype === "m.notice",
    isEmote: msgtype === "m.emote",
    mentions: mentionsIn(fields, text),
    ...(attachment !== undefined && { attachment }),
  };
}

/** Types are namespaced names; 255 is what the spec allows an event's type. */
const maxMsgtypeChars = 255;

/** Spec v1.10: `body` is a caption only when there is a `filename` that differs from it. */
function hasCaption(fields: JsonObject): boolean {
  return typeof fields["filename"] === "string" && fields["filename"] !== fields["body"];
}

function mentionsIn(fields: JsonObject, text: string): readonly UserId[] {
  // Its mere presence says that the client knows about it: whoever is not named there is not meant.
  if ("m.mentions" in fields) {
    const userIds = asObject(fields["m.mentions"])?.["user_ids"];
    return Array.isArray(userIds) ? distinct(userIds.slice(0, maxMentions).map(asUserId)) : [];
  }
  const html = fields["formatted_body"];
  const pills = typeof html === "string" ? pillsIn(withoutMxReply(html.slice(0, maxTextChars))) : [];
  return pills.length > 0 ? pills : idsIn(text);
}

/** A link to a user, as matrix.to or as a `matrix:` URI. The `<` in the class bounds the search for a broken tag. */
const pillHref =
  /<a\s[^<>]{0,1000}?href\s{0,4}=\s{0,4}["'](?:https?:\/\/matrix\.to\/#\/|matrix:u\/)([^"'?\s<>]{1,800})/gi;

function pillsIn(html: string): readonly UserId[] {
  const ids: (UserId | undefined)[] = [];
  for (const match of html.matchAll(pillHref)) {
    if (ids.length >= maxMentions) break;
    const target = percentDecoded(match[1] ?? "");
    ids.push(asUserId(match[0].includes("matrix:u/") ? `@${target}` : target));
  }
  return distinct(ids);
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function idsIn(text: string): readonly UserId[] {
  const ids: (UserId | undefined)[] = [];
  for (let at = text.indexOf("@"); at >= 0 && ids.length < maxMentions; at = text.indexOf("@", at + 1)) {
    const id = userIdAt(text, at, (candidate) => !/[.-]$/.test(candidate));
    if (id !== undefined) ids.push(id);
  }
  return distinct(ids);
}

function distinct(ids: readonly (UserId | undefined)[]): readonly UserId[] {
  return [...new Set(ids.filter((id) => id !== undefined))];
}

/** Clients before spec v1.13 quote the answered message as `> <@user:server> …` lines, then leave one line empty. */
function withoutReplyFallback(body: string): string {
  if (!/^> (?:\* )?<@[^>\n]{1,255}>/.test(body)) return body;
  const lines = body.split("\n");
  const first = lines.findIndex((line) => !line.startsWith(">"));
  if (first < 0) return "";
  return lines.slice(lines[first] === "" ? first + 1 : first).join("\n");
}

/** The same quote in HTML. It holds a pill of the quoted person, who is not thereby mentioned. */
function withoutMxReply(html: string): string {
  if (!/^\s*<mx-reply/i.test(html)) return html;
  const end = /<\/mx-reply\s*>/i.exec(html);
  return end === null ? "" : html.slice(end.index + end[0].length);
}

type JsonObject = Readonly<Record<string, unknown>>;

function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/**
 * The content of the events that Crewroom sends into a timeline. Pure: words and ids in, JSON out. `m.mentions` stands in
 * every message, so that no server or client falls back to guessing from names.
 */
import type { EventId, MxcUri, UserId } from "../../core/ids.ts";
import { renderMarkdown } from "./markdown.ts";
import { mentionsOf, type Members, type Mentions } from "./mentions.ts";
import { fitsEvent } from "./size.ts";
import { cleanText, singleLine, truncate } from "../../core/text.ts";

/** Crewroom's typed part of a message, beside what people read. */
export type Extra = { readonly [key: `dev.crewroom.${string}`]: unknown };

export type Relation =
  | { readonly "m.in_reply_to": { readonly event_id: EventId } }
  | { readonly rel_type: "m.replace"; readonly event_id: EventId }
  | {
      readonly rel_type: "m.thread";
      readonly event_id: EventId;
      readonly is_falling_back: boolean;
      readonly "m.in_reply_to": { readonly event_id: EventId };
    };

/** Content of an `m.room.message`. */
export interface MessageContent extends Extra {
  readonly msgtype: string;
  readonly body: string;
  readonly format?: "org.matrix.custom.html";
  readonly formatted_body?: string;
  readonly filename?: string;
  readonly url?: MxcUri;
  readonly info?: { readonly mimetype: string; readonly size: number };
  readonly "m.mentions": Mentions;
  readonly "m.relates_to"?: Relation;
  readonly "m.new_content"?: Omit<MessageContent, "m.relates_to" | "m.new_content">;
}

/** Content of an `m.reaction`. */
export interface ReactionContent {
  readonly "m.relates_to": { readonly rel_type: "m.annotation"; readonly event_id: EventId; readonly key: string };
}

/** Where a message stands in the room. */
export interface Placement {
  /** Root of the thread to write into. */
  readonly thread?: EventId;
  /** The message answered. Inside a thread this is a true reply; without it older clients see a reply to the root. */
  readonly replyTo?: EventId;
}

/** Whom a message may reach. */
export interface Audience {
  /** Display names by id: an MXID in the text becomes a pill when it stands here. Default: none. */
  readonly members?: Members;
  /** Of those that the text names, who may be notified. Default: nobody. */
  readonly mayMention?: ReadonlySet<UserId>;
  /** Notified whatever the text says, e.g. the person who asked. Default: nobody. */
  readonly mentions?: readonly UserId[];
}

export interface TextMessage extends Placement, Audience {
  /** Markdown. */
  readonly text: string;
  /** `m.notice` for what no agent or bot should answer. */
  readonly msgtype: "m.text" | "m.notice";
  readonly extra?: Extra;
}

export interface FileMessage extends Placement, Audience {
  readonly mxc: MxcUri;
  readonly name: string;
  readonly mimeType: string;
  /** Bytes. */
  readonly size: number;
  /** Markdown shown beside the file. */
  readonly caption?: string;
  readonly extra?: Extra;
}

/**
 * A text or notice. The HTML is left out when the event would be too large with it; a `text` of up to 30,000 bytes then
 * always fits, longer ones are for {@link fileMessage}.
 */
export function textMessage(message: TextMessage): MessageContent {
  return withoutHtmlIfLarge({
    msgtype: message.msgtype,
    ...written(message.text, message),
    ...relation(message),
    ...message.extra,
  });
}

/** A file in the media store, with a caption (spec v1.10: `body` is the caption when `filename` differs from it). */
export function fileMessage(file: FileMessage): MessageContent {
  const name = singleLine(file.name, 255) || "file";
  return withoutHtmlIfLarge({
    msgtype: msgtypeOf(file.mimeType),
    // A name is no markdown: __init__.py is not bold.
    ...(file.caption === undefined
      ? { body: name, "m.mentions": mentionsOf(file.mentions ?? []) }
      : written(file.caption, file)),
    filename: name,
    url: file.mxc,
    info: { mimetype: file.mimeType, size: file.size },
    ...relation(file),
    ...file.extra,
  });
}

/**
 * Replaces an earlier message of the same sender. `alreadyMentioned` are the people whom the message has notified before:
 * only the others are notified by the edit (spec v1.7, "Edits of events with mentions"). The fallback for clients
 * without edits is the plain body; it is shortened when the event would be too large.
 */
export function editMessage(
  target: EventId,
  newContent: MessageContent,
  alreadyMentioned: readonly UserId[] = [],
): MessageContent {
  // The original's relation stays in force, and spec says to leave it out here.
  const { "m.relates_to": _relation, "m.new_content": _nested, ...kept } = newContent;
  const before = new Set(alreadyMentioned);
  const added = (newContent["m.mentions"].user_ids ?? []).filter((id) => !before.has(id));
  const edit: MessageContent = {
    ...mediaOf(newContent),
    msgtype: newContent.msgtype,
    body: `* ${newContent.body}`,
    "m.mentions": mentionsOf(added),
    "m.new_content": kept,
    "m.relates_to": { rel_type: "m.replace", event_id: target },
  };
  if (fitsEvent(edit)) return edit;
  const shorter = { ...edit, body: truncate(edit.body, maxFallbackChars) };
  return fitsEvent(shorter) ? shorter : { ...shorter, "m.new_content": withoutHtml(kept) };
}

const maxFallbackChars = 100;

/** A reaction, e.g. the ✅ that the bot puts under an approval. */
export function reaction(target: EventId, key: string): ReactionContent {
  return { "m.relates_to": { rel_type: "m.annotation", event_id: target, key } };
}

function written(text: string, audience: Audience): Pick<MessageContent, "body" | "m.mentions"> {
  const { body, formattedBody, named } = renderMarkdown(text, audience.members);
  const notified = named.filter((id) => audience.mayMention?.has(id));
  return {
    body,
    ...(formattedBody !== undefined && { format: "org.matrix.custom.html" as const, formatted_body: formattedBody }),
    "m.mentions": mentionsOf([...(audience.mentions ?? []), ...notified]),
  };
}

function relation({ thread, replyTo }: Placement): Pick<MessageContent, "m.relates_to"> {
  if (thread !== undefined) {
    return {
      "m.relates_to": {
        rel_type: "m.thread",
        event_id: thread,
        is_falling_back: replyTo === undefined,
        "m.in_reply_to": { event_id: replyTo ?? thread },
      },
    };
  }
  return replyTo === undefined ? {} : { "m.relates_to": { "m.in_reply_to": { event_id: replyTo } } };
}

/** SVG is not an image here: clients refuse to show it, and offer it as a file instead. */
function msgtypeOf(mimeType: string): string {
  const kind = /^(image|audio|video)\/(?!svg)/.exec(cleanText(mimeType).toLowerCase())?.[1];
  return kind === undefined ? "m.file" : `m.${kind}`;
}

/** A client without edits shows the fallback as a file again, and needs its address. */
function mediaOf({ filename, url, info }: MessageContent): Partial<MessageContent> {
  return {
    ...(filename !== undefined && { filename }),
    ...(url !== undefined && { url }),
    ...(info !== undefined && { info }),
  };
}

function withoutHtmlIfLarge(content: MessageContent): MessageContent {
  return fitsEvent(content) ? content : withoutHtml(content);
}

function withoutHtml<C extends Pick<MessageContent, "format" | "formatted_body">>(
  content: C,
): Omit<C, "format" | "formatted_body"> {
  const { format: _format, formatted_body: _html, ...plain } = content;
  return plain;
}

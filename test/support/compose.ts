/** Message contents as Element composes them. */

export interface Saying {
  /** User ids that are notified. Element always sets `m.mentions`, also when it names nobody. */
  readonly mentions?: readonly string[];
  readonly html?: string;
  /** Root of the thread that it is said in. */
  readonly thread?: string;
  /** The message that it answers; its author is to be among `mentions`, as Element does. */
  readonly replyTo?: string;
}

type Content = Record<string, unknown>;

export function textContent(text: string, saying: Saying = {}): Content {
  const { html, mentions = [] } = saying;
  return {
    msgtype: "m.text",
    body: text,
    ...(html !== undefined && { format: "org.matrix.custom.html", formatted_body: html }),
    "m.mentions": mentions.length > 0 ? { user_ids: mentions } : {},
    ...relation(saying),
  };
}

/** A pill and the text behind it, as Element sends it when a person picks somebody after `@`. */
export function mentionContent(user: string, displayName: string, text: string, saying: Saying = {}): Content {
  const pill = `<a href="https://matrix.to/#/${user}">${escapeHtml(displayName)}</a>`;
  return textContent(`${displayName}: ${text}`, {
    ...saying,
    html: `${pill}: ${escapeHtml(text)}`,
    mentions: [user, ...(saying.mentions ?? [])],
  });
}

export function editContent(event: string, text: string, saying: Saying = {}): Content {
  const content = textContent(text, { ...saying });
  return {
    ...content,
    body: `* ${text}`,
    // People who were mentioned before the edit are not notified again.
    "m.mentions": {},
    "m.new_content": content,
    "m.relates_to": { rel_type: "m.replace", event_id: event },
  };
}

export interface Attachment {
  readonly name: string;
  readonly mimeType: string;
  readonly bytes: Uint8Array;
  /** Said beside the file, in the same event. */
  readonly caption?: string;
}

export function attachmentContent(
  msgtype: "m.file" | "m.image",
  url: string,
  file: Attachment,
  saying: Saying = {},
): Content {
  return {
    ...textContent(file.caption ?? file.name, saying),
    msgtype,
    filename: file.name,
    url,
    info: { mimetype: file.mimeType, size: file.bytes.byteLength, ...(msgtype === "m.image" && { w: 1, h: 1 }) },
  };
}

function relation(saying: Saying): Content {
  const { thread, replyTo } = saying;
  if (thread !== undefined) {
    // Inside a thread every message carries a fallback for clients without threads.
    const inReplyTo = { "m.in_reply_to": { event_id: replyTo ?? thread } };
    return {
      "m.relates_to": { rel_type: "m.thread", event_id: thread, is_falling_back: replyTo === undefined, ...inReplyTo },
    };
  }
  return replyTo === undefined ? {} : { "m.relates_to": { "m.in_reply_to": { event_id: replyTo } } };
}

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

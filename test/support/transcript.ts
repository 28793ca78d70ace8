/** What a person sees in a room: messages with their edits, redactions and reactions folded in, as a client shows them. */

/** An event as `/sync` and `/messages` give it. */
export interface RawEvent {
  readonly event_id: string;
  readonly sender: string;
  readonly type: string;
  readonly origin_server_ts: number;
  readonly state_key?: string | undefined;
  readonly redacts?: string | undefined;
  readonly content: Readonly<Record<string, unknown>>;
}

/** One message of the timeline, as it looks now. */
export interface Said {
  readonly id: string;
  readonly sender: string;
  /** `m.text`, `m.notice`, `m.file`, … */
  readonly msgtype: string;
  /** The current text: of the last edit, or the original. Empty when redacted. */
  readonly text: string;
  readonly html: string | undefined;
  /** The current content: `m.new_content` of the last edit, or the original. */
  readonly content: Readonly<Record<string, unknown>>;
  /** The content as first sent, before edits. */
  readonly original: Readonly<Record<string, unknown>>;
  /** How many times it was edited. */
  readonly edits: number;
  readonly redacted: boolean;
  /** Root of the thread that it is in. */
  readonly thread: string | undefined;
  /** What it replies to; not the fallback that every message of a thread carries. */
  readonly replyTo: string | undefined;
  /** `m.mentions.user_ids` of the current content. */
  readonly mentions: readonly string[];
  readonly reactions: readonly { readonly key: string; readonly sender: string }[];
  /** Milliseconds since the epoch, by the sender's homeserver. */
  readonly ts: number;
}

export class Transcript {
  /** In the order of arrival. */
  readonly #events = new Map<string, RawEvent>();

  constructor(events: Iterable<RawEvent> = []) {
    for (const event of events) this.add(event);
  }

  add(event: RawEvent): void {
    if (!this.#events.has(event.event_id)) this.#events.set(event.event_id, event);
  }

  /** All events, of every type, without the folding. */
  get events(): readonly RawEvent[] {
    return [...this.#events.values()];
  }

  /** Whether `later` is `earlier` or stands after it. */
  reaches(later: string, earlier: string): boolean {
    const ids = [...this.#events.keys()];
    return ids.includes(earlier) && ids.indexOf(later) >= ids.indexOf(earlier);
  }

  /** The messages of the timeline in order; edits are folded into what they edit. */
  said(): readonly Said[] {
    const redacted = new Set<string>();
    for (const event of this.#events.values()) {
      if (event.type !== "m.room.redaction") continue;
      const target = event.content["redacts"] ?? event.redacts;
      if (typeof target === "string") redacted.add(target);
    }
    const edits = new Map<string, RawEvent[]>();
    const reactions = new Map<string, { key: string; sender: string }[]>();
    const messages: RawEvent[] = [];
    for (const event of this.#events.values()) {
      const relation = relationOf(event.content);
      if (event.type === "m.reaction" && !redacted.has(event.event_id) && relation.event_id !== undefined) {
        append(reactions, relation.event_id, { key: relation.key ?? "", sender: event.sender });
      }
      if (event.type !== "m.room.message") continue;
      const edited = relation.rel_type === "m.replace" ? relation.event_id : undefined;
      if (edited === undefined) messages.push(event);
      // An edit by anybody else than the author is none.
      else if (this.#events.get(edited)?.sender === event.sender && !redacted.has(event.event_id))
        append(edits, edited, event);
    }
    return messages.map((event) =>
      fold(event, edits.get(event.event_id) ?? [], reactions.get(event.event_id) ?? [], redacted.has(event.event_id)),
    );
  }

  /** A readable form, for the message of a failed wait. */
  toString(): string {
    const lines = this.said().map((one) => {
      const edits = one.edits === 0 ? "" : ` (${one.edits} edits)`;
      return `  ${one.sender}${edits}: ${one.redacted ? "[redacted]" : one.text.slice(0, 200)}`;
    });
    return lines.length === 0 ? "  (nothing was said)" : lines.join("\n");
  }
}

function fold(event: RawEvent, edits: readonly RawEvent[], reactions: Said["reactions"], redacted: boolean): Said {
  const content = redacted ? {} : asObject(edits.at(-1)?.content["m.new_content"] ?? event.content);
  const relation = relationOf(event.content);
  const isFallback = relation.rel_type === "m.thread" && relation.is_falling_back;
  return {
    id: event.event_id,
    sender: event.sender,
    msgtype: asText(content["msgtype"]) ?? "",
    text: asText(content["body"]) ?? "",
    html: asText(content["formatted_body"]),
    content,
    original: event.content,
    edits: edits.length,
    redacted: redacted || Object.keys(event.content).length === 0,
    thread: relation.rel_type === "m.thread" ? relation.event_id : undefined,
    replyTo: isFallback ? undefined : asText(asObject(relation["m.in_reply_to"])["event_id"]),
    mentions: asTexts(asObject(content["m.mentions"])["user_ids"]),
    reactions,
    ts: event.origin_server_ts,
  };
}

interface Relation {
  readonly rel_type: string | undefined;
  readonly event_id: string | undefined;
  readonly key: string | undefined;
  readonly is_falling_back: boolean;
  readonly "m.in_reply_to": unknown;
}

function relationOf(content: Readonly<Record<string, unknown>>): Relation {
  const relation = asObject(content["m.relates_to"]);
  return {
    rel_type: asText(relation["rel_type"]),
    event_id: asText(relation["event_id"]),
    key: asText(relation["key"]),
    is_falling_back: relation["is_falling_back"] === true,
    "m.in_reply_to": relation["m.in_reply_to"],
  };
}

function append<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function asTexts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** What was said in a room, as somebody who comes in reads it: edits applied, and without what was taken back. */
import { asEventId, asUserId, type EventId, type UserId } from "../core/ids.ts";
import { decodeMessage } from "./compose/incoming.ts";
import { wordsOf } from "./decode.ts";
import { asObject, type JsonObject } from "./json.ts";

export interface Said {
  readonly sender: UserId;
  /** The newest words; of a file without a caption its name. */
  readonly text: string;
  /** When it was said first. Milliseconds since the epoch. */
  readonly ts: number;
  readonly event: EventId;
}

/** Folds the events of a room, given from the newest to the oldest, so that an edit comes before what it edits. */
export class Recent {
  readonly #newestFirst: Said[] = [];
  /** The newest words for a message, by its event and who edited it: only its sender may, but anybody can try. */
  readonly #edits = new Map<string, string>();

  /** Messages so far, without counting edits. */
  get count(): number {
    return this.#newestFirst.length;
  }

  add(raw: unknown): void {
    const event = asObject(raw);
    const sender = asUserId(event?.["sender"]);
    const id = asEventId(event?.["event_id"]);
    const ts = event?.["origin_server_ts"];
    if (event === undefined || sender === undefined || id === undefined || typeof ts !== "number") return;
    if (event["type"] !== "m.room.message" || event["state_key"] !== undefined) return;
    const edit = editIn(event);
    if (edit !== undefined) {
      const key = `${edit} ${sender}`;
      if (!this.#edits.has(key)) this.#edits.set(key, textOf(event, sender) ?? "");
      return;
    }
    const text = this.#editedBy(sender, id, event) ?? textOf(event, sender);
    if (text !== undefined) this.#newestFirst.push({ sender, text, ts, event: id });
  }

  /** The newest messages, the oldest of them first. */
  newest(limit: number): readonly Said[] {
    return this.#newestFirst.slice(0, limit).toReversed();
  }

  /** The homeserver adds the newest edit to a message; in a thread's list that is the only place where it stands. */
  #editedBy(sender: UserId, id: EventId, event: JsonObject): string | undefined {
    if (textOf(event, sender) === undefined) return undefined;
    const bundled = asObject(asObject(asObject(event["unsigned"])?.["m.relations"])?.["m.replace"]);
    if (bundled !== undefined && bundled["sender"] === sender && editIn(bundled) === id) return textOf(bundled, sender);
    return this.#edits.get(`${id} ${sender}`);
  }
}

/** What the event replaces, when it is a well-formed edit that was not redacted. */
function editIn(event: JsonObject): EventId | undefined {
  return decodeMessage(event["content"])?.edits?.target;
}

/** `undefined` for a redacted event: nothing of its content is left. */
function textOf(event: JsonObject, sender: UserId): string | undefined {
  const said = decodeMessage(event["content"]);
  if (said === undefined) return undefined;
  const words = said.edits?.newContent ?? said;
  return wordsOf(words, sender) || words.attachment?.name || "";
}

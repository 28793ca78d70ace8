/**
 * What the person of the demo sees of their rooms: fed with the answers of `/sync`, it keeps the messages with their
 * edits folded in, tells a reader about each when it is final, and lets others wait for one.
 *
 * An agent's answer grows by edits while it is being written. It is final when its author no longer types.
 */
import { editSchema, relationSchema, type Sync, type SyncEvent, textSchema, typingSchema } from "./sync.ts";

export interface Message {
  readonly id: string;
  readonly room: string;
  readonly sender: string;
  readonly ts: number;
  /** The current text; of a file, its name or caption. */
  text: string;
  /** `m.text`, `m.notice`, `m.file`, … */
  msgtype: string;
  /** It tells an error of the bridge instead of an answer. */
  failed: boolean;
}

/** Something that happened, ready to be shown. */
export interface Shown {
  readonly ts: number;
  readonly room: string;
  /** A user id. */
  readonly who: string;
  readonly text: string;
  /** `more`: the text goes on after what was shown of the message before. */
  readonly kind: "message" | "more" | "correction" | "action";
}

export class RoomView {
  readonly #me: string;
  readonly #show: (shown: Shown) => void;
  readonly #names = new Map<string, string>();
  readonly #messages = new Map<string, Message>();
  /** Messages not yet shown. */
  readonly #held = new Set<Message>();
  readonly #shown = new Map<string, string>();
  readonly #typing = new Map<string, ReadonlySet<string>>();
  /** Memberships by room and user. */
  readonly #members = new Map<string, Map<string, string>>();
  readonly #waiting = new Set<() => void>();

  constructor(me: string, show: (shown: Shown) => void) {
    this.#me = me;
    this.#show = show;
  }

  /** The display name of a user; the name of a room, or whom it is a chat with; the id when there is nothing better. */
  nameOf(id: string): string {
    const name = this.#names.get(id);
    if (name !== undefined || !id.startsWith("!")) return name ?? id;
    const others = [...(this.#members.get(id)?.keys() ?? [])].filter((user) => user !== this.#me);
    return others.length > 0 ? `direct chat with ${others.map((user) => this.nameOf(user)).join(", ")}` : id;
  }

  isTyping(room: string, user: string): boolean {
    return this.#typing.get(room)?.has(user) ?? false;
  }

  isJoined(room: string, user: string): boolean {
    return this.#members.get(room)?.get(user) === "join";
  }

  /** Messages of one person in one room, oldest first. */
  messages(room: string, sender: string): readonly Message[] {
    return [...this.#messages.values()].filter((one) => one.room === room && one.sender === sender);
  }

  /** Resolves to the first value other than `undefined` that `probe` gives, now or after a sync. */
  until<T>(probe: () => T | undefined, signal: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const ask = (): void => {
      const found = probe();
      if (found !== undefined) resolve(found);
    };
    const giveUp = (): void =>
      reject(signal.reason instanceof Error ? signal.reason : new DOMException("Aborted", "AbortError"));
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    this.#waiting.add(ask);
    ask();
    return promise.finally(() => {
      this.#waiting.delete(ask);
      signal.removeEventListener("abort", giveUp);
    });
  }

  /** Takes one answer of `/sync`. The first one tells what is old and is not shown. */
  take(sync: Sync, old: boolean): void {
    for (const [room, { state, timeline, ephemeral }] of Object.entries(sync.rooms.join)) {
      const before = new Map(this.#members.get(room));
      // All names first: a room's name comes after the joins that are shown with it.
      for (const event of [...state.events, ...timeline.events]) this.#takeState(room, event);
      for (const event of old ? [] : timeline.events) {
        if (event.type === "m.room.member") this.#showMembership(room, event, before);
        else if (event.state_key === undefined) this.#takeTimeline(room, event);
      }
      for (const event of ephemeral.events) {
        const typing = event.type === "m.typing" ? typingSchema.safeParse(event.content) : undefined;
        if (typing?.success === true) this.#typing.set(room, new Set(typing.data.user_ids));
      }
    }
    this.#release();
    for (const ask of this.#waiting) ask();
  }

  #takeState(room: string, { type, content, state_key: key }: SyncEvent): void {
    if (type === "m.room.name" && typeof content["name"] === "string") this.#names.set(room, content["name"]);
    if (type !== "m.room.member" || key === undefined) return;
    const members = this.#members.get(room) ?? new Map<string, string>();
    this.#members.set(room, members.set(key, membershipOf(content)));
    if (typeof content["displayname"] === "string") this.#names.set(key, content["displayname"]);
  }

  /** `before` holds the memberships as they were, and takes this one: a changed name or picture is not shown. */
  #showMembership(room: string, event: SyncEvent, before: Map<string, string>): void {
    const { state_key: who = "", content, origin_server_ts: ts } = event;
    const membership = membershipOf(content);
    const text = membershipWords[membership];
    // That one is in one's own room goes without saying, and comes before the room has its name.
    const isNews = before.get(who) !== membership && !(who === this.#me && membership === "join");
    if (text !== undefined && isNews) this.#show({ ts, room, who, text, kind: "action" });
    before.set(who, membership);
  }

  #takeTimeline(room: string, event: SyncEvent): void {
    const { sender, origin_server_ts: ts } = event;
    const relation = relationSchema.safeParse(event.content).data;
    if (event.type === "m.reaction" && relation?.event_id !== undefined) {
      const target = this.#messages.get(relation.event_id);
      const whose = target === undefined ? "a message" : `the message of ${this.nameOf(target.sender)}`;
      this.#show({ ts, room, who: sender, text: `put ${relation.key ?? "a reaction"} on ${whose}`, kind: "action" });
    }
    if (event.type !== "m.room.message") return;
    if (relation?.rel_type === "m.replace") {
      const message = this.#messages.get(relation.event_id ?? "");
      const edit = editSchema.safeParse(event.content);
      if (message === undefined || message.sender !== sender || !edit.success) return;
      message.text = edit.data.body;
      message.msgtype = edit.data.msgtype;
      message.failed = isFailure(edit.data);
      this.#held.add(message);
      return;
    }
    const text = textSchema.safeParse(event.content);
    if (!text.success) return;
    const { body, msgtype, filename } = text.data;
    const isFile = msgtype !== "m.text" && msgtype !== "m.notice" && msgtype !== "m.emote";
    const shownText = !isFile
      ? body
      : `[${filename ?? body}]${filename === undefined || filename === body ? "" : ` ${body}`}`;
    const message = { id: event.event_id, room, sender, ts, text: shownText, msgtype, failed: isFailure(text.data) };
    this.#messages.set(message.id, message);
    this.#held.add(message);
  }

  /** Shows what is final. */
  #release(): void {
    for (const message of this.#held) {
      const { id, room, sender, ts, text } = message;
      if (this.isTyping(room, sender)) continue;
      this.#held.delete(message);
      const before = this.#shown.get(id);
      if (before === text) continue;
      this.#shown.set(id, text);
      if (before === undefined) this.#show({ ts, room, who: sender, text, kind: "message" });
      else if (!text.startsWith(before)) this.#show({ ts, room, who: sender, text, kind: "correction" });
      else this.#show({ ts, room, who: sender, text: text.slice(before.length), kind: "more" });
    }
  }
}

const membershipWords: Readonly<Record<string, string>> = {
  invite: "is invited",
  join: "joined",
  leave: "left",
  ban: "is banned",
};

function isFailure(content: { readonly "dev.crewroom.error"?: unknown }): boolean {
  return content["dev.crewroom.error"] !== undefined;
}

function membershipOf(content: SyncEvent["content"]): string {
  const { membership } = content;
  return typeof membership === "string" ? membership : "";
}

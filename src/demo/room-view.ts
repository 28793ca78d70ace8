/**
 * What the person of the demo sees of their rooms: fed with the answers of `/sync`, it keeps the messages with their
 * edits folded in, tells a reader about each when it is final, and lets others wait for one.
 *
 * An agent's answer grows by edits while it is being written. It is final when its author no longer types. What is said
 * of a task (it has a typed part, or is a notice) is complete at once.
 */
import { commitText } from "./commit-text.ts";
import { membershipOf, RoomFacts } from "./room-facts.ts";
import {
  editSchema,
  relationSchema,
  type Sync,
  type SyncEvent,
  type Text,
  textSchema,
  type TypedAction,
  type TypedApproval,
  type TypedCommit,
} from "./sync.ts";

export interface Message {
  readonly id: string;
  readonly room: string;
  readonly sender: string;
  readonly ts: number;
  /** The message that its thread began with. */
  readonly thread: string | undefined;
  /** The message that it answers. */
  readonly replyTo: string | undefined;
  /** The current text; of a file, its caption and its name. */
  text: string;
  /** `m.text`, `m.notice`, `m.file`, … */
  msgtype: string;
  /** Of the newest edit, or of the message itself. */
  changed: number;
  /** It tells an error of the bridge instead of an answer. */
  failed: boolean;
  action: TypedAction | undefined;
  approval: TypedApproval | undefined;
  commit: TypedCommit | undefined;
  file: ViewedFile | undefined;
}

/** A file that a message carries. */
export interface ViewedFile {
  readonly name: string;
  /** `mxc://…` */
  readonly address: string;
}

/** Something that happened, ready to be shown. */
export interface Shown {
  readonly ts: number;
  readonly room: string;
  /** A user id. */
  readonly who: string;
  readonly text: string;
  /** `more`: the text goes on after what was shown of the message before. `status`: only what an edit has changed. */
  readonly kind: "message" | "more" | "correction" | "status" | "action";
  /** Of a message in a thread: the subtask whose thread it is, or `thread` for one about something else. */
  readonly thread?: string;
}

export class RoomView {
  readonly facts: RoomFacts;
  readonly #me: string;
  readonly #show: (shown: Shown) => void;
  readonly #messages = new Map<string, Message>();
  /** Messages not yet shown. */
  readonly #held = new Set<Message>();
  readonly #shown = new Map<string, string>();
  readonly #waiting = new Set<() => void>();

  constructor(me: string, show: (shown: Shown) => void) {
    this.facts = new RoomFacts(me);
    this.#me = me;
    this.#show = show;
  }

  /** Messages in one room, oldest first; only those of one person when `sender` is given. */
  messages(room: string, sender?: string): readonly Message[] {
    return [...this.#messages.values()].filter(
      (one) => one.room === room && (sender === undefined || one.sender === sender),
    );
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
    for (const [room, { invite_state: state }] of Object.entries(sync.rooms.invite))
      for (const event of state.events) this.facts.takeState(room, event);
    for (const [room, { state, timeline, ephemeral }] of Object.entries(sync.rooms.join)) {
      const before = new Map(this.facts.members(room));
      let topic = topicOf(this.facts.state(room, topicType));
      // All names first: a room's name comes after the joins that are shown with it.
      for (const event of [...state.events, ...timeline.events]) this.facts.takeState(room, event);
      for (const event of ephemeral.events) this.facts.takeEphemeral(room, event);
      for (const event of old ? [] : timeline.events) {
        if (event.type === "m.room.member") this.#showMembership(room, event, before);
        else if (event.type === topicType) topic = this.#showTopic(room, event, topic);
        else if (event.state_key === undefined) this.#takeTimeline(room, event);
      }
    }
    for (const message of this.#held) this.#release(message);
    for (const ask of this.#waiting) ask();
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

  /** The bot tells in it how a task is going. The first one is nothing new. */
  #showTopic(room: string, { sender: who, content, origin_server_ts: ts }: SyncEvent, before: string): string {
    const topic = topicOf(content);
    if (before !== "" && before !== topic)
      this.#show({ ts, room, who, text: `changed the topic: ${topic}`, kind: "action" });
    return topic;
  }

  #takeTimeline(room: string, event: SyncEvent): void {
    if (event.type === "m.reaction") this.#showReaction(room, event);
    if (event.type !== "m.room.message") return;
    const { sender, origin_server_ts: ts } = event;
    const relation = relationSchema.safeParse(event.content).data;
    if (relation?.rel_type === "m.replace") {
      const message = this.#messages.get(relation.event_id ?? "");
      const edit = editSchema.safeParse(event.content);
      if (message === undefined || message.sender !== sender || !edit.success) return;
      Object.assign(message, changing(edit.data), { changed: ts });
      this.#hold(message);
      return;
    }
    const text = textSchema.safeParse(event.content);
    if (!text.success) return;
    const thread = relation?.rel_type === "m.thread" ? relation.event_id : undefined;
    const replyTo = relation?.["m.in_reply_to"]?.event_id;
    const message: Message = {
      id: event.event_id,
      room,
      sender,
      ts,
      changed: ts,
      thread,
      replyTo,
      ...changing(text.data),
    };
    this.#messages.set(message.id, message);
    this.#hold(message);
  }

  #showReaction(room: string, { sender: who, origin_server_ts: ts, content }: SyncEvent): void {
    const { event_id: id, key = "a reaction" } = relationSchema.safeParse(content).data ?? {};
    if (id === undefined) return;
    const target = this.#messages.get(id);
    // Under a question the bot puts the reactions that can be chosen; its text lists them already.
    if (target?.sender === who) return;
    const what = target === undefined ? "a message" : `“${shortened(firstLine(target.text))}”`;
    this.#show({ ts, room, who, text: `put ${key} on ${what}`, kind: "action" });
  }

  #hold(message: Message): void {
    this.#held.add(message);
    if (message.msgtype === "m.notice" || isTyped(message)) this.#release(message);
  }

  /** Shows it when it is final. */
  #release(message: Message): void {
    const { id, room, sender: who, text } = message;
    if (!isTyped(message) && message.msgtype !== "m.notice" && this.facts.isTyping(room, who)) return;
    this.#held.delete(message);
    const before = this.#shown.get(id);
    if (before === text) return;
    const ts = before === undefined ? message.ts : message.changed;
    this.#shown.set(id, text);
    const thread = this.#threadOf(message);
    const common = { ts, room, who, ...(thread === undefined ? {} : { thread }) };
    // What a subtask is to deliver stands in the plan already; its own message shows how it is going.
    const isRoot = message.action?.kind === "subtask";
    if (before === undefined) this.#show({ ...common, text: shownFirst(message, isRoot), kind: "message" });
    else if (isRoot) {
      if (firstLine(before) !== firstLine(text)) this.#show({ ...common, text: firstLine(text), kind: "status" });
    } else if (isTyped(message)) {
      const added = newLines(before, text);
      // What only takes lines away, such as a question that is settled, is told by what settled it.
      if (added !== "") this.#show({ ...common, text: added, kind: "status" });
    } else if (!text.startsWith(before)) this.#show({ ...common, text, kind: "correction" });
    else this.#show({ ...common, text: text.slice(before.length), kind: "more" });
  }

  #threadOf({ thread }: Message): string | undefined {
    return thread === undefined ? undefined : (this.#messages.get(thread)?.action?.subtask ?? "thread");
  }
}

const topicType = "m.room.topic";
const quotedChars = 40;
const membershipWords: Readonly<Record<string, string>> = {
  invite: "is invited",
  join: "joined",
  leave: "left",
  ban: "is banned",
};

function topicOf(content: SyncEvent["content"] = {}): string {
  const { topic } = content;
  return typeof topic === "string" ? topic : "";
}

/** What an edit changes. */
function changing(content: Text): Omit<Message, "id" | "room" | "sender" | "ts" | "changed" | "thread" | "replyTo"> {
  const { body, msgtype, filename, url, info } = content;
  const isFile = msgtype !== "m.text" && msgtype !== "m.notice" && msgtype !== "m.emote";
  const name = filename ?? body;
  const size = info?.size === undefined ? "" : ` (${info.size.toLocaleString("en")} bytes)`;
  const caption = name === body ? "" : `${body}\n`;
  return {
    text: isFile ? `${caption}📎 ${name}${size}` : body,
    msgtype,
    file: isFile && url !== undefined ? { name, address: url } : undefined,
    failed: content["dev.crewroom.error"] !== undefined,
    action: content["dev.crewroom.action"],
    approval: content["dev.crewroom.approval"],
    commit: content["dev.crewroom.commit"],
  };
}

function isTyped({ action, approval, commit }: Message): boolean {
  return action !== undefined || approval !== undefined || commit !== undefined;
}

function shownFirst({ text, commit }: Message, isRoot: boolean): string {
  if (isRoot) return firstLine(text);
  return commit === undefined ? text : commitText(text, commit);
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0] ?? "";
}

function shortened(markdown: string): string {
  const text = markdown.replaceAll("**", "");
  return text.length <= quotedChars ? text : `${text.slice(0, quotedChars).trimEnd()}…`;
}

function newLines(before: string, after: string): string {
  const old = new Set(before.split("\n"));
  return after
    .split("\n")
    .filter((line) => !old.has(line))
    .join("\n");
}

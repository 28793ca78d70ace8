/** What the person of the demo knows of rooms: names, who is in them, who types, and their state events. */
import { type SyncEvent, typingSchema } from "./sync.ts";

type Content = SyncEvent["content"];

export class RoomFacts {
  readonly #me: string;
  /** Display names of users. */
  readonly #names = new Map<string, string>();
  readonly #typing = new Map<string, ReadonlySet<string>>();
  /** Memberships by room and user. */
  readonly #members = new Map<string, Map<string, string>>();
  /** Contents by room, type and key. */
  readonly #state = new Map<string, Map<string, Map<string, Content>>>();

  constructor(me: string) {
    this.#me = me;
  }

  takeState(room: string, { type, content, state_key: key }: SyncEvent): void {
    if (key === undefined) return;
    const types = this.#state.get(room) ?? new Map<string, Map<string, Content>>();
    this.#state.set(room, types.set(type, (types.get(type) ?? new Map<string, Content>()).set(key, content)));
    if (type !== "m.room.member") return;
    const members = this.#members.get(room) ?? new Map<string, string>();
    this.#members.set(room, members.set(key, membershipOf(content)));
    if (typeof content["displayname"] === "string") this.#names.set(key, content["displayname"]);
  }

  takeEphemeral(room: string, event: SyncEvent): void {
    const typing = event.type === "m.typing" ? typingSchema.safeParse(event.content) : undefined;
    if (typing?.success === true) this.#typing.set(room, new Set(typing.data.user_ids));
  }

  /** The display name of a user; the name of a room, or whom it is a chat with; the id when there is nothing better. */
  nameOf(id: string): string {
    if (!id.startsWith("!")) return this.#names.get(id) ?? id;
    const name = this.state(id, "m.room.name")?.["name"];
    if (typeof name === "string") return name;
    const others = [...(this.#members.get(id)?.keys() ?? [])].filter((user) => user !== this.#me);
    return others.length > 0 ? `direct chat with ${others.map((user) => this.nameOf(user)).join(", ")}` : id;
  }

  isTyping(room: string, user: string): boolean {
    return this.#typing.get(room)?.has(user) ?? false;
  }

  /** Memberships by user. */
  members(room: string): ReadonlyMap<string, string> {
    return this.#members.get(room) ?? new Map<string, string>();
  }

  /** The content of a state event. */
  state(room: string, type: string, key = ""): Content | undefined {
    return this.#state.get(room)?.get(type)?.get(key);
  }

  /** The contents of all state events of a type, by key. */
  states(room: string, type: string): ReadonlyMap<string, Content> {
    return this.#state.get(room)?.get(type) ?? new Map<string, Content>();
  }

  membership(room: string, user: string): string | undefined {
    return this.#members.get(room)?.get(user);
  }
}

export function membershipOf(content: Content): string {
  const { membership } = content;
  return typeof membership === "string" ? membership : "";
}

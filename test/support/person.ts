/** A person in front of Element, played by matrix-js-sdk: what Element sends is sent, and what it would show can be awaited. */
import {
  ClientEvent,
  createClient,
  Direction,
  EventType,
  Filter,
  type ICreateClientOpts,
  type MatrixClient,
  type MatrixEvent,
  MatrixError,
  Preset,
  type Room,
  RoomEvent,
  type RoomMember,
  RoomMemberEvent,
  SyncState,
  Visibility,
} from "matrix-js-sdk";
import { logger as globalLogger } from "matrix-js-sdk/lib/logger.js";
import { login } from "../../src/demo/accounts.ts";
import type { Synapse } from "../../src/demo/synapse.ts";
import { CrewError } from "../../src/core/errors.ts";
import { Changes } from "./changes.ts";
import {
  type Attachment,
  attachmentContent,
  editContent,
  mentionContent,
  type Saying,
  textContent,
} from "./compose.ts";
import { type RawEvent, type Said, Transcript } from "./transcript.ts";

export interface PersonOptions {
  readonly password?: string;
  /** Server admin. Default: no. */
  readonly admin?: boolean;
  readonly displayName?: string;
}

export interface NewRoom {
  readonly name?: string;
  readonly invite?: readonly string[];
  /** Default: the homeserver's. */
  readonly version?: string;
  /** Default: no. */
  readonly encrypted?: boolean;
  readonly public?: boolean;
}

export interface Deadline {
  /** Default: 30 s. */
  readonly timeoutMs?: number;
}

/** How a message is looked for: its exact text, a pattern, or a condition. Redacted messages are never found by text. */
export type Looked = string | RegExp | ((said: Said) => boolean);

interface Seen {
  transcript: Transcript;
  readonly typing: Set<string>;
  /** For each user the events that their public read receipt stood at. */
  readonly receipts: Map<string, Set<string>>;
}

export class Person implements AsyncDisposable {
  readonly client: MatrixClient;
  readonly userId: string;
  readonly homeserver: string;
  readonly #rooms = new Map<string, Seen>();
  readonly #changes = new Changes();

  private constructor(client: MatrixClient, homeserver: string) {
    this.client = client;
    this.homeserver = homeserver;
    this.userId = client.getSafeUserId();
    client.on(ClientEvent.Event, (event) => this.#take(event));
    client.on(ClientEvent.Sync, () => this.#changes.changed());
    client.on(RoomMemberEvent.Typing, (_event, member) => this.#takeTyping(member));
    client.on(RoomEvent.Receipt, (event, room) => this.#takeReceipts(room.roomId, event.getContent()));
    client.on(RoomEvent.TimelineReset, (room) => this.#fillGap(room));
  }

  /** Makes the account when it is missing, logs in on a new device, and resolves after the first sync. */
  static async login(homeserver: Synapse, name: string, options: PersonOptions = {}): Promise<Person> {
    const password = options.password ?? `password of ${name}`;
    const account = await homeserver.registerUser(name, password, options).catch((error: unknown) => {
      if (error instanceof CrewError && error.details["errcode"] === "M_USER_IN_USE")
        return login(homeserver.url, name, password);
      throw error;
    });
    const client = createClient({
      baseUrl: homeserver.url,
      userId: account.userId,
      accessToken: account.accessToken,
      deviceId: account.deviceId,
      disableVoip: true,
      logger: silence,
    });
    const person = new Person(client, homeserver.url);
    const filter = new Filter(account.userId);
    // The most that Synapse gives; what is beyond it is fetched when the SDK tells of a gap.
    filter.setTimelineLimit(100);
    await client.startClient({ initialSyncLimit: 100, filter, pollTimeout: 10_000 });
    await person.#changes.until(() => (client.getSyncState() === SyncState.Syncing ? true : undefined), {
      describe: () => `the first sync of ${name}`,
    });
    return person;
  }

  // Rooms

  async createRoom(room: NewRoom = {}): Promise<string> {
    const encryption = {
      type: EventType.RoomEncryption,
      state_key: "",
      content: { algorithm: "m.megolm.v1.aes-sha2" },
    };
    const { room_id } = await this.client.createRoom({
      preset: room.public === true ? Preset.PublicChat : Preset.PrivateChat,
      visibility: Visibility.Private,
      ...(room.name !== undefined && { name: room.name }),
      ...(room.version !== undefined && { room_version: room.version }),
      invite: [...(room.invite ?? [])],
      initial_state: room.encrypted === true ? [encryption] : [],
    });
    return room_id;
  }

  /**
   * A direct chat as Element opens one: a room with the invite in it, then `m.direct`. Element makes the room only when
   * the person sends the first message, and sends that at once, before the other side can have joined.
   */
  async createDirectRoom(user: string, firstMessage?: string): Promise<string> {
    const { room_id } = await this.client.createRoom({
      preset: Preset.TrustedPrivateChat,
      visibility: Visibility.Private,
      is_direct: true,
      invite: [user],
      initial_state: [{ type: EventType.RoomGuestAccess, state_key: "", content: { guest_access: "can_join" } }],
    });
    const first = firstMessage === undefined ? undefined : this.say(room_id, firstMessage);
    const direct = this.client.getAccountData(EventType.Direct)?.getContent<Record<string, string[]>>() ?? {};
    await this.client.setAccountData(EventType.Direct, { ...direct, [user]: [...(direct[user] ?? []), room_id] });
    await first;
    return room_id;
  }

  /** `via`: servers that are in the room, for a room of another homeserver. */
  async join(room: string, via: readonly string[] = []): Promise<void> {
    await this.client.joinRoom(room, { viaServers: [...via] });
  }

  async invite(room: string, user: string): Promise<void> {
    await this.client.invite(room, user);
  }

  async leave(room: string): Promise<void> {
    await this.client.leave(room);
  }

  async kick(room: string, user: string, reason?: string): Promise<void> {
    await this.client.kick(room, user, reason);
  }

  async ban(room: string, user: string, reason?: string): Promise<void> {
    await this.client.ban(room, user, reason);
  }

  async unban(room: string, user: string): Promise<void> {
    await this.client.unban(room, user);
  }

  async setPowerLevel(room: string, user: string, level: number): Promise<void> {
    await this.client.setPowerLevel(room, user, level);
  }

  // Saying

  /** Gives the event's id. */
  say(room: string, text: string, saying: Saying = {}): Promise<string> {
    return this.send(room, "m.room.message", textContent(text, saying));
  }

  /** Says `text` to `user`, with a pill. */
  mention(room: string, user: string, text: string, saying: Saying = {}): Promise<string> {
    const name = this.client.getRoom(room)?.getMember(user)?.rawDisplayName ?? user;
    return this.send(room, "m.room.message", mentionContent(user, name, text, saying));
  }

  /** Replies to a message and notifies its author. */
  reply(room: string, to: Pick<Said, "id" | "sender">, text: string, saying: Saying = {}): Promise<string> {
    return this.say(room, text, { ...saying, replyTo: to.id, mentions: [to.sender, ...(saying.mentions ?? [])] });
  }

  edit(room: string, event: string, text: string, saying: Saying = {}): Promise<string> {
    return this.send(room, "m.room.message", editContent(event, text, saying));
  }

  react(room: string, event: string, key: string): Promise<string> {
    return this.send(room, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: event, key } });
  }

  async redact(room: string, event: string, reason?: string): Promise<string> {
    return (await this.client.redactEvent(room, event, undefined, reason === undefined ? {} : { reason })).event_id;
  }

  /** Sends any event, past the SDK's local echo. For what Element would never send, and for rooms that the SDK cannot encrypt. */
  async send(room: string, type: string, content: Record<string, unknown>): Promise<string> {
    const path = `/rooms/${encodeURIComponent(room)}/send/${encodeURIComponent(type)}/${this.client.makeTxnId()}`;
    return (await this.#request<{ event_id: string }>("PUT", path, content)).event_id;
  }

  /** What the other side sees of a message in an encrypted room: an event that it has no key for. */
  sayEncrypted(room: string): Promise<string> {
    const content = {
      algorithm: "m.megolm.v1.aes-sha2",
      ciphertext: "AwgAEpABm6Zy",
      session_id: "c2Vzc2lvbg",
      sender_key: "a2V5",
    };
    return this.send(room, "m.room.encrypted", content);
  }

  // Media

  async upload(file: Attachment): Promise<string> {
    const type = file.mimeType;
    const { content_uri } = await this.client.uploadContent(new Blob([Buffer.from(file.bytes)], { type }), {
      name: file.name,
      type,
    });
    return content_uri;
  }

  async sendFile(room: string, file: Attachment, saying: Saying = {}): Promise<string> {
    return this.send(room, "m.room.message", attachmentContent("m.file", await this.upload(file), file, saying));
  }

  async sendImage(room: string, file: Attachment, saying: Saying = {}): Promise<string> {
    return this.send(room, "m.room.message", attachmentContent("m.image", await this.upload(file), file, saying));
  }

  /** By the authenticated endpoint, the only one that a current Synapse serves. */
  async download(mxc: string): Promise<Buffer> {
    const url = this.client.mxcUrlToHttp(mxc, undefined, undefined, undefined, false, true, true);
    if (url === null) throw new Error(`${mxc} is no mxc URI`);
    const answer = await fetch(url, { headers: { authorization: `Bearer ${this.client.getAccessToken()}` } });
    if (!answer.ok) throw new Error(`${mxc}: ${answer.status} ${await answer.text()}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  // Seeing

  /** What has arrived by sync until now. */
  seen(room: string): readonly Said[] {
    return this.#seen(room).transcript.said();
  }

  /** The whole room from its beginning, read from the homeserver. */
  async timeline(room: string): Promise<readonly Said[]> {
    return new Transcript(await this.#history(room)).said();
  }

  /** All events of the room from its beginning, oldest first, read from the homeserver. */
  events(room: string): Promise<readonly RawEvent[]> {
    return this.#history(room);
  }

  /** The first message that fits, also when it arrived earlier or came to fit by an edit. */
  waitForMessage(room: string, looked: Looked, options: Deadline & { readonly from?: string } = {}): Promise<Said> {
    const fits = looking(looked);
    const { from } = options;
    return this.waitFor(room, `a message ${typeof looked === "function" ? "that fits" : String(looked)}`, options, () =>
      this.seen(room).find((said) => (from === undefined || said.sender === from) && fits(said)),
    );
  }

  /** Until `user` is typing, or with `typing: false` is not. */
  async waitForTyping(
    room: string,
    user: string,
    options: Deadline & { readonly typing?: boolean } = {},
  ): Promise<void> {
    const typing = options.typing ?? true;
    await this.waitFor(room, `${user} ${typing ? "" : "not "}typing`, options, () =>
      this.#seen(room).typing.has(user) === typing ? true : undefined,
    );
  }

  /** Until `user` has read `event` or anything after it. */
  async waitForReceipt(room: string, user: string, event: string, options: Deadline = {}): Promise<void> {
    await this.waitFor(room, `a receipt of ${user} for ${event}`, options, () => {
      const { receipts, transcript } = this.#seen(room);
      const read = [...(receipts.get(user) ?? [])];
      return read.some((at) => at === event || transcript.reaches(at, event)) ? true : undefined;
    });
  }

  /** Until `user`'s membership in the room is the given one. */
  async waitForMember(room: string, user: string, membership: string, options: Deadline = {}): Promise<void> {
    const current = (): string | undefined => this.client.getRoom(room)?.getMember(user)?.membership;
    await this.waitFor(room, `${user} to ${membership} (is: ${String(current())})`, options, () =>
      current() === membership ? true : undefined,
    );
  }

  /** Until this person is invited to a room by `user`. Gives the room. */
  waitForInvite(from: string, options: Deadline = {}): Promise<string> {
    const describe = (): string => `an invite from ${from}`;
    return this.#changes.until(
      () => {
        const invited = this.client.getRooms().filter((room) => room.getMyMembership() === "invite");
        return invited.find(
          (room) => room.getDMInviter() === from || room.getMember(this.userId)?.events.member?.getSender() === from,
        )?.roomId;
      },
      { ...options, describe },
    );
  }

  /** Until `probe` gives something; it is asked again after every event and every sync. */
  waitFor<T>(room: string, what: string, options: Deadline, probe: () => T | undefined): Promise<T> {
    const describe = (): string =>
      `${what} in ${room}, as ${this.userId} sees it:\n${this.#seen(room).transcript.toString()}`;
    return this.#changes.until(probe, { ...options, describe });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.stopClient();
  }

  #seen(room: string): Seen {
    const known = this.#rooms.get(room);
    if (known !== undefined) return known;
    const seen: Seen = { transcript: new Transcript(), typing: new Set(), receipts: new Map() };
    this.#rooms.set(room, seen);
    return seen;
  }

  #take(event: MatrixEvent): void {
    const room = event.getRoomId();
    // Typing and receipts have no id, and no room either.
    if (room === undefined || event.getId() === undefined) return;
    this.#seen(room).transcript.add(event.event as RawEvent);
    this.#changes.changed();
  }

  #takeTyping(member: RoomMember): void {
    const { typing } = this.#seen(member.roomId);
    if (member.typing) typing.add(member.userId);
    else typing.delete(member.userId);
    this.#changes.changed();
  }

  #takeReceipts(room: string, content: Record<string, unknown>): void {
    const { receipts } = this.#seen(room);
    for (const [event, byType] of Object.entries(content)) {
      const readers = (byType as { "m.read"?: Record<string, unknown> })["m.read"] ?? {};
      for (const user of Object.keys(readers)) receipts.set(user, (receipts.get(user) ?? new Set()).add(event));
    }
    this.#changes.changed();
  }

  /** After a sync with more events than it carries, the rest is read from the history. */
  #fillGap(room: Room | undefined): void {
    if (room === undefined) return;
    const seen = this.#seen(room.roomId);
    const fill = async (): Promise<void> => {
      seen.transcript = new Transcript([...(await this.#history(room.roomId)), ...seen.transcript.events]);
      this.#changes.changed();
    };
    // A room that cannot be read (left, banned) has no gap to fill.
    fill().catch(() => undefined);
  }

  async #history(room: string): Promise<readonly RawEvent[]> {
    const events: RawEvent[] = [];
    let from: string | undefined;
    do {
      const query = new URLSearchParams({ dir: Direction.Forward, limit: "100", ...(from !== undefined && { from }) });
      const path = `/rooms/${encodeURIComponent(room)}/messages?${query.toString()}`;
      const page = await this.#request<{ chunk: RawEvent[]; end?: string }>("GET", path);
      events.push(...page.chunk);
      from = page.end;
    } while (from !== undefined);
    return events;
  }

  async #request<T>(method: "GET" | "PUT", path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.homeserver}/_matrix/client/v3${path}`, {
      method,
      headers: { authorization: `Bearer ${this.client.getAccessToken()}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!answer.ok)
      throw new MatrixError((await answer.json()) as ConstructorParameters<typeof MatrixError>[0], answer.status, path);
    return (await answer.json()) as T;
  }
}

function looking(looked: Looked): (said: Said) => boolean {
  if (typeof looked === "function") return looked;
  return (said) => !said.redacted && (typeof looked === "string" ? said.text === looked : looked.test(said.text));
}

const nothing = (): void => undefined;
const silence: NonNullable<ICreateClientOpts["logger"]> = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  getChild: () => silence,
};
// Parts of the SDK still log past the client's own logger.
Object.assign(globalLogger, silence, { log: nothing });

/** A person with nothing but fetch: what is measured is the way to the other side and back, not a client library. */
import { setTimeout as delay } from "node:timers/promises";
import type { Account } from "../../src/demo/accounts.ts";

interface Sync {
  readonly next_batch: string;
  readonly rooms?: {
    readonly join?: Readonly<Record<string, { readonly timeline: { readonly events: readonly Event[] } }>>;
  };
}

export interface Event {
  readonly type: string;
  readonly sender: string;
  readonly state_key?: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** Between looks at who has joined. */
const pollMs = 50;

type Wanted = (event: Event) => boolean;

/** Messages and memberships only. The same for everyone that the person talks with. */
const filter = JSON.stringify({
  presence: { types: [] },
  account_data: { types: [] },
  room: {
    ephemeral: { types: [] },
    account_data: { types: [] },
    state: { types: [] },
    timeline: { types: ["m.room.message", "m.room.member"], limit: 50 },
  },
});

export class Talker implements AsyncDisposable {
  readonly #homeserver: string;
  readonly #account: Account;
  readonly #ending = new AbortController();
  readonly #waiting = new Map<string, { readonly wanted: Wanted; readonly resolve: (event: Event) => void }>();
  #syncing: Promise<void> | undefined;
  #sent = 0;

  constructor(homeserver: string, account: Account) {
    this.#homeserver = homeserver;
    this.#account = account;
  }

  /** Their Matrix id. */
  get user(): string {
    return this.#account.userId;
  }

  /** Makes a room, a direct chat when it is for one, and resolves when all that are invited have joined. */
  async room(users: readonly string[]): Promise<string> {
    const { room_id: room } = await this.#ask<{ room_id: string }>("POST", "/createRoom", {
      preset: "trusted_private_chat",
      is_direct: users.length === 1,
      invite: users,
    });
    for (const user of users) {
      const path = `/rooms/${encodeURIComponent(room)}/state/m.room.member/${encodeURIComponent(user)}`;
      while ((await this.#ask<{ membership: string }>("GET", path)).membership !== "join") await delay(pollMs);
    }
    return room;
  }

  /** Begins to listen, and goes on until it is disposed. */
  async listen(): Promise<void> {
    const query = new URLSearchParams({ filter, timeout: "0" });
    const first = await this.#ask<Sync>("GET", `/sync?${query.toString()}`);
    this.#syncing = this.#sync(first.next_batch);
  }

  /** Says `text` and resolves to the milliseconds until a message of `from` with `text` in it is here. */
  async talk(room: string, from: string, text: string): Promise<number> {
    const heard = this.hear(
      room,
      ({ type, sender, content }) =>
        type === "m.room.message" && sender === from && String(content["body"]).includes(text),
    );
    const began = performance.now();
    const path = `/rooms/${encodeURIComponent(room)}/send/m.room.message/${++this.#sent}`;
    await this.#ask("PUT", path, { msgtype: "m.text", body: text, "m.mentions": {} });
    await heard;
    return performance.now() - began;
  }

  /** Resolves to the next event like this, when it is here. One at a time for each room. */
  hear(room: string, wanted: Wanted): Promise<Event> {
    const { promise, resolve } = Promise.withResolvers<Event>();
    this.#waiting.set(room, { wanted, resolve });
    return promise;
  }

  async #sync(since: string): Promise<void> {
    let batch = since;
    while (!this.#ending.signal.aborted) {
      const query = new URLSearchParams({ filter, since: batch, timeout: "30000" });
      const { next_batch: next, rooms } = await this.#ask<Sync>("GET", `/sync?${query.toString()}`);
      batch = next;
      for (const [room, { timeline }] of Object.entries(rooms?.join ?? {})) {
        const waiting = this.#waiting.get(room);
        const found = waiting === undefined ? undefined : timeline.events.find(waiting.wanted);
        if (found !== undefined) waiting?.resolve(found);
      }
    }
  }

  async #ask<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await fetch(`${this.#homeserver}/_matrix/client/v3${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#account.accessToken}`, "content-type": "application/json" },
      signal: this.#ending.signal,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#syncing?.catch(() => undefined);
  }
}

/** A person with nothing but fetch: what is measured is the way to the other side and back, not a client library. */
import { setTimeout as delay } from "node:timers/promises";
import type { Account } from "../../src/demo/accounts.ts";

interface Sync {
  readonly next_batch: string;
  readonly rooms?: {
    readonly join?: Readonly<Record<string, { readonly timeline: { readonly events: readonly Event[] } }>>;
  };
}

interface Event {
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
  readonly #waiting = new Map<string, { readonly wanted: Wanted; readonly resolve: () => void }>();
  #syncing: Promise<void> | undefined;
  #sent = 0;

  constructor(homeserver: string, account: Account) {
    this.#homeserver = homeserver;
    this.#account = account;
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
    const { promise, resolve } = Promise.withResolvers<void>();
    const wanted = ({ type, sender, content }: Event): boolean =>
      type === "m.room.message" && sender === from && String(content["body"]).includes(text);
    this.#waiting.set(room, { wanted, resolve });
    const began = performance.now();
    const path = `/rooms/${encodeURIComponent(room)}/send/m.room.message/${++this.#sent}`;
    await this.#ask("PUT", path, { msgtype: "m.text", body: text, "m.mentions": {} });
    await promise;
    return performance.now() - began;
  }

  async #sync(since: string): Promise<void> {
    let batch = since;
    while (!this.#ending.signal.aborted) {
      const query = new URLSearchParams({ filter, since: batch, timeout: "30000" });
      const { next_batch: next, rooms } = await this.#ask<Sync>("GET", `/sync?${query.toString()}`);
      batch = next;
      for (const [room, { timeline }] of Object.entries(rooms?.join ?? {})) {
        const waiting = this.#waiting.get(room);
        if (waiting !== undefined && timeline.events.some(waiting.wanted)) waiting.resolve();
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

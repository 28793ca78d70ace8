/** The person of the demo: one account, played through the client-server API as a client would. */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { CrewError } from "../core/errors.ts";
import type { Account } from "./accounts.ts";
import { type ApiRequest, callApi, callForBytes } from "./client-api.ts";
import type { RoomView } from "./room-view.ts";
import { syncSchema } from "./sync.ts";

type Content = Readonly<Record<string, unknown>>;

const roomSchema = z.object({ room_id: z.string() });
const eventSchema = z.object({ event_id: z.string() });
const syncTimeoutMs = 20_000;
const syncAgainMs = 1_000;

export class DemoPerson {
  readonly userId: string;
  readonly #homeserver: string;
  readonly #token: string;
  readonly #signal: AbortSignal;

  /** Requests end when the signal aborts. */
  constructor(homeserver: string, account: Account, signal: AbortSignal) {
    this.#homeserver = homeserver;
    this.userId = account.userId;
    this.#token = account.accessToken;
    this.#signal = signal;
  }

  /** The room that has this alias, if one has. */
  async roomOf(alias: string): Promise<string | undefined> {
    const path = `/_matrix/client/v3/directory/room/${encodeURIComponent(alias)}`;
    const found = await this.#call({ method: "GET", path }).catch(noneYet);
    return roomSchema.safeParse(found).data?.room_id;
  }

  /** Accepts an invite. */
  async join(room: string): Promise<void> {
    await this.#call({ method: "POST", path: `/_matrix/client/v3/join/${encodeURIComponent(room)}`, body: {} });
  }

  /** A direct chat as Element makes one: its first message is sent at once, before the other side can have joined. */
  async openDirectChat(user: string, text: string): Promise<string> {
    const body = { preset: "trusted_private_chat", is_direct: true, invite: [user] };
    const { room_id } = roomSchema.parse(
      await this.#call({ method: "POST", path: "/_matrix/client/v3/createRoom", body }),
    );
    await this.say(room_id, text);
    const path = `/_matrix/client/v3/user/${encodeURIComponent(this.userId)}/account_data/m.direct`;
    const direct = z
      .record(z.string(), z.array(z.string()))
      .catch({})
      .parse(await this.#call({ method: "GET", path }).catch(noneYet));
    await this.#call({ method: "PUT", path, body: { ...direct, [user]: [...(direct[user] ?? []), room_id] } });
    return room_id;
  }

  /** Gives the event's id. `more` goes into the content beside the text. */
  say(room: string, text: string, more: Content = {}): Promise<string> {
    return this.#send(room, "m.room.message", { msgtype: "m.text", body: text, "m.mentions": {}, ...more });
  }

  reply(room: string, to: { readonly id: string; readonly sender: string }, text: string): Promise<string> {
    return this.say(room, text, {
      "m.mentions": { user_ids: [to.sender] },
      "m.relates_to": { "m.in_reply_to": { event_id: to.id } },
    });
  }

  react(room: string, event: string, key: string): Promise<string> {
    return this.#send(room, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: event, key } });
  }

  /** The file at an address `mxc://…`, as clients fetch it: with the account's token. */
  download(address: string): Promise<Buffer> {
    const place = address
      .replace(/^mxc:\/\//, "")
      .split("/", 2)
      .map(encodeURIComponent)
      .join("/");
    const path = `/_matrix/client/v1/media/download/${place}`;
    return callForBytes(this.#homeserver, { method: "GET", path, token: this.#token, signal: this.#signal });
  }

  /** Feeds the view until the signal aborts; resolves then. An outage of the homeserver is waited out. */
  async watch(view: RoomView, onFirst: () => void): Promise<void> {
    let since: string | undefined;
    while (!this.#signal.aborted) {
      const query = new URLSearchParams({
        filter: JSON.stringify({
          room: { timeline: { limit: since === undefined ? 1 : 100 } },
          presence: { not_types: ["*"] },
        }),
        timeout: String(since === undefined ? 0 : syncTimeoutMs),
        ...(since !== undefined && { since }),
      });
      try {
        const path = `/_matrix/client/v3/sync?${query.toString()}`;
        const sync = syncSchema.parse(await this.#call({ method: "GET", path }));
        view.take(sync, since === undefined);
        if (since === undefined) onFirst();
        since = sync.next_batch;
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!(error instanceof CrewError && error.code === "HOMESERVER_UNREACHABLE")) throw error;
        await pause(syncAgainMs, undefined, { signal: this.#signal }).catch(() => undefined);
      }
    }
  }

  async #send(room: string, type: string, content: Content): Promise<string> {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/${type}/${randomUUID()}`;
    return eventSchema.parse(await this.#call({ method: "PUT", path, body: content })).event_id;
  }

  #call(request: ApiRequest): Promise<unknown> {
    return callApi(this.#homeserver, { ...request, token: this.#token, signal: this.#signal });
  }
}

function noneYet(error: unknown): unknown {
  if (error instanceof CrewError && error.details["status"] === 404) return {};
  throw error;
}

/**
 * The rooms that the bot makes for itself: the crew's Space, HQ in it, and a direct room to each person that it has
 * something to tell. Each has an alias, so that it is made once, whatever happens to the store.
 */
import { CrewError } from "../core/errors.ts";
import { asRoomAlias, type RoomAlias, type RoomId, type UserId } from "../core/ids.ts";
import type { Permissions } from "../core/permissions.ts";
import { atLeast } from "../core/permissions.ts";
import { createHash } from "node:crypto";
import type { Homeserver } from "./homeserver.ts";
import { HomeserverError } from "./homeserver-error.ts";

export interface HeadquartersOptions {
  readonly homeserver: Homeserver;
  readonly bot: UserId;
  readonly permissions: Permissions;
  /** `rooms.federate` */
  readonly federate: boolean;
  /** `bot.name` */
  readonly name: string;
}

export interface Headquarters {
  readonly space: RoomId;
  readonly hq: RoomId;
}

interface Wanted {
  readonly alias: RoomAlias;
  readonly body: Readonly<Record<string, unknown>>;
}

export class Premises {
  readonly #options: HeadquartersOptions;

  constructor(options: HeadquartersOptions) {
    this.#options = options;
  }

  /** Makes the Space and HQ, or finds them. People named by their id with `supervise` or more are invited to both. */
  async open(signal: AbortSignal): Promise<Headquarters> {
    const { name } = this.#options;
    const space = await this.#room(
      { alias: this.#alias("crewroom"), body: { name, topic: "The crew's rooms", ...this.#access("space") } },
      signal,
    );
    const hq = await this.#room(
      {
        alias: this.#alias("crewroom-hq"),
        body: { name: `${name} HQ`, topic: "What waits for a person. Say !crew help.", ...this.#access("hq") },
      },
      signal,
    );
    const { homeserver, bot } = this.#options;
    const via = { via: [homeserver.domain] };
    await homeserver.setState(space, bot, "m.space.child", hq, { ...via, suggested: true }, { signal });
    await homeserver.setState(hq, bot, "m.space.parent", space, { ...via, canonical: true }, { signal });
    for (const room of [space, hq]) await this.#inviteSupervisors(room, signal);
    return { space, hq };
  }

  /** The bot's direct room with one person. */
  direct(person: UserId, signal: AbortSignal): Promise<RoomId> {
    const id = createHash("sha256").update(person).digest("hex").slice(0, 16);
    return this.#room(
      {
        alias: this.#alias(`crewroom-direct-${id}`),
        body: { preset: "trusted_private_chat", is_direct: true, invite: [person] },
      },
      signal,
    );
  }

  #alias(localpart: string): RoomAlias {
    const alias = asRoomAlias(`#${localpart}:${this.#options.homeserver.domain}`);
    if (alias === undefined) throw new CrewError("INTERNAL", { reason: `#${localpart} is no alias` });
    return alias;
  }

  async #room({ alias, body }: Wanted, signal: AbortSignal): Promise<RoomId> {
    const { homeserver, bot } = this.#options;
    const existing = await homeserver.resolveAlias(alias, { signal });
    if (existing !== undefined) return existing;
    const localpart = alias.slice(1, alias.indexOf(":"));
    try {
      return await homeserver.createRoom(bot, { room_alias_name: localpart, ...body }, { signal });
    } catch (thrown) {
      // Made by a request whose answer was lost.
      const room = await homeserver.resolveAlias(alias, { signal });
      if (room === undefined) throw thrown;
      return room;
    }
  }

  #access(kind: "space" | "hq"): Readonly<Record<string, unknown>> {
    const { bot, federate } = this.#options;
    const users = Object.fromEntries(this.#supervisors().map(({ user, power }) => [user, power]));
    const creation = kind === "space" ? { type: "m.space" } : {};
    return {
      preset: "private_chat",
      creation_content: { ...creation, "m.federate": federate },
      power_level_content_override: {
        users: { ...users, [bot]: 100 },
        events: { "dev.crewroom.room": 100 },
      },
      initial_state: [{ type: "dev.crewroom.room", state_key: "", content: { kind, v: 1 } }],
    };
  }

  #supervisors(): readonly { user: UserId; power: number }[] {
    return Object.entries(this.#options.permissions)
      .filter(([who, level]) => who.startsWith("@") && atLeast(level, "supervise"))
      .map(([who, level]) => ({ user: who as UserId, power: level === "admin" ? 100 : 50 }));
  }

  /** Each is invited once: who left on purpose is not invited again. */
  async #inviteSupervisors(room: RoomId, signal: AbortSignal): Promise<void> {
    const { homeserver, bot } = this.#options;
    for (const { user } of this.#supervisors()) {
      const membership = await this.#membership(room, user, signal);
      if (membership !== undefined) continue;
      try {
        await homeserver.invite(room, bot, user, "You supervise this crew.", { signal });
      } catch (thrown) {
        // A person that does not exist (yet) must not keep the bridge from starting.
        if (!(thrown instanceof HomeserverError) || thrown.retryable) throw thrown;
      }
    }
  }

  async #membership(room: RoomId, user: UserId, signal: AbortSignal): Promise<unknown> {
    const { homeserver, bot } = this.#options;
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/state/m.room.member/${encodeURIComponent(user)}`;
    try {
      const answer = await homeserver.request({
        method: "GET",
        path,
        as: bot,
        what: "to say who is in the room",
        signal,
      });
      return typeof answer === "object" && answer !== null && "membership" in answer ? answer.membership : undefined;
    } catch (thrown) {
      if (thrown instanceof HomeserverError && thrown.status === 404) return undefined;
      throw thrown;
    }
  }
}

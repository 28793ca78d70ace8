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
import { asObject, type JsonObject } from "./json.ts";

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

  /** Makes the Space and HQ, or finds them. */
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
    for (const room of [space, hq]) await this.#empower(room, signal);
    return { space, hq };
  }

  /** The bot's direct room with one person. */
  async direct(person: UserId, signal: AbortSignal): Promise<RoomId> {
    const id = createHash("sha256").update(person).digest("hex").slice(0, 16);
    const room = await this.#room(
      {
        alias: this.#alias(`crewroom-direct-${id}`),
        body: { preset: "trusted_private_chat", is_direct: true, invite: [person] },
      },
      signal,
    );
    // The room stays when the invite to another homeserver failed.
    await this.#inviteOnce(room, person, "I have something to tell you.", signal);
    return room;
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
      // What was refused may be half made, and is of no use.
      if (thrown instanceof HomeserverError && isRefusal(thrown)) throw thrown;
      // Made by a request whose answer was lost.
      const room = await homeserver.resolveAlias(alias, { signal });
      if (room === undefined) throw thrown;
      return room;
    }
  }

  #access(kind: "space" | "hq"): Readonly<Record<string, unknown>> {
    const { federate } = this.#options;
    const creation = kind === "space" ? { type: "m.space" } : {};
    return {
      preset: "private_chat",
      creation_content: { ...creation, "m.federate": federate },
      initial_state: [{ type: "dev.crewroom.room", state_key: "", content: { kind, v: 1 } }],
    };
  }

  /**
   * Supervisors get their power, and only the bot may write what the bridge reads back. Levels that people set stay. It
   * is not part of the room's creation: levels given there replace the homeserver's own, and must name the creator
   * before room version 12 and must not from then on.
   */
  async #empower(room: RoomId, signal: AbortSignal): Promise<void> {
    const { homeserver, bot } = this.#options;
    const levels = (await this.#state(room, "m.room.power_levels", "", signal)) ?? {};
    const now = { users: asObject(levels["users"]) ?? {}, events: asObject(levels["events"]) ?? {} };
    const users = { ...Object.fromEntries(this.#supervisors().map(({ user, power }) => [user, power])), ...now.users };
    const events = { "dev.crewroom.room": 100, ...now.events };
    const added = (after: object, before: object): boolean => Object.keys(after).length > Object.keys(before).length;
    if (!added(users, now.users) && !added(events, now.events)) return;
    await homeserver.setState(room, bot, "m.room.power_levels", "", { ...levels, users, events }, { signal });
  }

  #supervisors(): readonly { user: UserId; power: number }[] {
    return Object.entries(this.#options.permissions)
      .filter(([who, level]) => who.startsWith("@") && atLeast(level, "supervise"))
      .map(([who, level]) => ({ user: who as UserId, power: level === "admin" ? 100 : 50 }));
  }

  /**
   * Invites people named by their id with `supervise` or more, once. Somebody who cannot be invited (no such person, a
   * remote server that is down) keeps nobody else waiting: `onFailed` hears of it.
   */
  async inviteSupervisors(
    room: RoomId,
    onFailed: (user: UserId, thrown: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const invite = async (user: UserId): Promise<void> => {
      try {
        await this.#inviteOnce(room, user, "You supervise this crew.", signal);
      } catch (thrown) {
        onFailed(user, thrown);
      }
    };
    await Promise.all(this.#supervisors().map(({ user }) => invite(user)));
  }

  /** Who left on purpose is not invited again. */
  async #inviteOnce(room: RoomId, user: UserId, reason: string, signal: AbortSignal): Promise<void> {
    const { homeserver, bot } = this.#options;
    if ((await this.#state(room, "m.room.member", user, signal))?.["membership"] !== undefined) return;
    await homeserver.invite(room, bot, user, reason, { signal });
  }

  async #state(room: RoomId, type: string, key: string, signal: AbortSignal): Promise<JsonObject | undefined> {
    const { homeserver, bot } = this.#options;
    const path = `/_matrix/client/v3/rooms/${[room, "state", type, key].map(encodeURIComponent).join("/")}`;
    try {
      return asObject(await homeserver.request({ method: "GET", path, as: bot, what: `to tell its ${type}`, signal }));
    } catch (thrown) {
      if (thrown instanceof HomeserverError && thrown.status === 404) return undefined;
      throw thrown;
    }
  }
}

/** Whether the homeserver would not make the room, which then certainly has no alias of ours that works. */
function isRefusal({ status, errcode }: HomeserverError): boolean {
  return status !== undefined && status < 500 && errcode !== "M_ROOM_IN_USE";
}

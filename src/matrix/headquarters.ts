/**
 * The rooms that the bot makes for itself: the crew's Space, HQ in it, and a direct room to each person that it has
 * something to tell. Each has an alias, so that it is made once, whatever happens to the store.
 */
import { createHash } from "node:crypto";
import type { RoomAlias, RoomId, UserId } from "../core/ids.ts";
import type { Permissions } from "../core/permissions.ts";
import type { Homeserver } from "./homeserver.ts";
import { HomeserverError } from "./homeserver-error.ts";
import { OwnRooms, powerOfSupervisors, supervisorsOf } from "./own-rooms.ts";

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
  readonly #rooms: OwnRooms;

  constructor(options: HeadquartersOptions) {
    this.#options = options;
    this.#rooms = new OwnRooms(options);
  }

  /** Makes the Space and HQ, or finds them. */
  async open(signal: AbortSignal): Promise<Headquarters> {
    const { name } = this.#options;
    const space = await this.#premise("crewroom", "space", name, "The crew's rooms", signal);
    const topic = "What waits for a person. Say !crew help.";
    const hq = await this.#premise("crewroom-hq", "hq", `${name} HQ`, topic, signal);
    const { homeserver, bot } = this.#options;
    const via = { via: [homeserver.domain] };
    await homeserver.setState(space, bot, "m.space.child", hq, { ...via, suggested: true }, { signal });
    await homeserver.setState(hq, bot, "m.space.parent", space, { ...via, canonical: true }, { signal });
    for (const room of [space, hq]) await this.#empower(room, signal);
    return { space, hq };
  }

  async #premise(
    localpart: string,
    kind: "space" | "hq",
    name: string,
    topic: string,
    signal: AbortSignal,
  ): Promise<RoomId> {
    const { homeserver, bot } = this.#options;
    const body = { name, topic, ...this.#access(kind) };
    const room = await this.#room({ alias: this.#rooms.alias(localpart), body }, signal);
    // A homeserver that was killed while it made the room left it without what comes last.
    if ((await this.#rooms.state(room, "dev.crewroom.room", "", signal)) === undefined) {
      await homeserver.setState(room, bot, "m.room.name", "", { name }, { signal });
      await homeserver.setState(room, bot, "m.room.topic", "", { topic }, { signal });
      await homeserver.setState(room, bot, "dev.crewroom.room", "", { kind, v: 1 }, { signal });
    }
    return room;
  }

  /** The bot's direct room with one person. */
  async direct(person: UserId, signal: AbortSignal): Promise<RoomId> {
    const id = createHash("sha256").update(person).digest("hex").slice(0, 16);
    const room = await this.#room(
      {
        alias: this.#rooms.alias(`crewroom-direct-${id}`),
        body: { preset: "trusted_private_chat", is_direct: true, invite: [person] },
      },
      signal,
    );
    // The room stays when the invite to another homeserver failed.
    await this.#rooms.inviteOnce(room, person, "I have something to tell you.", signal);
    return room;
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

  /** Supervisors get their power, and only the bot may write what the bridge reads back. */
  #empower(room: RoomId, signal: AbortSignal): Promise<void> {
    const users = powerOfSupervisors(this.#options.permissions);
    return this.#rooms.empower(room, { users, events: { "dev.crewroom.room": 100 } }, signal);
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
        await this.#rooms.inviteOnce(room, user, "You supervise this crew.", signal);
      } catch (thrown) {
        onFailed(user, thrown);
      }
    };
    await Promise.all(supervisorsOf(this.#options.permissions).map(({ user }) => invite(user)));
  }
}

/** Whether the homeserver would not make the room, which then certainly has no alias of ours that works. */
function isRefusal({ status, errcode }: HomeserverError): boolean {
  return status !== undefined && status < 500 && errcode !== "M_ROOM_IN_USE";
}

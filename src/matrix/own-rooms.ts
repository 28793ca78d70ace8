/** What the bot does with the rooms that it makes, whichever they are: names, state, power, invites. */
import { CrewError } from "../core/errors.ts";
import { asRoomAlias, type RoomAlias, type RoomId, type UserId } from "../core/ids.ts";
import { atLeast, isPattern, type Permissions } from "../core/permissions.ts";
import type { Homeserver } from "./homeserver.ts";
import { HomeserverError } from "./homeserver-error.ts";
import { asObject, type JsonObject } from "./json.ts";

export interface OwnRoomsOptions {
  readonly homeserver: Pick<Homeserver, "domain" | "request" | "setState" | "invite">;
  readonly bot: UserId;
}

type Levels = Readonly<Record<string, number>>;

/** Each call is one try. */
export class OwnRooms {
  readonly #options: OwnRoomsOptions;

  constructor(options: OwnRoomsOptions) {
    this.#options = options;
  }

  alias(localpart: string): RoomAlias {
    const alias = asRoomAlias(`#${localpart}:${this.#options.homeserver.domain}`);
    if (alias === undefined) throw new CrewError("INTERNAL", { reason: `#${localpart} is no alias` });
    return alias;
  }

  /** The content of a state event; `undefined` when the room has none. */
  async state(room: RoomId, type: string, key: string, signal: AbortSignal): Promise<JsonObject | undefined> {
    const { homeserver, bot } = this.#options;
    const path = `/_matrix/client/v3/rooms/${[room, "state", type, key].map(encodeURIComponent).join("/")}`;
    try {
      return asObject(await homeserver.request({ method: "GET", path, as: bot, what: `to tell its ${type}`, signal }));
    } catch (thrown) {
      if (thrown instanceof HomeserverError && thrown.status === 404) return undefined;
      throw thrown;
    }
  }

  /**
   * Adds power levels; those that people set stay. It is not part of a room's creation: levels given there replace the
   * homeserver's own, and must name the creator before room version 12 and must not from then on.
   */
  async empower(
    room: RoomId,
    added: { readonly users: Levels; readonly events: Levels },
    signal: AbortSignal,
  ): Promise<void> {
    const { homeserver, bot } = this.#options;
    const levels = (await this.state(room, "m.room.power_levels", "", signal)) ?? {};
    const now = { users: asObject(levels["users"]) ?? {}, events: asObject(levels["events"]) ?? {} };
    const { [bot]: _creator, ...others } = added.users;
    const users = { ...others, ...now.users };
    const events = { ...added.events, ...now.events };
    const grew = (after: object, before: object): boolean => Object.keys(after).length > Object.keys(before).length;
    if (!grew(users, now.users) && !grew(events, now.events)) return;
    await homeserver.setState(room, bot, "m.room.power_levels", "", { ...levels, users, events }, { signal });
  }

  /** Invites somebody whom the room has never seen. Who left on purpose is not invited again. */
  async inviteOnce(room: RoomId, user: UserId, reason: string, signal: AbortSignal): Promise<void> {
    const { homeserver, bot } = this.#options;
    if ((await this.#membershipOf(room, user, signal)) !== undefined) return;
    await homeserver.invite(room, bot, user, reason, { signal });
  }

  /** Invites somebody who is neither in the room nor invited. */
  async invite(room: RoomId, user: UserId, reason: string, signal: AbortSignal): Promise<void> {
    const { homeserver, bot } = this.#options;
    const isThere = async (): Promise<boolean> =>
      /^(join|invite)$/.test((await this.#membershipOf(room, user, signal)) ?? "");
    if (await isThere()) return;
    try {
      await homeserver.invite(room, bot, user, reason, { signal });
    } catch (thrown) {
      // Refused because they came in meanwhile, or because they are banned.
      if (thrown instanceof HomeserverError && thrown.status === 403 && (await isThere())) return;
      throw thrown;
    }
  }

  async #membershipOf(room: RoomId, user: UserId, signal: AbortSignal): Promise<string | undefined> {
    const membership = (await this.state(room, "m.room.member", user, signal))?.["membership"];
    return typeof membership === "string" ? membership : undefined;
  }
}

/** The power that people named in the config with `supervise` or more have in the bot's rooms. */
export function supervisorsOf(permissions: Permissions): readonly { readonly user: UserId; readonly power: number }[] {
  return Object.entries(permissions)
    .filter(([who, level]) => who.startsWith("@") && !isPattern(who) && atLeast(level, "supervise"))
    .map(([who, level]) => ({ user: who as UserId, power: level === "admin" ? 100 : 50 }));
}

/** {@link supervisorsOf} as `users` of power levels. */
export function powerOfSupervisors(permissions: Permissions): Levels {
  return Object.fromEntries(supervisorsOf(permissions).map(({ user, power }) => [user, power]));
}

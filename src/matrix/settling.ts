/**
 * Moving in: the users, the bot's rooms, and the rooms that a lost store no longer knows. It waits for the homeserver as
 * long as it takes, while the bridge already keeps what comes in.
 */
import pLimit from "p-limit";
import type { Join } from "../core/effect.ts";
import { reasonOf } from "../core/errors.ts";
import type { EffectId, RoomId, UserId } from "../core/ids.ts";
import type { OwnInput } from "../core/input.ts";
import type { Meta } from "../journal/journal.ts";
import type { Logger } from "../observe/log.ts";
import type { Entrance } from "./entrance.ts";
import type { Headquarters, Premises } from "./headquarters.ts";
import type { Homeserver } from "./homeserver.ts";
import type { HomeserverError } from "./homeserver-error.ts";
import type { OwnUsers } from "./own-users.ts";

export interface SettlingOptions {
  readonly homeserver: Pick<Homeserver, "joinedRooms">;
  readonly users: OwnUsers;
  readonly bot: UserId;
  readonly premises: Premises;
  readonly entrance: Entrance;
  readonly meta: Meta;
  /** Tells a room's lane. */
  readonly put: (room: RoomId, input: OwnInput) => Promise<unknown>;
  /** Repeats a request until the homeserver answers. */
  readonly patient: <T>(work: () => Promise<T>) => Promise<T>;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** Registering takes Synapse a moment each; more at once take it no less. */
const usersAtOnce = 4;
/** Set in the store when all rooms are known to it. */
const adoptedFact = "adopted";

export class Settling {
  readonly #options: SettlingOptions;
  readonly #headquarters = Promise.withResolvers<Headquarters>();

  constructor(options: SettlingOptions) {
    this.#options = options;
    // Nobody need be waiting for it when it fails: then the bridge ends.
    this.#headquarters.promise.catch(() => undefined);
  }

  /** The bot's rooms, once they are there. */
  get headquarters(): Promise<Headquarters> {
    return this.#headquarters.promise;
  }

  /** @throws CrewError `TOKEN_UNKNOWN` when the homeserver does not know this bridge. */
  async settle(): Promise<void> {
    const { users, bot, premises, meta, patient, signal } = this.#options;
    await users.ensure(bot);
    const few = pLimit(usersAtOnce);
    await Promise.all(users.all().map((user) => few(() => users.ensure(user))));
    const rooms = await patient(() => premises.open(signal));
    for (const room of [rooms.space, rooms.hq]) await this.#adopt(room, bot);
    this.#headquarters.resolve(rooms);
    // A remote server may take its time, and nothing here waits for the people.
    for (const room of [rooms.space, rooms.hq]) void this.#inviteSupervisors(room);
    if ((await meta.get(adoptedFact)) === true) return;
    await this.#adoptAll();
    await meta.set(adoptedFact, true);
  }

  async #inviteSupervisors(room: RoomId): Promise<void> {
    const { premises, signal, log } = this.#options;
    const onFailed = (user: UserId, thrown: unknown): void => {
      if (signal.aborted) return;
      log.warn({ room, user, reason: reasonOf(thrown) }, "a supervisor was not invited; the next start tries again");
    };
    await premises.inviteSupervisors(room, onFailed, signal);
  }

  /** With a new store, the rooms where ours are already must be learnt from the homeserver. */
  async #adoptAll(): Promise<void> {
    const { homeserver, users, patient, signal } = this.#options;
    for (const user of users.all()) {
      for (const room of await patient(() => homeserver.joinedRooms(user, { signal }))) await this.#adopt(room, user);
    }
  }

  async #adopt(room: RoomId, user: UserId): Promise<void> {
    const { put, entrance, signal } = this.#options;
    await put(room, await entrance.adopt(room, user, signal));
  }

  /** A join takes long. The agent is not in the room yet, so the bot tells who invited it in a direct chat. */
  async tellSlowJoin(room: RoomId, join: Join, error: HomeserverError): Promise<void> {
    const { premises, bot, put, signal, log } = this.#options;
    log.warn({ room, user: join.as, reason: error.message }, "a join did not succeed yet; trying again");
    try {
      const direct = await premises.direct(join.inviter, signal);
      await this.#adopt(direct, bot);
      const text = `${join.as} could not join ${room} yet, and tries again. ${error.message}`;
      await put(direct, { kind: "announce", id: `${join.id}:slow` as EffectId, text });
    } catch (thrown) {
      log.warn({ room, reason: reasonOf(thrown) }, "the inviter could not be told that a join is slow");
    }
  }
}

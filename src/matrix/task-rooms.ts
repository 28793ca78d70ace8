/**
 * Makes task rooms, each once for the effect that asks for it. A room is known again by three things, and each step
 * begins with what an earlier try has left:
 *
 *   number kept ──▶ room made with its alias ──▶ room kept ──▶ power ──▶ in the Space ──▶ asker invited
 *        │                   │
 *        │                   └─ its state names the effect (`origin`): found again by the alias when the answer was lost
 *        └─ before the room: a crash in between makes no second one
 */
import { createHash } from "node:crypto";
import pLimit from "p-limit";
import { z } from "zod";
import type { OpenTask } from "../core/effect.ts";
import { reasonOf } from "../core/errors.ts";
import { asRoomId, serverOf, type EffectId, type RoomAlias, type RoomId, type UserId } from "../core/ids.ts";
import type { Permissions } from "../core/permissions.ts";
import type { Logger } from "../observe/log.ts";
import type { Facts } from "./facts.ts";
import type { Homeserver } from "./homeserver.ts";
import { HomeserverError, laterPerhaps } from "./homeserver-error.ts";
import { OwnRooms, powerOfSupervisors } from "./own-rooms.ts";
import { retrying, type RetryOptions } from "./retry.ts";
import { markType, taskLocalpart, taskRoomBody } from "./task-room-body.ts";

export interface TaskRoomsOptions {
  readonly homeserver: Homeserver;
  readonly bot: UserId;
  readonly permissions: Permissions;
  /** `rooms.federate` */
  readonly federate: boolean;
  /** Keeps the last number, and which room each effect has. */
  readonly meta: Facts;
  readonly retry: Omit<RetryOptions, "signal" | "attempts">;
  readonly log: Logger;
}

export interface TaskRoom {
  readonly number: number;
  readonly room: RoomId;
  readonly alias: RoomAlias;
  /** `false` when an earlier call had made it. */
  readonly created: boolean;
}

/** The bridge reads these back, so only the bot may write them. */
const ownState = ["room", "task", "subtask", "head", "agent"].map((name) => `dev.crewroom.${name}`);
/** The last number given. */
const lastFact = "task-rooms:last";
/** Longer than any homeserver takes: an answer given up on leaves a room that is still being made. */
const createTimeoutMs = 180_000;
/** A homeserver that is not ours may be down; the room does not wait for it. */
const remoteInviteAttempts = 5;

const keptSchema = z.object({ number: z.int().positive(), room: z.string().optional() });

interface Kept {
  readonly number: number;
  readonly room?: RoomId | undefined;
}

export class TaskRooms {
  readonly #options: TaskRoomsOptions;
  readonly #rooms: OwnRooms;
  /** Two at once would take the same number. */
  readonly #inTurn = pLimit(1);

  constructor(options: TaskRoomsOptions) {
    this.#options = options;
    this.#rooms = new OwnRooms(options);
  }

  /**
   * Makes the room, or completes it, or finds it complete; for as long as the homeserver takes. Members of `space` may
   * join by themselves where the room's version allows it. That the asker cannot be invited is only logged.
   *
   * @throws HomeserverError when the homeserver refuses for good.
   */
  open(effect: OpenTask, space: RoomId, signal: AbortSignal): Promise<TaskRoom> {
    let created = false;
    const once = async (): Promise<TaskRoom> => {
      const place = await this.#place(effect, space, signal, () => (created = true));
      await this.#furnish(place.room, place.number, effect.asker, space, signal);
      return { ...place, alias: this.#alias(place.number), created };
    };
    return this.#inTurn(() => retrying(once, { ...this.#options.retry, signal }));
  }

  #alias(number: number): RoomAlias {
    return this.#rooms.alias(taskLocalpart(number));
  }

  async #place(
    effect: OpenTask,
    space: RoomId,
    signal: AbortSignal,
    onCreated: () => void,
  ): Promise<{ readonly number: number; readonly room: RoomId }> {
    const { homeserver, meta } = this.#options;
    const kept = await this.#kept(effect.id);
    if (kept?.room !== undefined) return { number: kept.number, room: kept.room };
    const last = await this.#last();
    for (let number = kept?.number ?? last + 1; ; number = Math.max(number, last) + 1) {
      const alias = this.#alias(number);
      const there = await homeserver.resolveAlias(alias, { signal });
      const whose =
        there === undefined ? "nobody's" : await this.#whose(there, effect.id, kept?.number === number, signal);
      // Made with an earlier store, or by somebody else.
      if (whose === "another's") continue;
      if (there !== undefined && whose === "half made") await this.#abandon(there, alias, signal);
      // A gap in the numbers does no harm; one given twice would.
      await meta.set(lastFact, Math.max(number, last));
      await meta.set(factOf(effect.id), { number });
      const isThere = there !== undefined && whose === "ours";
      const room = isThere ? there : await this.#create(effect, number, space, signal);
      if (!isThere) onCreated();
      await meta.set(factOf(effect.id), { number, room });
      return { number, room };
    }
  }

  /**
   * Synapse gives a room its alias before it has any state; when it is killed right then, a room remains that nobody can
   * enter. `tried`: its number was kept for this effect, so the room can only be of this effect's earlier try.
   */
  async #whose(
    room: RoomId,
    effect: EffectId,
    tried: boolean,
    signal: AbortSignal,
  ): Promise<"ours" | "another's" | "half made"> {
    const mark = await this.#markIn(room, signal);
    if (mark?.["origin"] === originOf(effect)) return "ours";
    return mark === undefined && tried ? "half made" : "another's";
  }

  async #markIn(room: RoomId, signal: AbortSignal): Promise<Readonly<Record<string, unknown>> | undefined> {
    try {
      return await this.#rooms.state(room, markType, "", signal);
    } catch (thrown) {
      // The bot is not in it.
      if (thrown instanceof HomeserverError && thrown.status === 403) return undefined;
      throw thrown;
    }
  }

  async #abandon(room: RoomId, alias: RoomAlias, signal: AbortSignal): Promise<void> {
    const { homeserver, bot, log } = this.#options;
    log.warn({ room, alias }, "a task room was only half made; making it again");
    await homeserver.removeAlias(alias, bot, { signal });
    try {
      await homeserver.leave(room, bot, undefined, { signal });
    } catch (thrown) {
      // It was not even in it.
      if (!(thrown instanceof HomeserverError) || thrown.retryable) throw thrown;
    }
  }

  async #create(effect: OpenTask, number: number, space: RoomId, signal: AbortSignal): Promise<RoomId> {
    const { homeserver, bot, federate } = this.#options;
    const body = taskRoomBody({
      number,
      title: effect.title,
      asker: effect.asker,
      origin: originOf(effect.id),
      bot,
      space,
      via: homeserver.domain,
      federate,
      version: await homeserver.defaultRoomVersion(bot, { signal }),
    });
    try {
      return await homeserver.createRoom(bot, body, { signal, timeoutMs: createTimeoutMs });
    } catch (thrown) {
      // An earlier request whose answer was lost is about to make it: the next try finds it.
      throw thrown instanceof HomeserverError && thrown.errcode === "M_ROOM_IN_USE" ? laterPerhaps(thrown) : thrown;
    }
  }

  async #furnish(room: RoomId, number: number, asker: UserId, space: RoomId, signal: AbortSignal): Promise<void> {
    const { permissions } = this.#options;
    const users = { ...powerOfSupervisors(permissions), [asker]: 100 };
    await this.#rooms.empower(room, { users, events: Object.fromEntries(ownState.map((type) => [type, 100])) }, signal);
    await this.#list(room, number, space, signal);
    await this.#welcome(room, asker, signal);
  }

  /** People may have taken the bot's power in the Space. The task can do without. */
  async #list(room: RoomId, number: number, space: RoomId, signal: AbortSignal): Promise<void> {
    const { homeserver, bot, log } = this.#options;
    // Clients sort by it as text.
    const order = String(number).padStart(8, "0");
    const child = { via: [homeserver.domain], order, suggested: true };
    try {
      await homeserver.setState(space, bot, "m.space.child", room, child, { signal });
    } catch (thrown) {
      if (!(thrown instanceof HomeserverError) || thrown.retryable) throw thrown;
      log.warn({ room, space, reason: thrown.message }, "a task room could not be put into the Space");
    }
  }

  async #welcome(room: RoomId, asker: UserId, signal: AbortSignal): Promise<void> {
    const { homeserver, retry, log } = this.#options;
    const invite = (): Promise<void> => this.#rooms.inviteOnce(room, asker, "You asked for this task.", signal);
    const onFailed = (thrown: unknown): void => {
      if (signal.aborted) return;
      log.warn(
        { room, user: asker, reason: reasonOf(thrown) },
        "who asked for a task could not be invited to its room",
      );
    };
    if (serverOf(asker) !== homeserver.domain) {
      void retrying(invite, { ...retry, signal, attempts: remoteInviteAttempts }).catch(onFailed);
      return;
    }
    try {
      await invite();
    } catch (thrown) {
      if (!(thrown instanceof HomeserverError) || thrown.retryable) throw thrown;
      onFailed(thrown);
    }
  }

  async #last(): Promise<number> {
    const last = await this.#options.meta.get(lastFact);
    return typeof last === "number" && Number.isSafeInteger(last) && last > 0 ? last : 0;
  }

  async #kept(effect: EffectId): Promise<Kept | undefined> {
    const kept = keptSchema.safeParse(await this.#options.meta.get(factOf(effect))).data;
    return kept === undefined ? undefined : { number: kept.number, room: asRoomId(kept.room) };
  }
}

function factOf(effect: EffectId): string {
  return `task-room:${effect}`;
}

/** Effect ids contain event ids of the room where it was asked, which are no business of this one. */
function originOf(effect: EffectId): string {
  return createHash("sha256").update(effect).digest("hex").slice(0, 32);
}

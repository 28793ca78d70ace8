/** Brings users into rooms: invites, joins, rejected invites, and room upgrades. */
import { setTimeout as delay } from "node:timers/promises";
import { CrewError } from "../core/errors.ts";
import type { Follow, Invite, Join, Leave } from "../core/effect.ts";
import type { RoomId, UserId } from "../core/ids.ts";
import { botUserId, serverOf } from "../core/ids.ts";
import type { MatrixInput, OwnInput, Snapshot } from "../core/input.ts";
import type { Homeserver } from "./homeserver.ts";
import { HomeserverError, laterPerhaps } from "./homeserver-error.ts";
import { OwnRooms } from "./own-rooms.ts";
import type { Reads } from "./reads.ts";
import { stragglersOf } from "./stragglers.ts";
import { type Retry, retrying, type RetryOptions } from "./retry.ts";

export type Joined = Extract<OwnInput, { kind: "joined" }>;

export interface EntranceOptions {
  readonly homeserver: Homeserver;
  readonly reads: Reads;
  /** Makes sure that one of our users exists. */
  readonly ensure: (user: UserId) => Promise<void>;
  /** Whether a user is the bot or one of the agents. */
  readonly isOwn: (user: UserId) => boolean;
  /** Inputs in events that were read back, in order. */
  readonly decode: (events: readonly unknown[]) => readonly MatrixInput[];
  readonly retry: Omit<RetryOptions, "signal" | "attempts">;
  /** `limits.join_attempts` */
  readonly attempts: number;
  /** A join over federation takes longer than it should: the person who invited hears of it outside the room. */
  readonly onSlowJoin: (room: RoomId, join: Join, error: HomeserverError) => void;
}

/** A remote server may take that long to let us in. */
const joinTimeoutMs = 180_000;
/** A join that takes longer is worth a word to who invited. */
const lateAfterMs = 5_000;
/**
 * The inviting server keeps its invite only after ours has taken it, and so perhaps after we know of it. To a rejection
 * that comes before, it says that there is no invite; Synapse then rejects it on our side only, and the person there
 * would wait for ever.
 */
const remoteInviteMs = 2_000;
/** What is said while a join is on its way is kept by the other server within that time, also by a busy one. */
const stragglersMs = 2_000;
/** Of a replaced room, for who is not the first of ours: how often joining is tried before it is left to an invite. */
const attemptsOfOthers = 3;
/** Events that are read back after a join, at most. */
const missedLimit = 100;

export class Entrance {
  readonly #options: EntranceOptions;

  constructor(options: EntranceOptions) {
    this.#options = options;
  }

  /**
   * Joins, and reads what the room is and what was said in it since the invite: Element sends a direct chat's first
   * message right after the invite, and Synapse does not push it to who has not joined yet.
   */
  async join(room: RoomId, join: Join, signal: AbortSignal): Promise<Joined> {
    const { attempts } = this.#options;
    await this.#options.ensure(join.as);
    const began = performance.now();
    const isLate = (): boolean => performance.now() - began > lateAfterMs;
    let tries = 1;
    let told = false;
    await this.#retrying(
      signal,
      attempts,
      (retry) => {
        tries = retry.attempts + 1;
        if (told || !isLate()) return;
        told = true;
        this.#options.onSlowJoin(room, join, retry.error);
      },
      () => this.#enter(room, join.as, join.via, signal),
    );
    const snapshot = await this.#snapshot(room, join.as, signal);
    const missed = await this.#missed(room, join, signal);
    return { kind: "joined", user: join.as, snapshot, missed, attempts: isLate() ? tries : 1 };
  }

  /** Words that our homeserver was not told of, because they were said while another server let us in. */
  async stragglers(room: RoomId, { as, inviter }: Join, signal: AbortSignal): Promise<readonly MatrixInput[]> {
    if (serverOf(inviter) === serverOf(as)) return [];
    await delay(stragglersMs, undefined, { signal });
    const { reads, decode, isOwn } = this.#options;
    try {
      const events = await stragglersOf(reads, room, as, isOwn, { signal });
      return decode(events).filter(({ kind }) => kind === "message");
    } catch (thrown) {
      // They come with the next word that somebody says there.
      if (thrown instanceof HomeserverError) return [];
      throw thrown;
    }
  }

  /** What came into the room since the invite, oldest first. */
  async #missed(room: RoomId, { as, invite }: Join, signal: AbortSignal): Promise<readonly MatrixInput[]> {
    const { reads, decode } = this.#options;
    const events = await this.#retrying(signal, undefined, undefined, () =>
      reads.messagesSince(room, as, invite, missedLimit, { signal }),
    );
    return decode(events);
  }

  /** What a room is that one of ours is in already. */
  async adopt(room: RoomId, user: UserId, signal: AbortSignal): Promise<Joined> {
    return { kind: "joined", user, snapshot: await this.#snapshot(room, user, signal), missed: [], attempts: 1 };
  }

  /** Leaves, or rejects an invite. One from another server takes a moment: see {@link remoteInviteMs}. */
  async reject(room: RoomId, { as, reason, inviter }: Leave, signal: AbortSignal): Promise<void> {
    if (inviter !== undefined && serverOf(inviter) !== serverOf(as)) await delay(remoteInviteMs, undefined, { signal });
    await this.leave(room, as, reason, signal);
  }

  /**
   * Invites somebody as the bot. Who is in the room or invited is left as they are. A homeserver that is not ours and
   * does not answer is asked a bounded number of times.
   */
  async invite(room: RoomId, { user, reason }: Invite, signal: AbortSignal): Promise<void> {
    const { homeserver, ensure, attempts } = this.#options;
    await ensure(user);
    const rooms = new OwnRooms({ homeserver, bot: botUserId(homeserver.domain) });
    const most = serverOf(user) === homeserver.domain ? undefined : attempts;
    await this.#retrying(signal, most, undefined, () => rooms.invite(room, user, reason, signal));
  }

  async leave(room: RoomId, as: UserId, reason: string, signal: AbortSignal): Promise<void> {
    await this.#options.ensure(as);
    await this.#retrying(signal, undefined, undefined, () =>
      this.#options.homeserver.leave(room, as, reason, { signal }),
    );
  }

  /**
   * Goes on in a replacement room. Anybody with enough power can point a tombstone at any room, so it must name the old
   * room as its predecessor, which only its creator could write.
   *
   * @throws CrewError `ROOM_UNVERIFIED`; then our users have left the other room again, unless they were in it before.
   */
  async follow(room: RoomId, follow: Follow, signal: AbortSignal): Promise<readonly Joined[]> {
    const joined: Joined[] = [];
    let missing: HomeserverError | undefined;
    // The bot first: it can invite the others.
    const bot = botUserId(this.#options.homeserver.domain);
    for (const user of follow.as.toSorted((one, other) => Number(other === bot) - Number(one === bot))) {
      await this.#options.ensure(user);
      // An invite may have brought it there before; or the tombstone points to a room where it works anyway.
      const wasThere = await this.#isIn(follow.replacement, user, signal);
      if (!wasThere) {
        // Once one of ours is in, the others can be invited from there.
        const attempts = Math.min(this.#options.attempts, joined.length > 0 ? attemptsOfOthers : Infinity);
        try {
          await this.#retrying(signal, attempts, undefined, () =>
            this.#enterUpgrade(follow.replacement, user, follow.via, signal),
          );
        } catch (thrown) {
          if (!(thrown instanceof HomeserverError && thrown.status === 403)) throw thrown;
          missing ??= thrown;
          continue;
        }
      }
      const snapshot = await this.#snapshot(follow.replacement, user, signal);
      if (snapshot.predecessor !== room) {
        const reason = "This room does not name the one that it is to replace.";
        if (!wasThere) await this.leave(follow.replacement, user, reason, signal);
        throw new CrewError("ROOM_UNVERIFIED", { room: follow.replacement, old: room });
      }
      joined.push({ kind: "joined", user, snapshot, missed: [], attempts: 1 });
    }
    if (joined.length === 0 && missing !== undefined) throw missing;
    return joined;
  }

  async #isIn(room: RoomId, user: UserId, signal: AbortSignal): Promise<boolean> {
    const rooms = await this.#retrying(signal, undefined, undefined, () =>
      this.#options.homeserver.joinedRooms(user, { signal }),
    );
    return rooms.includes(room);
  }

  #snapshot(room: RoomId, user: UserId, signal: AbortSignal): Promise<Snapshot> {
    return this.#retrying(signal, undefined, undefined, () => this.#options.reads.snapshot(room, user, { signal }));
  }

  async #enter(room: RoomId, as: UserId, via: readonly string[], signal: AbortSignal): Promise<void> {
    try {
      await this.#options.homeserver.join(room, as, via, { signal, timeoutMs: joinTimeoutMs });
    } catch (thrown) {
      throw isRemote(via, as) ? perhapsLater(thrown) : thrown;
    }
  }

  /** The invite to a replacement may still be on its way: people are invited to it one by one. */
  async #enterUpgrade(room: RoomId, as: UserId, via: readonly string[], signal: AbortSignal): Promise<void> {
    try {
      await this.#options.homeserver.join(room, as, via, { signal, timeoutMs: joinTimeoutMs });
    } catch (thrown) {
      throw perhapsLater(thrown);
    }
  }

  #retrying<T>(
    signal: AbortSignal,
    attempts: number | undefined,
    onRetry: ((retry: Retry) => void) | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const { retry } = this.#options;
    return retrying(work, {
      ...retry,
      signal,
      attempts,
      onRetry: (again) => {
        retry.onRetry?.(again);
        onRetry?.(again);
      },
    });
  }
}

function isRemote(via: readonly string[], as: UserId): boolean {
  return via.some((server) => server !== serverOf(as));
}

/** Another server being slow, down or behind shows as a refusal of ours; another try may well succeed. */
function perhapsLater(thrown: unknown): unknown {
  if (!(thrown instanceof HomeserverError) || thrown.retryable || thrown.code !== "HOMESERVER_REFUSED") return thrown;
  return laterPerhaps(thrown);
}

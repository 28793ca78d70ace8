/**
 * Our Matrix users: made on demand, with a device for sends, a name and a picture. What was done is remembered, so that
 * the next start asks the homeserver nothing about a user that has not changed: every change of a profile is an event in
 * each of the user's rooms.
 *
 *   (none) ──register──▶ registered ──device──▶ able to send ──name, picture──▶ presentable
 *      ▲                                                                            │
 *      └──── forget(): the homeserver says that it knows no such user or device ────┘
 */
import { z } from "zod";
import type { UserId } from "../core/ids.ts";
import type { Logger } from "../observe/log.ts";
import { avatarAddress } from "./avatar.ts";
import type { Facts } from "./facts.ts";
import { HomeserverError } from "./homeserver-error.ts";
import type { Homeserver } from "./homeserver.ts";

export interface GhostProfile {
  readonly user: UserId;
  /** Display name. */
  readonly name: string;
  /** `mxc://…` or the absolute path of a picture. Default: the picture that it has stays. */
  readonly avatar?: string | undefined;
}

export interface GhostsOptions {
  readonly homeserver: Pick<
    Homeserver,
    "register" | "putDevice" | "profile" | "setDisplayName" | "setAvatar" | "upload"
  >;
  readonly meta: Facts;
  /** How one request is repeated. Default: not at all. */
  readonly retry?: <T>(work: () => Promise<T>) => Promise<T>;
  readonly log: Logger;
}

export interface Ghosts {
  /**
   * Makes sure that the user exists and looks like that. Costs nothing when that is known. Rejects with HomeserverError
   * when it cannot be registered or get its device; a name or picture that cannot be set is logged, and tried again at
   * the next start.
   */
  ensure(profile: GhostProfile): Promise<void>;
  /** The homeserver has lost this user (see {@link isGhostMissing}): the next `ensure` makes it anew. */
  forget(user: UserId): Promise<void>;
}

/** Whether a send failed because the homeserver knows no such user or device, e.g. after its database was reset. */
export function isGhostMissing(thrown: unknown): boolean {
  if (!(thrown instanceof HomeserverError)) return false;
  // Its name before it was in the specification had a prefix.
  if (thrown.errcode?.endsWith("M_UNKNOWN_DEVICE") === true) return true;
  return /has not registered this user/i.test(String(thrown.details["reason"] ?? ""));
}

const factsOfGhost = z.object({
  able: z.literal(true),
  name: z.string().optional(),
  avatar: z.string().optional(),
});
type GhostFacts = z.output<typeof factsOfGhost>;

export function createGhosts(options: GhostsOptions): Ghosts {
  const { homeserver, meta, log, retry = (work) => work() } = options;
  /** The last work on each user: what was wanted, and the promise of it. */
  const wanted = new Map<UserId, { readonly key: string; readonly work: Promise<void> }>();
  const factName = (user: UserId): string => `ghost:${user}`;

  const make = async ({ user, name, avatar }: GhostProfile): Promise<void> => {
    const known = factsOfGhost.safeParse(await meta.get(factName(user))).data;
    if (known === undefined) {
      await retry(() => homeserver.register(user));
      await retry(() => homeserver.putDevice(user));
    }
    const now = await present(known ?? (await presence(user)), { user, name, avatar });
    if (known === undefined || now.name !== known.name || now.avatar !== known.avatar) {
      await meta.set(factName(user), now);
    }
  };

  /** How the user looks, when nothing is known here: it may be from an earlier store. */
  const presence = async (user: UserId): Promise<GhostFacts> => {
    const { name, avatar } = await retry(() => homeserver.profile(user));
    return { able: true, ...(name !== undefined && { name }), ...(avatar !== undefined && { avatar }) };
  };

  const present = async (known: GhostFacts, profile: GhostProfile): Promise<GhostFacts> => {
    const { user, name, avatar } = profile;
    let now = known;
    if (known.name !== name) {
      const isSet = await attempt(user, "name", () => retry(() => homeserver.setDisplayName(user, name)));
      if (isSet) now = { ...now, name };
    }
    if (avatar === undefined) return now;
    await attempt(user, "picture", async () => {
      const address = await retry(() => avatarAddress(avatar, { homeserver, meta }));
      if (address === now.avatar) return;
      await retry(() => homeserver.setAvatar(user, address));
      now = { ...now, avatar: address };
    });
    return now;
  };

  /** A homeserver may forbid changes of profiles, and a picture may be gone: the agent can work all the same. */
  const attempt = async (user: UserId, part: string, work: () => Promise<void>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (thrown) {
      if (isGhostMissing(thrown)) throw thrown;
      log.warn({ user, err: thrown }, `the ${part} of ${user} could not be set`);
      return false;
    }
  };

  const forget = async (user: UserId): Promise<void> => {
    wanted.delete(user);
    await meta.set(factName(user), null);
  };

  return {
    ensure(profile) {
      const { user } = profile;
      const key = JSON.stringify([profile.name, profile.avatar]);
      const before = wanted.get(user);
      if (before?.key === key) return before.work;
      // One after the other, so that the last one wanted is the last one set.
      const work = (before?.work ?? Promise.resolve()).catch(() => undefined).then(() => make(profile));
      wanted.set(user, { key, work });
      // What failed is tried again by the next call.
      work.catch(() => {
        if (wanted.get(user)?.work === work) wanted.delete(user);
      });
      return work;
    },
    forget,
  };
}

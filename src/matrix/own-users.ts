/** The bot and the agents as Matrix users: who they are, and that they exist before they act. */
import type { UserId } from "../core/ids.ts";
import { type GhostProfile, type Ghosts, isGhostMissing } from "./ghosts.ts";

export class OwnUsers {
  readonly #profiles: ReadonlyMap<UserId, GhostProfile>;
  readonly #ghosts: Ghosts;

  constructor(profiles: readonly GhostProfile[], ghosts: Ghosts) {
    this.#profiles = new Map(profiles.map((profile) => [profile.user, profile]));
    this.#ghosts = ghosts;
  }

  has(user: UserId): boolean {
    return this.#profiles.has(user);
  }

  all(): readonly UserId[] {
    return [...this.#profiles.keys()];
  }

  /** Makes the user if need be. Nobody else's. */
  async ensure(user: UserId): Promise<void> {
    const profile = this.#profiles.get(user);
    if (profile !== undefined) await this.#ghosts.ensure(profile);
  }

  /** Acts as a user. A homeserver whose database was set back does not know it any more: then it is made again, once. */
  async actAs<T>(user: UserId, work: () => Promise<T>): Promise<T> {
    await this.ensure(user);
    try {
      return await work();
    } catch (thrown) {
      if (!isGhostMissing(thrown)) throw thrown;
      await this.#ghosts.forget(user);
      await this.ensure(user);
      return work();
    }
  }
}

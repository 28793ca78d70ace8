/** Rules against people and servers: those of the config, and those of watched policy lists. They hold in all rooms. */
import { type Glob, globOf, isGlob } from "./glob.ts";
import { serverOf, type RoomId, type UserId } from "./ids.ts";
import { withoutPort } from "./server-acl.ts";

export interface ModerationRule {
  readonly about: "user" | "server";
  /** A Matrix id or a server's name, with `*` and `?`. */
  readonly entity: string;
  /** As the list gives it. */
  readonly reason?: string;
  /** The list's room; `config` for `moderation.ignored`. */
  readonly source: RoomId | "config";
}

/** What decisions ask. It changes from outside, for all rooms at once. */
export interface Moderation {
  /** The first rule that fits this user. */
  ruleOn(user: UserId): ModerationRule | undefined;
  /** Whether the bot is to be in this room, to read its rules. */
  watches(room: RoomId): boolean;
}

/** What {@link RuleBook} remembers of who was looked up; then it begins anew. */
const rememberedUsers = 10_000;

/** Looks up rules: those without wildcards cost the same however many there are. */
export class RuleBook {
  readonly #users = new Map<string, ModerationRule>();
  readonly #servers = new Map<string, ModerationRule>();
  readonly #globs: { readonly rule: ModerationRule; readonly fits: Glob }[] = [];
  readonly #known = new Map<UserId, ModerationRule | undefined>();

  constructor(rules: Iterable<ModerationRule>) {
    for (const rule of rules) {
      if (isGlob(rule.entity)) this.#globs.push({ rule, fits: takenApart(rule) });
      else if (rule.about === "user") this.#users.set(rule.entity, this.#users.get(rule.entity) ?? rule);
      else this.#servers.set(rule.entity.toLowerCase(), rule);
    }
  }

  ruleOn(user: UserId): ModerationRule | undefined {
    if (this.#known.has(user)) return this.#known.get(user);
    if (this.#known.size >= rememberedUsers) this.#known.clear();
    const rule = this.#find(user);
    this.#known.set(user, rule);
    return rule;
  }

  #find(user: UserId): ModerationRule | undefined {
    const server = serverOf(user).toLowerCase();
    const bare = withoutPort(server);
    const exact = this.#users.get(user) ?? this.#servers.get(server) ?? this.#servers.get(bare);
    if (exact !== undefined) return exact;
    const found = this.#globs.find(({ rule, fits }) =>
      rule.about === "user" ? fits(user) : fits(server) || (bare !== server && fits(bare)),
    );
    return found?.rule;
  }
}

/** A list of thousands is put in force anew with each of its changes; most of its rules are the same as before. */
const known = new WeakMap<ModerationRule, Glob>();

function takenApart(rule: ModerationRule): Glob {
  const fits = known.get(rule) ?? globOf(rule.about === "user" ? rule.entity : rule.entity.toLowerCase());
  known.set(rule, fits);
  return fits;
}

/** Where no moderation is configured. */
export const noModeration: Moderation = { ruleOn: () => undefined, watches: () => false };

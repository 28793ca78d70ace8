/** The rules that hold now: those of the config, and those that each watched list has. */
import type { RoomId, UserId } from "../core/ids.ts";
import { type Moderation, type ModerationRule, RuleBook } from "../core/moderation-rules.ts";

export class Rules implements Moderation {
  /** Asked first: the config binds people whom a list cannot. */
  readonly #own: RuleBook;
  readonly #lists = new Map<RoomId, readonly ModerationRule[]>();
  #book = new RuleBook([]);

  /** @param ignored `moderation.ignored` */
  constructor(ignored: readonly string[]) {
    this.#own = new RuleBook(ignored.map((entity) => ({ about: "user", entity, source: "config" })));
  }

  ruleOn(user: UserId): ModerationRule | undefined {
    return this.#own.ruleOn(user) ?? this.#book.ruleOn(user);
  }

  watches(room: RoomId): boolean {
    return this.#lists.has(room);
  }

  /** Replaces what a list says. */
  put(room: RoomId, rules: readonly ModerationRule[]): void {
    this.#lists.set(room, rules);
    this.#book = new RuleBook([...this.#lists.values()].flat());
  }
}

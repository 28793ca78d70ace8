/** The rules that hold now: those of the config, and those that each watched list has. */
import type { RoomId, UserId } from "../core/ids.ts";
import { type Moderation, type ModerationRule, RuleBook } from "../core/moderation-rules.ts";

export class Rules implements Moderation {
  readonly #own: readonly ModerationRule[];
  readonly #lists = new Map<RoomId, readonly ModerationRule[]>();
  #book: RuleBook;

  /** @param ignored `moderation.ignored` */
  constructor(ignored: readonly string[]) {
    this.#own = ignored.map((entity) => ({ about: "user", entity, source: "config" }));
    this.#book = new RuleBook(this.#own);
  }

  ruleOn(user: UserId): ModerationRule | undefined {
    return this.#book.ruleOn(user);
  }

  watches(room: RoomId): boolean {
    return this.#lists.has(room);
  }

  /** Replaces what a list says. */
  put(room: RoomId, rules: readonly ModerationRule[]): void {
    this.#lists.set(room, rules);
    this.#book = new RuleBook([...this.#own, ...[...this.#lists.values()].flat()]);
  }
}

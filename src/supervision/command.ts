/** What a `!crew` command is, and small help for reading what follows its name. */
import type { Draft } from "../core/draft.ts";
import type { Message } from "../core/input.ts";
import type { Level } from "../core/permissions.ts";
import type { CrewMember, World } from "../core/world.ts";

export interface Command {
  readonly name: string;
  /** After the name, as a person types it. */
  readonly usage: string;
  /** One sentence for `!crew help` and the docs. */
  readonly help: string;
  /** Permission that it needs. */
  readonly level: Level;
  /** Whether it steers agents: then its sender must be one who may steer in this room. */
  readonly steers: "no" | "always" | "with words";
  /** Set when it does not steer, and yet needs the power to steer in this room. */
  readonly power?: true;
  /** Set when it only makes sense in a task room. */
  readonly inTask?: boolean;
  /** Who may give it, for the docs, where the command itself decides. */
  readonly who?: string;
  /** @param words All that follows the name. Returns the answer, in markdown. */
  run(draft: Draft, message: Message, words: string): string;
}

export function usageOf({ name, usage }: Pick<Command, "name" | "usage">): string {
  return `\`!crew ${[name, usage].filter(Boolean).join(" ")}\``;
}

/** The first word, and what comes after it. */
export function firstWord(words: string): readonly [word: string, rest: string] {
  const [, word = "", rest = ""] = /^(\S*)\s*([\s\S]*)$/.exec(words.trim()) ?? [];
  return [word, rest];
}

/** A person's word inside an answer: not a whole essay. */
export function quoted(word: string): string {
  return `“${word.length > 80 ? `${word.slice(0, 80)}…` : word}”`;
}

/** Finds an agent by its id, its Matrix user, its name, or the mention in the message. */
export function findAgent(world: World, message: Message, word: string): CrewMember | undefined {
  const wanted = word.replace(/^@/, "").toLowerCase();
  const members = [...world.crew.values()];
  return (
    members.find((member) => member.id === wanted || member.user === word || member.user.startsWith(`@${wanted}:`)) ??
    members.find((member) => member.name.toLowerCase() === wanted) ??
    members.find((member) => message.mentions.includes(member.user))
  );
}

/** What every decision may rely on and no room can change: the crew, who may do what, and the limits. */
import type { Draft } from "./draft.ts";
import type { AgentId, UserId } from "./ids.ts";
import type { Message } from "./input.ts";
import type { Permissions } from "./permissions.ts";

export interface CrewMember {
  readonly id: AgentId;
  readonly name: string;
  readonly user: UserId;
  readonly roles: readonly string[];
  readonly runtime: string;
  readonly model: string;
}

export interface DecisionLimits {
  /** Messages that may wait in one session. */
  readonly queue_messages: number;
  /** Wakes in a row from agent to agent without a person. */
  readonly breaker_hops: number;
  /** Wakes between the same two agents within the window. */
  readonly breaker_pair_messages: number;
  /** Wakes of agents by agents in one room within the window. */
  readonly breaker_room_messages: number;
  readonly breaker_window_seconds: number;
}

export interface World {
  readonly server: string;
  readonly bot: UserId;
  /** By Matrix user, in the order of the config. */
  readonly crew: ReadonlyMap<UserId, CrewMember>;
  readonly permissions: Permissions;
  readonly limits: DecisionLimits;
  /** Runs a `!crew` command; pure like all of the core. The table itself is in `src/supervision`. */
  readonly command: (draft: Draft, message: Message) => void;
}

/** Whether a user is the bot or one of our agents. */
export function isOwn(world: World, user: UserId): boolean {
  return user === world.bot || world.crew.has(user);
}

export function memberById(world: World, id: AgentId): CrewMember | undefined {
  return [...world.crew.values()].find((member) => member.id === id);
}

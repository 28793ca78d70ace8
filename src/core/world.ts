/** What every decision may rely on and no room can change: the crew, who may do what, and the limits. */
import type { DayScope } from "./budget.ts";
import type { BudgetPolicy, Extra, Spent } from "./spent.ts";
import type { Draft } from "./draft.ts";
import type { AgentId, RoomId, UserId } from "./ids.ts";
import type { Message } from "./input.ts";
import type { Moderation } from "./moderation-rules.ts";
import type { PolicyRule } from "./policy.ts";
import type { Permissions } from "./permissions.ts";

export interface CrewMember {
  readonly id: AgentId;
  readonly name: string;
  readonly user: UserId;
  readonly roles: readonly string[];
  readonly runtime: string;
  readonly model: string;
  /** What it can do beside its roles; a subtask may ask for one. */
  readonly capabilities: readonly string[];
  /** Subtasks and reviews that it works on at the same time, in all rooms. */
  readonly parallel: number;
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

/** `tasks` of the config: how tasks are planned, given out, reviewed and watched over. */
export interface TaskPolicy {
  /** `"over"` with a number: plans with more subtasks than that. */
  readonly plan_approval: "always" | "never" | { readonly over: number };
  /** Who says that a task is done: a person, or nobody after the last review. */
  readonly final_approval: "person" | "none";
  /** `push`: the bridge gives ready subtasks to agents. `claim`: agents claim them. */
  readonly dispatch: "push" | "claim";
  readonly max_subtasks: number;
  /** Rejections of one subtask before a person decides. */
  readonly max_rework: number;
  readonly lease_seconds: number;
  readonly review_lease_seconds: number;
  /** How long a question to people waits before it is taken as denied. */
  readonly ask_hours: number;
  /** Leases of one subtask that may end without a result before it counts as blocked. */
  readonly max_tries: number;
}

/** `patrol` of the config: from when on something counts as wrong. */
export interface PatrolPolicy {
  readonly unclaimed_minutes: number;
  readonly review_wait_minutes: number;
  readonly blocked_minutes: number;
  readonly silence_minutes: number;
  /** Equal answers in a row that count as going in circles. */
  readonly identical_answers: number;
  /** When a patrol agent compares work with its acceptance criteria. */
  readonly checkpoints: readonly ("half_estimate" | "estimate" | "rework")[];
}

/** An open task, for `!crew tasks`. */
export interface TaskSummary {
  readonly number: number;
  readonly title: string;
  readonly state: string;
  readonly done: number;
  readonly total: number;
  readonly room: RoomId;
  readonly waitsForPerson: boolean;
}

/** What other rooms know that a decision here needs. It changes with every decision elsewhere. */
export interface Roster {
  /** Subtasks and reviews that an agent works on in other rooms than this. */
  loadElsewhere(agent: AgentId, room: RoomId): number;
  /** Sum and number of an agent's score entries in all rooms. */
  scoreOf(agent: AgentId): { readonly points: number; readonly entries: number };
  /** By reason, for `!crew scores`. */
  scoresByReason(agent: AgentId): Readonly<Record<string, number>>;
  tasks(): readonly TaskSummary[];
  /** What turns in other rooms than this used on a day (whole days since 1970, UTC), of one agent or of all. */
  spentElsewhere(room: RoomId, day: number, scope: DayScope): Spent;
  /** What people, asked in another room than this, added to a limit for that day. */
  raisedElsewhere(room: RoomId, day: number, scope: DayScope): Extra;
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
  readonly tasks: TaskPolicy;
  readonly patrol: PatrolPolicy;
  readonly roster: Roster;
  readonly budgets: BudgetPolicy;
  readonly moderation: Moderation;
  /** In order: the first that fits decides. */
  readonly policy: readonly PolicyRule[];
}

/** Whether a user is the bot or one of our agents. */
export function isOwn(world: World, user: UserId): boolean {
  return user === world.bot || world.crew.has(user);
}

export function memberById(world: World, id: AgentId): CrewMember | undefined {
  return [...world.crew.values()].find((member) => member.id === id);
}

/** What people call an agent: its name, or its id when it is no longer in the crew. */
export function nameIn(world: World): (agent: AgentId) => string {
  return (agent) => memberById(world, agent)?.name ?? agent;
}

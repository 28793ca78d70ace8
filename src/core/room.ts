/** The state of one room, as far as decisions need it. It is plain JSON: it is written to the journal as it is. */
import type { Heard } from "./effect.ts";
import type { AgentId, EffectId, EventId, RoomId, SessionId, TurnId, UserId } from "./ids.ts";
import type { Ask } from "./asks.ts";
import type { Cost, RoomSpending } from "./budget.ts";
import type { MatrixInput } from "./input.ts";
import type { Grant } from "./policy.ts";
import type { PowerLevels } from "./power.ts";
import type { ServerAcl } from "./server-acl.ts";
import type { Task } from "./tasks/task.ts";

/**
 * An agent's (or the bot's) place in a room.
 *
 *   (none) ──invite──▶ invited ──joined──▶ joined ──kick, leave──▶ left ──invite──▶ invited
 *                         │                  │
 *                         └──────ban─────────┴──▶ banned ──unban──▶ left
 */
export interface Seat {
  readonly place: "invited" | "joined" | "left" | "banned";
  /** The invite said that this is a direct chat (`is_direct`). */
  readonly direct: boolean;
}

/**
 * A running turn of a session.
 *
 *   queue ──start──▶ running ──turnEnded──▶ (answered)
 *                      │  └──speak: the first words are in the room, further ones are edits
 *                      └──stop, kick, mute──▶ aborted; on mute its messages go back to the queue
 */
export interface RunningTurn {
  readonly id: TurnId;
  readonly messages: readonly Heard[];
  /** Highest hop count among its messages. */
  readonly hops: number;
  /** Set when the first part of the answer is on its way to the room: all further text edits that message. */
  readonly answer?: EffectId;
  /** The event that the first part became. */
  readonly answerEvent?: EventId;
  /** Who asked to stop it. */
  readonly stoppedBy?: UserId;
  /** Why, where it was the bridge: a limit was exceeded by far. */
  readonly stoppedFor?: string;
  /** Tool calls that already took effect, so that a repeated turn does not repeat them. */
  readonly calls: readonly EffectId[];
  /** What actions on the task were answered, by their call. */
  readonly replies?: Readonly<Record<EffectId, string>>;
}

/** One agent's conversation in this room or in one thread of it. */
export interface Session {
  readonly agent: AgentId;
  readonly thread?: EventId;
  /** Id of the runtime's history. It survives a room upgrade. */
  readonly history: SessionId;
  /** Turns started so far; makes the next turn's id. */
  readonly turns: number;
  readonly queue: readonly Heard[];
  readonly running?: RunningTurn;
  /** Turns whose instruction may still be redacted or edited: cause, turn, whose words; the newest {@link rememberedCauses}. */
  readonly causes: readonly (readonly [cause: EventId | EffectId, turn: TurnId, from?: UserId])[];
}

/** About what a model's window holds; each takes 100 bytes of the record. */
export const rememberedCauses = 200;

/**
 * Why nothing is done in a room: its ACL denies our own server, the bot lacks the power to write the task's state or is
 * muted, or the bot was removed from the task's room.
 */
export interface Lock {
  readonly why: "acl" | "power" | "removed";
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** One wake of an agent by an agent, for the breaker's window. */
export interface Wake {
  /** The Matrix user of another bridge's agent. */
  readonly from: AgentId | UserId;
  readonly to: AgentId;
  readonly ts: number;
  /** Hash of what was said. */
  readonly words?: string;
}

export interface Breaker {
  readonly wakes: readonly Wake[];
  /** Set while it is open (tripped): no agent wakes another here until a person releases it. */
  readonly open?: { readonly reason: string; readonly since: number };
  /** What agents wanted to say to each other since; delivered on release. */
  readonly held: readonly { readonly to: AgentId; readonly thread?: EventId; readonly message: Heard }[];
  /** What turns here cost in the window; kept where a rate is set. */
  readonly costs?: readonly Cost[];
  /** Hash of each agent's last answer to other agents, and how often it gave that in a row. */
  readonly same?: Readonly<Record<AgentId, { readonly answer: string; readonly count: number }>>;
}

export interface RoomState {
  readonly room: RoomId;
  /** Room version; decides who has unlimited power. `undefined` until a snapshot was read. */
  readonly version?: string;
  readonly creators: readonly UserId[];
  readonly power: PowerLevels;
  readonly encrypted: boolean;
  /** Which servers may take part; without, all. */
  readonly acl?: ServerAcl;
  /** Set while the bridge only reads along here; see `read-only.ts`. */
  readonly lock?: Lock;
  readonly seats: Readonly<Record<UserId, Seat>>;
  /** Counts events that changed who is here or what they may: a snapshot asked for before the last one is out of date. */
  readonly changes: number;
  /** People who are joined or invited, as long as they are few: only needed to tell a direct room. */
  readonly people: readonly UserId[];
  /** More people than {@link crowdLimit} were seen: never a direct room again. */
  readonly crowd: boolean;
  readonly sessions: Readonly<Record<string, Session>>;
  /** Who said which of the newest messages, to know whose message a reaction or reply is on. */
  readonly said: readonly (readonly [EventId, UserId])[];
  /** People who were already refused politely, and marks of others who were told something for once. */
  readonly refused: readonly string[];
  /** Agents that have said that they cannot read an encrypted room. */
  readonly toldEncrypted: boolean;
  readonly breaker: Breaker;
  readonly replacedBy?: RoomId;
  /** What was said while the first of ours is on its way in, oldest first: only the room's state tells whom it is for. */
  readonly early?: readonly MatrixInput[];
  /** Questions that wait for a person. */
  readonly asks?: readonly Ask[];
  /** Questions asked so far; makes the next one's id. */
  readonly asked?: number;
  /** What people let agents do here. */
  readonly grants?: readonly Grant[];
  /** Grants given so far; makes the next one's id. */
  readonly granted?: number;
  /** What turns here used on the last day that they used anything. */
  readonly spending?: RoomSpending;
  /** Set in a task room. */
  readonly task?: Task;
}

/** Above this many people a room is no direct chat, and their list is no longer kept. */
export const crowdLimit = 20;
/** Idle conversations above this number are let go, oldest first: then a thread must mention its agent again. */
export const sessionLimit = 100;
/** How many of the newest messages are remembered with their author. */
export const saidLimit = 500;
/** How many refused people are remembered. */
export const refusedLimit = 200;

export function emptyRoom(room: RoomId): RoomState {
  return {
    room,
    creators: [],
    power: {},
    encrypted: false,
    seats: {},
    changes: 0,
    people: [],
    crowd: false,
    sessions: {},
    said: [],
    refused: [],
    toldEncrypted: false,
    breaker: { wakes: [], held: [] },
  };
}

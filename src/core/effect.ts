/**
 * What a decision wants done outside. Effects are kept in the room's record until they are done, and each has an id
 * made from its cause, so that doing one twice (after a crash, after a lost answer) is seen once.
 */
import type { AuditKind } from "./audit.ts";
import type { Ask } from "./asks.ts";
import type { AgentId, EffectId, EventId, RoomId, SessionId, TurnId, UserId } from "./ids.ts";
import type { DayScope } from "./budget.ts";
import type { FilesJobEffect, MediaFile, PublishCommit } from "./files.ts";
import type { Breaker } from "./room.ts";
import type { Task, Work } from "./tasks/task.ts";

/** The message that an edit replaces: a known event, or one that an effect before it in the outbox will make. */
export type Target = { readonly event: EventId } | { readonly effect: EffectId };

/** Written beside an agent's message, so that another bridge can see who speaks and how far a chain has gone. */
export interface TurnMark {
  readonly agent: AgentId;
  readonly turn: TurnId;
  /** Wakes from agent to agent since a person spoke. */
  readonly hops: number;
}

/** Says something in the room, as the bot or as an agent. */
export interface Say {
  readonly kind: "say";
  readonly id: EffectId;
  readonly as: UserId;
  /** Markdown. Longer than `limits.long_answer_bytes` it becomes a file with a summary. */
  readonly text: string;
  /**
   * What is said in its place where it is that long: a message that can be edited. The whole goes before it as a file; of an
   * edit it does not, since it went with what is edited.
   */
  readonly brief?: string;
  readonly style: "message" | "notice";
  readonly thread?: EventId;
  readonly replyTo?: EventId;
  /** Who is notified, whatever the text says. */
  readonly mentions: readonly UserId[];
  /** An edit in place instead of a new message. */
  readonly replaces?: Target;
  readonly turn?: TurnMark;
  /** Goes with the words, which are then its caption. */
  readonly file?: MediaFile;
  /** Code of an error that this message tells, for `dev.crewroom.error`. */
  readonly error?: string;
  /** The typed part of a message about a task, for `dev.crewroom.action`. Plain JSON. */
  readonly action?: Readonly<Record<string, unknown>>;
  /** The typed part of an approval, for `dev.crewroom.approval`. Plain JSON. */
  readonly approval?: Readonly<Record<string, unknown>>;
}

/** Writes a state event, as the bot. Equal content changes nothing. */
export interface SetState {
  readonly kind: "state";
  readonly id: EffectId;
  readonly type: string;
  readonly key: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** Puts a reaction under a message. */
export interface React {
  readonly kind: "react";
  readonly id: EffectId;
  readonly as: UserId;
  readonly target: Target;
  readonly key: string;
}

/** Invites one of ours (or a person) into the room, as the bot. Somebody who is in it, or invited, is left as they are. */
export interface Invite {
  readonly kind: "invite";
  readonly id: EffectId;
  readonly user: UserId;
  readonly reason: string;
}

/** Makes a task room. It is made once for each id; the room where it was asked for hears of it as `taskRoom`. */
export interface OpenTask {
  readonly kind: "openTask";
  readonly id: EffectId;
  readonly title: string;
  readonly brief: string;
  readonly asker: UserId;
  /** The message that asked, to reply to. */
  readonly cause: EventId;
  readonly thread?: EventId;
}

/** Looks into the audit log; what it says comes back as `recalled`. */
export interface Recall {
  readonly kind: "recall";
  readonly id: EffectId;
  /** The newest of this room's entries. */
  readonly limit: number;
  /** In a task's room: those of the task, also from the rooms that this one has replaced. */
  readonly task?: { readonly number: number; readonly created: number };
  readonly agent?: AgentId;
  readonly what?: AuditKind;
  /** In HQ: of all rooms. */
  readonly everywhere: boolean;
  /** Whose command it answers. */
  readonly asked: { readonly event: EventId; readonly by: UserId };
  readonly thread?: EventId;
}

/** Takes a message of ours back. */
export interface Redact {
  readonly kind: "redact";
  readonly id: EffectId;
  readonly as: UserId;
  readonly event: EventId;
  readonly reason: string;
}

export interface Join {
  readonly kind: "join";
  readonly id: EffectId;
  readonly as: UserId;
  readonly inviter: UserId;
  /** The invite: what was said after it is read back. */
  readonly invite: EventId;
  /** Servers that know the room, for a join over federation. */
  readonly via: readonly string[];
}

export interface Leave {
  readonly kind: "leave";
  readonly id: EffectId;
  readonly as: UserId;
  readonly reason: string;
  /** Set when it rejects an invite: who invited. */
  readonly inviter?: UserId;
}

/** A conversation that goes on in another room after an upgrade. */
export interface Carried {
  readonly agent: AgentId;
  readonly history: SessionId;
  readonly queue: readonly Heard[];
}

/** Goes on in the room that replaced this one, after checking that it names this one as its predecessor. */
export interface Follow {
  readonly kind: "follow";
  readonly id: EffectId;
  readonly as: readonly UserId[];
  readonly replacement: RoomId;
  readonly via: readonly string[];
  /** Which conversations go on there, and what waits in them. */
  readonly carried: readonly Carried[];
  /** Questions that wait for a person, and are asked again there. */
  readonly asks?: readonly Ask[];
  /** The task that goes on there. */
  readonly task?: Task;
  /** Agents that were removed here: they stay away there as well, until a person wants them back. */
  readonly away?: readonly UserId[];
  /** Set when it was open: it stays so there, with what it holds. */
  readonly breaker?: Breaker;
}

/** A file that came with a message. Fetched when its turn begins. */
export interface AttachmentRef {
  readonly mxc: string;
  readonly name: string;
  readonly mimeType: string;
  readonly size?: number;
  readonly encrypted: boolean;
}

/** One message that waits for, or is part of, a turn. */
export interface Heard {
  /** Event id of a person's message; effect id of another agent's. */
  readonly cause: EventId | EffectId;
  readonly from: UserId;
  /** Of another agent's message, once it is in the room: a person who takes it back names this. */
  readonly event?: EventId;
  readonly text: string;
  readonly attachment?: AttachmentRef;
  /** Wakes from agent to agent since a person spoke: 0 for a person's message. */
  readonly hops: number;
  /** Told with the next turn, but starts none by itself (the correction of a message already answered). */
  readonly quiet?: boolean;
  /** The message that it corrects. */
  readonly corrects?: EventId;
  /** Set when it gives the agent a lease on a subtask or its review. */
  readonly work?: Work;
}

/** Runs one turn. Done when the runtime has stopped and the lane has recorded its outcome. */
export interface RunTurn {
  readonly kind: "turn";
  readonly id: EffectId;
  readonly agent: AgentId;
  readonly turn: TurnId;
  /** Key of the session in the room's state. */
  readonly session: string;
  /** Id under which the runtime keeps the conversation's history. */
  readonly history: SessionId;
  readonly thread?: EventId;
  readonly messages: readonly Heard[];
  /** In a direct room names of speakers are left out. */
  readonly direct: boolean;
}

/** A limit for a day that is used up. */
export interface DayLimit {
  readonly scope: DayScope;
  /** Whole days since 1970, UTC. */
  readonly day: number;
  /** In words: the same limit is asked about once. */
  readonly limit: string;
}

/** Tells the people in HQ something that has no better place. */
export interface Announce {
  readonly kind: "announce";
  readonly id: EffectId;
  readonly text: string;
  /** Set when HQ is to ask whether a limit for a day goes on. */
  readonly budget?: DayLimit;
}

/** Forgets in a runtime's history what came of one turn (a redaction). */
export interface Forget {
  readonly kind: "forget";
  readonly id: EffectId;
  readonly agent: AgentId;
  readonly history: SessionId;
  readonly turn: TurnId;
}

/** Kept in the outbox until done. */
export type Effect =
  | Say
  | Join
  | Leave
  | Follow
  | RunTurn
  | Announce
  | Forget
  | SetState
  | React
  | Redact
  | Recall
  | Invite
  | OpenTask
  | FilesJobEffect
  | PublishCommit;

/** What a person lets a runtime do. */
export type LeaveGiven = "once" | "always" | "no";

/** Done at once after the record is written, and not repeated: losing one changes nothing that counts. */
export type Fleeting =
  | { readonly kind: "receipt"; readonly as: UserId; readonly event: EventId; readonly thread?: EventId }
  | { readonly kind: "abort"; readonly turn: TurnId }
  /** The answer to a runtime that waits for leave. */
  | { readonly kind: "leaveGiven"; readonly call: EffectId; readonly given: LeaveGiven };

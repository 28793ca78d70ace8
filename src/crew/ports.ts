/** What running a turn needs of the rest of the bridge. Types only. */
import type { ModelUsage } from "../core/spent.ts";
import type { AttachmentRef, RunTurn } from "../core/effect.ts";
import type { CrewError } from "../core/errors.ts";
import type { FileRequest } from "../core/files.ts";
import type { AgentId, EffectId, EventId, RoomId, SessionId, TurnId, UserId } from "../core/ids.ts";
import type { TurnOutcome } from "../core/input.ts";
import type { Action } from "../core/tasks/actions.ts";
import type { PermissionOption } from "../runtimes/port.ts";
import type { AgentProfile, RuntimeName, StopReason } from "../runtimes/port.ts";

export interface TurnPorts {
  /**
   * The first words are ready: the lane records it and says them. Resolves with the event once it is in the room;
   * `undefined` when the turn is not wanted any more.
   */
  speaks(room: RoomId, effect: RunTurn, text: string): Promise<EventId | undefined>;
  /** The turn has ended; resolves when recorded. `usage`: what it used of its models and was not told by `used`. */
  ended(room: RoomId, effect: RunTurn, outcome: TurnOutcome, usage: readonly ModelUsage[]): Promise<void>;
  /** What a turn that goes on has used since it told last; resolves when recorded. */
  used(room: RoomId, effect: RunTurn, usage: readonly ModelUsage[]): Promise<void>;
  /** The runtime of the turn shows life, so that its lease goes on. Asked for at most once a minute. */
  alive(room: RoomId, effect: RunTurn): Promise<void>;
  /** Shows more of a running answer by an edit. Best effort, may reject. */
  amend(room: RoomId, effect: RunTurn, message: EventId, text: string): Promise<void>;
  typing(room: RoomId, agent: AgentId, on: boolean): Promise<void>;
  /** Fetches a file of a message. Rejects with `MEDIA_TOO_LARGE` or `HOMESERVER_*`. */
  fetchAttachment(ref: AttachmentRef, signal: AbortSignal): Promise<FetchedFile>;
  /** The tool `send_message`: the lane decides, and answers with the text that the agent reads. */
  agentSays(room: RoomId, effect: RunTurn, call: EffectId, to: UserId | undefined, text: string): Promise<string>;
  /**
   * A tool that acts on the task: the lane decides, and answers with the text that the agent reads. `version`: the one
   * that the agent has seen.
   */
  act(room: RoomId, effect: RunTurn, call: EffectId, action: Action, version?: number): Promise<string>;
  /**
   * A runtime asks for leave and waits. Resolves with the option that a person (or the policy) chose, or `cancelled` when
   * nobody did: never with more than was allowed.
   */
  leave(room: RoomId, effect: RunTurn, asked: LeaveAsked, signal: AbortSignal): Promise<LeaveAnswer>;
  /** The tool `read_room`: the newest messages of the room, or of the turn's thread, one a line, oldest first. */
  readRoom(room: RoomId, effect: RunTurn, call: EffectId, limit: number): Promise<string>;
  /** A tool that works on the task's files: done in the agent's worktree, answered with the text that the agent reads. */
  files(room: RoomId, effect: RunTurn, call: EffectId, request: FileRequest, signal: AbortSignal): Promise<string>;
}

export interface LeaveAsked {
  /** Of the tool call, unique within the turn. */
  readonly callId: string;
  readonly title: string;
  readonly options: readonly PermissionOption[];
}

export type LeaveAnswer = { readonly optionId: string } | "cancelled";

export interface FetchedFile {
  readonly bytes: Uint8Array;
  readonly mimeType: string;
}

/** The keys of `limits` in the config that a turn keeps to. */
export interface TurnLimits {
  readonly turn_seconds: number;
  readonly stream_first_ms: number;
  readonly stream_interval_ms: number;
  readonly stream_edits: number;
  readonly attachment_bytes: number;
  readonly long_answer_bytes: number;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects as soon as the signal aborts. */
  after(ms: number, signal: AbortSignal): Promise<void>;
}

export interface TurnLog {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** An agent as the crew knows it: who it is, and what thinks for it. */
export interface CrewMember extends AgentProfile {
  readonly runtime: RuntimeName;
}

/** How a turn ended: what the room is told, and for the meters why. */
export interface TurnEnding {
  readonly outcome: TurnOutcome;
  readonly reason: StopReason | "failed";
  readonly error?: CrewError;
}

/** What the tools of one session may do. Asked for once per session: the list of tools stays the same within it. */
export interface SessionContext {
  readonly agent: CrewMember;
  readonly history: SessionId;
  /** Where a turn of this session runs. A conversation moves when its room is upgraded. `undefined` after its end. */
  roomOf(turn: TurnId): RoomId | undefined;
  /** {@link TurnPorts.agentSays} for a turn that runs; a turn that has ended is told so. */
  says(turn: TurnId, call: EffectId, to: UserId | undefined, text: string): Promise<string>;
  /** {@link TurnPorts.act}, likewise. */
  acts(turn: TurnId, call: EffectId, action: Action, version?: number): Promise<string>;
  /** {@link TurnPorts.readRoom}, likewise. */
  reads(turn: TurnId, call: EffectId, limit: number): Promise<string>;
  /** {@link TurnPorts.files}, likewise. */
  works(turn: TurnId, call: EffectId, request: FileRequest, signal: AbortSignal): Promise<string>;
}

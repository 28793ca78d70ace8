/**
 * What happened and who decided it, as an append-only log. A decision writes its entries into the room's record, together
 * with what it changed; from there they are appended to the log, which chains them by hashes (`src/journal/audit.ts`).
 */
import type { AgentId, EffectId, EventId, RoomId, UserId } from "./ids.ts";

/**
 * `action`: an agent changed a task by a tool. `tool`: an agent used a tool on files or ran a command. `approval`: a question
 * was asked, answered or ran out. `command`: a person steered. `moderation`: somebody was removed, muted, let in again, or a
 * message was changed or withdrawn. `refusal`: something was not allowed. `budget`, `breaker`: a limit was reached or lifted.
 */
export const auditKinds = [
  "action",
  "tool",
  "approval",
  "command",
  "moderation",
  "refusal",
  "budget",
  "breaker",
] as const;
export type AuditKind = (typeof auditKinds)[number];

/** What a decision says of itself. */
export interface AuditFacts {
  readonly kind: AuditKind;
  /** Name of the tool, the command, the question's matter, or what was done: `kick`, `mute`, … */
  readonly what: string;
  /** Who did it: an agent, a person, or the bot (the bridge by itself). */
  readonly by: AgentId | UserId;
  /** In one line: the command that was run, the verdict, the reason. Cut to {@link detailChars}; never a secret's content. */
  readonly detail?: string;
  /** What let it happen or kept it from happening: `policy 3`, `grant g1`, `level admin, power 100`. */
  readonly because?: string;
  readonly subtask?: string;
  /** The agent that it happened to. */
  readonly agent?: AgentId;
  /** The Matrix event that it came from. */
  readonly event?: EventId;
  /** The tool call, where it came from one. */
  readonly call?: EffectId;
}

export interface AuditEntry extends AuditFacts {
  readonly room: RoomId;
  /** Grows by one with every entry of its room: known ones are not appended twice. */
  readonly seq: number;
  /** Number of the room's task. */
  readonly task?: number;
  /** Milliseconds since the epoch. */
  readonly ts: number;
}

/** Of a room's record: the next number, and the entries that may not be in the log yet. */
export interface PendingAudit {
  readonly next: number;
  readonly entries: readonly AuditEntry[];
}

export const detailChars = 500;

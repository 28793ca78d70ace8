/**
 * The port that every runtime implements: `builtin` in process, later `acp`, `openclaw`, `qwenpaw` and `a2a`.
 * It is modelled on ACP v1 (session/new, session/prompt with a stream of session/update, session/cancel,
 * session/request_permission, session/close), so that an adapter for an ACP agent is a thin one.
 */
import type { AgentId, SessionId, TurnId } from "../core/ids.ts";

export type RuntimeName = "builtin" | "acp" | "openclaw" | "qwenpaw" | "a2a";

/** What a runtime needs to know of the agent that it plays. */
export interface AgentProfile {
  readonly id: AgentId;
  readonly name: string;
  readonly roles: readonly string[];
  /** What good work in its roles is, role by role, in an order that stays the same. May be empty. */
  readonly rolePrompts: readonly string[];
  /** Rules of the whole crew; `""` for none. */
  readonly rules: string;
  /** Instructions from the config, without rules that code enforces. */
  readonly instructions: string;
  /** Key of `models` in the config; `default` when the agent names none. */
  readonly model: string;
}

/** ACP ContentBlock, the kinds that Matrix messages turn into. `data` and `blob` are base64. */
export type ContentBlock =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly mimeType: string; readonly data: string; readonly name: string }
  | { readonly type: "resource"; readonly name: string; readonly mimeType: string; readonly text: string }
  | {
      readonly type: "resource_link";
      readonly name: string;
      readonly mimeType: string;
      readonly size: number;
      readonly why: string;
    };

/** A tool that the bridge offers to an agent. In process the runtime calls it; over MCP the bridge serves it. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema (draft 2020-12) of the arguments: always an object. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
  /**
   * Runs the tool. Resolves to the text that the agent reads. Wrong arguments and refusals are text as well (they say
   * what would be allowed); it rejects only when the turn should end.
   */
  call(input: unknown, context: ToolCallContext): Promise<string>;
}

export interface ToolCallContext {
  readonly turn: TurnId;
  /** Unique and stable within the turn, so that a repeated turn gives the same ids. */
  readonly callId: string;
  readonly signal: AbortSignal;
}

export interface SessionOpening {
  readonly session: SessionId;
  readonly agent: AgentProfile;
  /** Byte-stable within a session, so that providers' prompt caches hit. */
  readonly tools: readonly Tool[];
}

export interface Prompt {
  /**
   * The same id after a crash means the same turn: a runtime that has already finished it replays its result and does
   * not ask the model again.
   */
  readonly turn: TurnId;
  readonly content: readonly ContentBlock[];
}

/** ACP ToolKind. */
export type ToolKind = "read" | "edit" | "delete" | "move" | "search" | "execute" | "think" | "fetch" | "other";
/** ACP PermissionOption. Always answered by `optionId`; two options may share a kind. */
export interface PermissionOption {
  readonly optionId: string;
  readonly name: string;
  readonly kind: "allow_once" | "allow_always" | "reject_once" | "reject_always";
}

export type StopReason = "end_turn" | "max_tokens" | "max_turn_requests" | "refusal" | "cancelled";

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** ACP session/update, and the end of the turn as its last element. */
export type SessionUpdate =
  | { readonly kind: "agent_message_chunk"; readonly text: string }
  | { readonly kind: "agent_thought_chunk"; readonly text: string }
  | { readonly kind: "tool_call"; readonly callId: string; readonly title: string; readonly toolKind: ToolKind }
  | {
      readonly kind: "tool_call_update";
      readonly callId: string;
      readonly status: "in_progress" | "completed" | "failed";
    }
  | {
      readonly kind: "permission_request";
      readonly callId: string;
      readonly title: string;
      readonly options: readonly PermissionOption[];
      /** Answers the runtime: an `optionId`, or `cancelled` when the turn was cancelled meanwhile. Call it once. */
      answer(outcome: { readonly optionId: string } | "cancelled"): void;
    }
  | { readonly kind: "usage"; readonly usage: Usage }
  | { readonly kind: "stop"; readonly reason: StopReason };

/** One session of one agent. Turns do not overlap: the caller waits for the end of one before the next `prompt`. */
export interface RuntimeSession {
  /**
   * Runs one turn. The stream ends with exactly one `stop`. It throws a CrewError (`MODEL_*`, `CONTEXT_EXCEEDED`,
   * `RUNTIME_FAILED`) when the turn fails. When `signal` aborts, the stream ends soon with `stop: cancelled`; what the
   * agent had said until then stays in its history, marked as interrupted.
   */
  prompt(prompt: Prompt, signal: AbortSignal): AsyncIterable<SessionUpdate>;
  /** Removes what came of one message from the history (a redaction). Unknown turns are ignored. */
  forget(turn: TurnId): Promise<void>;
  /** Frees what the session holds in memory or in a process. Its history stays. */
  close(): Promise<void>;
}

export interface Runtime extends AsyncDisposable {
  readonly name: RuntimeName;
  openSession(opening: SessionOpening): Promise<RuntimeSession>;
}

/** Where a runtime keeps a session's history. Values are JSON. Backed by the journal. */
export interface SessionStore {
  load(session: SessionId): Promise<unknown>;
  save(session: SessionId, value: unknown): Promise<void>;
  remove(session: SessionId): Promise<void>;
}

/** What the tools need of the bridge. The crew gives each session its own. */
import type { FileRequest } from "../core/files.ts";
import type { AgentId, EffectId, TurnId, UserId } from "../core/ids.ts";
import type { Action } from "../core/tasks/actions.ts";
import type { RuntimeName, ToolCallContext } from "../runtimes/port.ts";

export interface ToolsContext {
  /** Name of our homeserver, the server part of the agents' users. */
  readonly server: string;
  /** Of the session's agent: they decide which tools it gets. */
  readonly roles: readonly string[];
  /** Of the session's agent: `builtin` has no file tools of its own. */
  readonly runtime: RuntimeName;
  /** The agents in the room where the turn runs. */
  agentsHere(turn: TurnId): readonly AgentId[];
  /** Says something as the agent. Resolves to the text that the agent reads, also when the room does not allow it. */
  says(turn: TurnId, call: EffectId, to: UserId | undefined, text: string): Promise<string>;
  /** Acts on the room's task as the agent. Resolves to the text that the agent reads, also when it is refused. */
  acts(turn: TurnId, call: EffectId, action: Action, version?: number): Promise<string>;
  /** The newest messages of the room, as the text that the agent reads. */
  reads(turn: TurnId, call: EffectId, limit: number): Promise<string>;
  /** Works on the task's files as the agent. Resolves to the text that the agent reads, also when it is refused. */
  works(turn: TurnId, call: EffectId, request: FileRequest, signal: AbortSignal): Promise<string>;
}

/** Effects of a call have an id made of it: a repeated turn repeats the id, and the room sees it once. */
export function effectOf({ turn, callId }: ToolCallContext): EffectId {
  return `${turn}:${callId}` as EffectId;
}

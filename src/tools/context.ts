/** What the tools need of the bridge. The crew gives each session its own. */
import type { AgentId, EffectId, TurnId, UserId } from "../core/ids.ts";
import type { ToolCallContext } from "../runtimes/port.ts";

export interface ToolsContext {
  /** Name of our homeserver, the server part of the agents' users. */
  readonly server: string;
  /** The agents in the room where the turn runs. */
  agentsHere(turn: TurnId): readonly AgentId[];
  /** Says something as the agent. Resolves to the text that the agent reads, also when the room does not allow it. */
  says(turn: TurnId, call: EffectId, to: UserId | undefined, text: string): Promise<string>;
}

/** Effects of a call have an id made of it: a repeated turn repeats the id, and the room sees it once. */
export function effectOf({ turn, callId }: ToolCallContext): EffectId {
  return `${turn}:${callId}` as EffectId;
}

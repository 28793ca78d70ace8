/**
 * What the builtin runtime keeps of a session, as one JSON value in the session store:
 *
 * - `turns`: the finished turns that still fit in the model's window, oldest first; each keeps its id, so that a
 *   redaction can take it out again
 * - `last`: how the newest turn ended and what it said, so that the same turn asked again is replayed
 * - `running`: a turn that has called tools and is not finished. It is written before each call and after each result:
 *   after a crash the same turn goes on from there, and the same call comes again under the same call id. A turn without
 *   tool calls leaves nothing behind until it is finished.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { CrewError, reasonOf } from "../../core/errors.ts";
import type { TurnId } from "../../core/ids.ts";
import type { AssistantModelMessage, ModelMessage, ToolModelMessage } from "../../models/port.ts";
import type { StopReason } from "../port.ts";

export interface StoredTurn {
  readonly id: TurnId;
  readonly messages: readonly ModelMessage[];
}

export interface RunningTurn {
  readonly id: TurnId;
  readonly messages: ModelMessage[];
  /** All that was said to the room in the finished steps. */
  text: string;
}

export interface FinishedTurn {
  readonly id: TurnId;
  readonly text: string;
  readonly reason: StopReason;
}

export interface History {
  turns: readonly StoredTurn[];
  last: FinishedTurn | undefined;
  running: RunningTurn | undefined;
}

const turnId = z.string().transform((id) => id as TurnId);
/** The messages were made here and are checked by `ai` when they are sent; here only their outline is. */
const messages = z
  .array(
    z.looseObject({
      role: z.enum(["user", "assistant", "tool"]),
      content: z.union([z.string(), z.array(z.unknown())]),
    }),
  )
  .transform((list) => list as ModelMessage[]);
const stored = z.object({
  version: z.literal(1),
  turns: z.array(z.object({ id: turnId, messages })),
  last: z
    .object({
      id: turnId,
      text: z.string(),
      reason: z.enum(["end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"]),
    })
    .optional(),
  running: z.object({ id: turnId, messages, text: z.string() }).optional(),
});

/** Reads a stored history; nothing stored is an empty one. Throws `RUNTIME_FAILED` for a value that is not ours. */
export function readHistory(value: unknown): History {
  if (value === undefined || value === null) return { turns: [], last: undefined, running: undefined };
  const parsed = stored.safeParse(value);
  if (!parsed.success) {
    throw new CrewError("RUNTIME_FAILED", {
      runtime: "builtin",
      reason: `its stored history cannot be read (${reasonOf(parsed.error)})`,
    });
  }
  return { turns: parsed.data.turns, last: parsed.data.last, running: parsed.data.running };
}

/** The value to store. */
export function writeHistory({ turns, last, running }: History): unknown {
  return { version: 1, turns, ...(last === undefined ? {} : { last }), ...(running === undefined ? {} : { running }) };
}

type ToolCall = Extract<Exclude<AssistantModelMessage["content"], string>[number], { type: "tool-call" }>;

function callsOf(message: ModelMessage): ToolCall[] {
  return message.role === "assistant" && typeof message.content !== "string"
    ? message.content.flatMap((part) => (part.type === "tool-call" ? part : []))
    : [];
}

/** How many tools the turn has called so far. */
export function callCount(turn: RunningTurn): number {
  return turn.messages.flatMap(callsOf).length;
}

/** How often the model was asked in this turn. */
export function stepCount(turn: RunningTurn): number {
  return turn.messages.filter((message) => message.role === "assistant").length;
}

/** The tool calls that have no result yet, in order. */
export function openCalls(turn: RunningTurn): ToolCall[] {
  const results = turn.messages.flatMap((message) => (message.role === "tool" ? message.content : []));
  const done = new Set(results.flatMap((part) => (part.type === "tool-result" ? part.toolCallId : [])));
  return turn.messages.flatMap(callsOf).filter((call) => !done.has(call.toolCallId));
}

/**
 * The id of the turn's `index`th tool call. Ours, not the provider's: stable when a turn is repeated, unique in the
 * session (some servers number from 0 each time), and nine letters and digits, the only form that all providers accept.
 */
export function callIdOf(turn: TurnId, index: number): string {
  return createHash("sha256").update(`${turn}\n${index}`).digest("hex").slice(0, 9);
}

/** Adds a tool's result. All results of one step share one message. */
export function addResult(turn: RunningTurn, call: ToolCall, value: string, failed: boolean): void {
  const { toolCallId, toolName } = call;
  const result: ToolModelMessage["content"][number] = {
    type: "tool-result",
    toolCallId,
    toolName,
    output: { type: failed ? "error-text" : "text", value },
  };
  const last = turn.messages.at(-1);
  if (last?.role === "tool")
    turn.messages[turn.messages.length - 1] = { role: "tool", content: [...last.content, result] };
  else turn.messages.push({ role: "tool", content: [result] });
}

/** Written into the history where a person stopped the agent, so that it knows that it was not heard to the end. */
export const interruptedMark = "[interrupted]";

/** Closes a turn that did not come to its end: open calls get a result, and the agent's last words are marked. */
export function closeInterrupted(turn: RunningTurn, partial: string): void {
  for (const call of openCalls(turn)) {
    addResult(turn, call, "Interrupted. Whether it took effect is unknown.", true);
  }
  turn.messages.push({
    role: "assistant",
    content: partial === "" ? interruptedMark : `${partial} ${interruptedMark}`,
  });
}

/** Images are sent again with every request; only the newest turns keep them, older ones their names. */
const turnsWithImages = 2;

function withoutImages(message: ModelMessage): ModelMessage {
  if (message.role !== "user" || typeof message.content === "string") return message;
  if (message.content.every((part) => part.type === "text")) return message;
  return {
    role: "user",
    content: message.content.map((part) =>
      part.type === "text"
        ? part
        : { type: "text", text: `[image ${part.type === "file" ? (part.filename ?? "") : ""}, shown earlier]` },
    ),
  };
}

/** A provider wants its reasoning back within a turn only. */
function withoutReasoning(message: ModelMessage): ModelMessage {
  if (message.role !== "assistant" || typeof message.content === "string") return message;
  return { role: "assistant", content: message.content.filter((part) => part.type !== "reasoning") };
}

/** Moves the running turn to the finished ones. */
export function finish(history: History, turn: RunningTurn, reason: StopReason): void {
  // Some models refuse a user's message that follows another, or a tool's result.
  if (turn.messages.at(-1)?.role !== "assistant") turn.messages.push({ role: "assistant", content: "[no answer]" });
  const older = history.turns.map((done, index) =>
    index > history.turns.length - turnsWithImages ? done : { id: done.id, messages: done.messages.map(withoutImages) },
  );
  history.turns = [...older, { id: turn.id, messages: turn.messages.map(withoutReasoning) }];
  history.last = { id: turn.id, text: turn.text, reason };
  history.running = undefined;
}

/** Takes a turn out. Its replay says nothing any more, but the turn still counts as done. */
export function forget(history: History, turn: TurnId): void {
  history.turns = history.turns.filter(({ id }) => id !== turn);
  if (history.running?.id === turn) {
    history.running = undefined;
    history.last = { id: turn, text: "", reason: "cancelled" };
  } else if (history.last?.id === turn) {
    history.last = { id: turn, text: "", reason: "cancelled" };
  }
}

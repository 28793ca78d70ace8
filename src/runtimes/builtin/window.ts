/**
 * Keeps a conversation within the model's window. Whole turns go, oldest first, so that a tool call is never parted
 * from its result. When it must trim, it trims to three quarters, so that the requests after it share one beginning and
 * hit the provider's prompt cache, instead of losing one turn each time.
 */
import { CrewError } from "../../core/errors.ts";
import type { ModelMessage, Models, ToolModelMessage } from "../../models/port.ts";
import type { History, RunningTurn } from "./history.ts";

/** Kept free for the answer when the config sets no `max_output_tokens`; at most a quarter of the window. */
const answerTokens = 4096;
/** Estimates are wrong by some percent. */
const marginShare = 0.05;
const trimmedShare = 0.75;

/** Tokens that a request may have. */
export function budgetOf(settings: {
  readonly context: number;
  readonly maxOutputTokens?: number | undefined;
}): number {
  const { context, maxOutputTokens } = settings;
  const answer = maxOutputTokens ?? Math.min(answerTokens, Math.floor(context / 4));
  return Math.max(1, Math.floor(context - answer - context * marginShare));
}

const elided = "[left out to save room; call the tool again if it is still needed]";

function shorten(message: ToolModelMessage): ToolModelMessage {
  return {
    role: "tool",
    content: message.content.map((part) =>
      part.type === "tool-result" ? { ...part, output: { type: "text", value: elided } } : part,
    ),
  };
}

export interface Window {
  readonly models: Models;
  readonly model: string;
  /** What goes with every request: system prompt and tools. */
  readonly fixed: unknown;
}

/**
 * Trims the history (for good: what no longer fits is forgotten) and the running turn's older tool results until the
 * request fits, and returns its messages. Throws `CONTEXT_EXCEEDED` when the running turn alone is too large.
 *
 * @param harder after the model itself refused the length: half of what would be sent now has to do
 */
export function fit(window: Window, history: History, running: RunningTurn, harder = false): ModelMessage[] {
  const { models, model } = window;
  const settings = models.settings(model);
  const count = (value: unknown): number => models.estimate(model, value);
  const fixed = count(window.fixed);
  const turns = history.turns.map((turn) => ({ turn, tokens: count(turn.messages) }));
  let present = count(running.messages);
  let total = turns.reduce((sum, { tokens }) => sum + tokens, fixed + present);
  const budget = harder ? Math.min(budgetOf(settings), Math.floor(total / 2)) : budgetOf(settings);

  if (total > budget) {
    while (turns.length > 0 && total > budget * trimmedShare) total -= turns.shift()?.tokens ?? 0;
    history.turns = turns.map(({ turn }) => turn);
  }
  for (const [index, message] of running.messages.slice(0, -1).entries()) {
    if (total <= budget) break;
    if (message.role !== "tool") continue;
    running.messages[index] = shorten(message);
    total -= present - (present = count(running.messages));
  }
  // Refused by the model, there is no telling how long is too long: what is left is worth its one more try.
  if (total > (harder ? budgetOf(settings) : budget)) {
    throw new CrewError("CONTEXT_EXCEEDED", { context: settings.context, model: settings.model, name: model });
  }
  return [...history.turns.flatMap((turn) => turn.messages), ...running.messages];
}

/** A tool's result, cut so that it cannot fill the window alone. */
export function cutResult(text: string, context: number): string {
  const most = Math.max(2000, context); // characters; about a quarter of the window
  return text.length <= most ? text : `${text.slice(0, most)}\n[cut: ${text.length - most} more characters]`;
}

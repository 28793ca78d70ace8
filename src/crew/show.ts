/**
 * Shows an answer while it grows: one message with the first words, then edits of it.
 *
 *   silent ──words, stream_first_ms later──▶ spoken ──new text, an interval later──▶ edited ──┐
 *     │                                        │                                      ▲       │
 *     │                                        │                                      └───────┘
 *     └──────── the turn is over, the text is long enough for a file, no edits left ──────────┴──▶ left as it is
 */
import { reasonOf } from "../core/errors.ts";
import type { EventId } from "../core/ids.ts";
import type { Answer } from "./answer.ts";
import type { Clock, TurnLimits, TurnLog } from "./ports.ts";
import { until } from "../until.ts";

/** Among the last edits each interval is longer than the one before, so that the longest turns keep moving. */
const stretchedEdits = 14;
/** With the defaults: ten edits in 15 s, then fourteen over about 20 minutes. */
const stretch = 1.5;

export interface Showing {
  readonly answer: Answer;
  readonly limits: TurnLimits;
  readonly clock: Clock;
  readonly log: TurnLog;
  speaks(text: string): Promise<EventId | undefined>;
  amend(message: EventId, text: string): Promise<void>;
}

/**
 * Runs until the turn is over. Resolves with the message that holds the first words, if there is one; no edit is on its
 * way any more then. Never rejects: an answer that could not be shown while it grew is still said at its end.
 */
export async function show(parts: Showing, over: AbortSignal): Promise<EventId | undefined> {
  const { answer, limits, clock, log } = parts;
  // A message with its first words needs at least the edit that completes it.
  if (limits.stream_edits < 1) return undefined;
  let shown = "";
  const fits = (): boolean => Buffer.byteLength(answer.text) <= limits.long_answer_bytes;
  /** Only the end of the turn ends these waits early. */
  const goesOn = async (wait: () => Promise<void>): Promise<boolean> => {
    try {
      await wait();
      return !over.aborted;
    } catch {
      return false;
    }
  };
  const news = async (): Promise<void> => {
    while (answer.text === shown) await until(answer.grown, over);
  };

  if (!(await goesOn(news)) || !(await goesOn(async () => clock.after(limits.stream_first_ms, over))) || !fits()) {
    return undefined;
  }
  shown = answer.text;
  let message: EventId | undefined;
  try {
    message = await parts.speaks(shown);
  } catch (thrown) {
    log.warn({ err: thrown }, "the first words of a turn could not be shown");
  }
  // Not wanted any more: whoever decided that aborts the turn as well.
  if (message === undefined) return undefined;

  let interval = limits.stream_interval_ms;
  // The last edit is the lane's, with the whole answer.
  for (let left = limits.stream_edits - 1; left > 0; left -= 1) {
    if (left <= stretchedEdits) interval *= stretch;
    const wait = interval;
    if (!(await goesOn(async () => clock.after(wait, over))) || !(await goesOn(news)) || !fits()) break;
    shown = answer.text;
    try {
      await parts.amend(message, shown);
    } catch (thrown) {
      log.debug({ reason: reasonOf(thrown) }, "an edit of a growing answer was lost");
    }
  }
  return message;
}

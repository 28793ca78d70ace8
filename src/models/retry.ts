/** How long to wait before a model is asked again. */

/** Retries of one request, beside the first try. */
export const defaultRetries = 2;
const firstPauseMs = 500;
/** A person waits: what a provider wants longer than this is told to them instead. */
const longestPauseMs = 20_000;

/**
 * Milliseconds before retry `attempt` (from 0): what the provider asked for, else a back-off that doubles, with jitter.
 * `undefined` when the provider asked for longer than a person should wait without a word.
 */
export function pauseBefore(
  attempt: number,
  retryAfterMs: number | undefined,
  random: () => number,
): number | undefined {
  if (retryAfterMs !== undefined) return retryAfterMs <= longestPauseMs ? retryAfterMs : undefined;
  return Math.round(firstPauseMs * 2 ** attempt * (0.5 + random() / 2));
}

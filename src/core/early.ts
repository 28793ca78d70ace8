/**
 * What is said between an invite and the first join of ours. A homeserver pushes some of it and not the rest, and nobody knows yet
 * whether the room is a direct chat: it waits, and is decided with what is read back, in the order in which it was said.
 */
import type { Draft } from "./draft.ts";
import type { MatrixInput } from "./input.ts";

/** As many as are read back after a join. The oldest go first: those are read back. */
const earlyLimit = 100;

/** Keeps an input until the room is known. `false`: it is to be decided now. */
export function comesEarly(draft: Draft, input: MatrixInput): boolean {
  const { seats, early = [] } = draft.state;
  if (!isWords(input)) return false;
  const isHere = Object.values(seats).some(({ place }) => place === "joined");
  if (isHere || !draft.outbox.some(({ kind }) => kind === "join")) return false;
  if (!early.some(({ event }) => event === input.event)) draft.set({ early: [...early, input].slice(-earlyLimit) });
  return true;
}

/** What was read back and what came early, each once, in the order in which it was said. */
export function withEarly(draft: Draft, readBack: readonly MatrixInput[]): readonly MatrixInput[] {
  const { early = [] } = draft.state;
  if (early.length === 0) return readBack;
  draft.set({ early: [] });
  const known = new Set(readBack.map(({ event }) => event));
  // What is not in it was said after it was read.
  return [...readBack, ...early.filter(({ event }) => !known.has(event))];
}

/** Another invite: what was said after an older one, which ended without a join, is no longer meant. */
export function forgetEarly(draft: Draft): void {
  const { early = [] } = draft.state;
  if (early.length > 0 && !draft.outbox.some(({ kind }) => kind === "join")) draft.set({ early: [] });
}

/** Who is here and what they may is in the room's state, which is read later than it is pushed. */
function isWords({ kind }: MatrixInput): boolean {
  return kind === "message" || kind === "edit" || kind === "reaction" || kind === "redaction";
}

/** Where a message stands, and whose turn said it: the parts that effects have in common. */
import type { TurnMark } from "./effect.ts";
import type { EventId } from "./ids.ts";
import type { RunningTurn, Session } from "./room.ts";

/** The thread of something that may be in one, or nothing, to be spread into what is to stand there too. */
export function inThread({ thread }: { readonly thread?: EventId | undefined }): { readonly thread?: EventId } {
  return thread === undefined ? {} : { thread };
}

/** Written beside what an agent says in a turn. */
export function markOf({ agent, running }: Session & { readonly running: RunningTurn }): TurnMark {
  return { agent, turn: running.id, hops: running.hops };
}

/** The Matrix event that a turn came from: what a person said last in it, else the root of the thread where it works. */
export function originOf({ thread, running }: Pick<Session, "thread" | "running">): { readonly event?: EventId } {
  const said = running?.messages.findLast(({ cause }) => cause.startsWith("$"))?.cause as EventId | undefined;
  const event = said ?? thread;
  return event === undefined ? {} : { event };
}

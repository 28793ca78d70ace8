/**
 * A room is replaced by another (spec, "Room upgrades"). All that waits goes along; who follows checks that it is the real
 * successor, and until then everything is also kept in the old room, where it goes on when the successor is a false one.
 */
import type { Draft } from "./draft.ts";
import type { Carried } from "./effect.ts";
import { ask, type Ask } from "./asks.ts";
import { type EffectId, serverOf, type UserId } from "./ids.ts";
import type { Tombstone } from "./input.ts";
import type { Breaker, Seat } from "./room.ts";
import { putSubtask } from "./tasks/ledger.ts";
import { newSession, putSession, sessionKey, takeBack } from "./turns.ts";

function isRemoved(seat: Seat | undefined): boolean {
  return seat?.place === "left" || seat?.place === "banned";
}

/** A conversation from the room that this one replaces. It may be told twice: by who follows, and by an invite. */
export function goOn(draft: Draft, { agent, history, queue }: Carried): void {
  const key = sessionKey(agent, undefined);
  const session = draft.state.sessions[key];
  if (session?.history === history) return;
  putSession(draft, key, {
    agent,
    turns: session?.turns ?? 0,
    causes: session?.causes ?? [],
    ...(session?.running === undefined ? {} : { running: session.running }),
    history,
    queue: [...queue, ...(session?.queue ?? [])],
  });
}

/** A question from the room that this one replaces. It may be told twice, as {@link goOn} may. */
export function askAgain(draft: Draft, open: Ask): void {
  const { matter, text, options, timeout } = open;
  const isSame = (other: Ask): boolean =>
    other.text === text && JSON.stringify(other.matter) === JSON.stringify(matter);
  if ((draft.state.asks ?? []).some(isSame)) return;
  const subtask = "subtask" in matter ? draft.state.task?.subtasks[matter.subtask] : undefined;
  if ("subtask" in matter && subtask === undefined) return;
  const hours = (open.deadline - draft.now) / 3_600_000;
  const { id } = ask(draft, {
    matter,
    text,
    options,
    timeout,
    hours,
    ...(open.as === undefined ? {} : { as: open.as }),
  });
  if (matter.kind === "subtask" && subtask !== undefined) putSubtask(draft, { ...subtask, ask: id });
}

/**
 * What goes along as it was asked. The other questions follow from the task, which asks them again, or are of agents in
 * threads, who ask again when they go on.
 */
function goesAlong({ matter, thread }: Ask): boolean {
  switch (matter.kind) {
    case "question":
    case "permission":
      return thread === undefined;
    case "budget":
      return matter.scope !== undefined;
    case "subtask":
    case "secret":
      return true;
    case "plan":
    case "final":
    case "planner":
      return false;
  }
}

/** Each agent's conversation in the room. Threads end with it; what people said in one and nobody has answered goes along. */
function carriedFrom(draft: Draft): readonly Carried[] {
  const sessions = Object.values(draft.state.sessions);
  return [...new Set(sessions.map(({ agent }) => agent))].flatMap((agent) => {
    const own = sessions.filter((session) => session.agent === agent);
    const main = own.find(({ thread }) => thread === undefined);
    const inThreads = own
      .filter(({ thread }) => thread !== undefined)
      .flatMap(({ queue }) => queue.filter(({ cause, quiet }) => cause.startsWith("$") && quiet !== true));
    if (main === undefined && inThreads.length === 0) return [];
    const { history, queue } = main ?? newSession(draft, agent, undefined);
    return [{ agent, history, queue: [...queue, ...inThreads] }];
  });
}

/**
 * The room has a successor. All that waits here goes on there; who follows checks that it is the real one. Until then it
 * is also kept here, where it goes on when the successor is a false one.
 */
export function tombstone(draft: Draft, input: Tombstone): void {
  if (draft.state.replacedBy !== undefined) return;
  draft.set({ replacedBy: input.replacement });
  for (const key of Object.keys(draft.state.sessions)) takeBack(draft, key);
  const carried = carriedFrom(draft);
  // Also who is on the way in: otherwise nobody would ever look whether the successor is the real one.
  const isHere = (place: Seat["place"] | undefined): boolean => place === "joined" || place === "invited";
  const users = [draft.world.bot, ...draft.world.crew.keys()].filter((user) => isHere(draft.state.seats[user]?.place));
  const away = [...draft.world.crew.keys()].filter((user) => isRemoved(draft.state.seats[user]));
  draft.audit({
    kind: "moderation",
    what: "upgrade",
    by: input.sender,
    detail: input.replacement,
    event: input.event,
  });
  if (users.length === 0) return;
  const asks = (draft.state.asks ?? []).filter(goesAlong);
  draft.emit({
    kind: "follow",
    id: `${input.event}:follow` as EffectId,
    as: users,
    replacement: input.replacement,
    via: viaOf(draft, input.sender),
    carried,
    ...(asks.length === 0 ? {} : { asks }),
    ...(draft.state.task === undefined ? {} : { task: draft.state.task }),
    ...(away.length === 0 ? {} : { away }),
    ...openBreaker(draft.state.breaker),
  });
}

/** Only a person releases it, and what it holds is not lost. The threads stay in the old room. */
function openBreaker(breaker: Breaker): { readonly breaker?: Breaker } {
  if (breaker.open === undefined) return {};
  return { breaker: { ...breaker, held: breaker.held.map(({ to, message }) => ({ to, message })) } };
}

/** Servers that can let us in: the one of who asks, and the one in the room's id (older room versions have one). */
export function viaOf(draft: Draft, user: UserId): readonly string[] {
  const { room } = draft.state;
  const colon = room.indexOf(":");
  return [...new Set([serverOf(user), ...(colon < 0 ? [] : [room.slice(colon + 1)])])];
}

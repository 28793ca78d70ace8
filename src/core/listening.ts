/** Which agents a message is for (docs/architecture.md, "When an agent listens"). */
import type { EventId, UserId } from "./ids.ts";
import type { Message } from "./input.ts";
import type { RoomState } from "./room.ts";
import type { World } from "./world.ts";

/**
 * Our agents that are in the room, or on their way in: who is mentioned right after the invite should not be missed,
 * and what such an agent hears waits until it has joined.
 */
export function agentsHere(world: World, state: RoomState): readonly UserId[] {
  return [...world.crew.keys()].filter((user) => {
    const place = state.seats[user]?.place;
    return place === "joined" || place === "invited";
  });
}

/** One person and one agent, whatever the room calls itself: then every word is meant for the agent. A task room is none. */
export function isDirect(world: World, state: RoomState): boolean {
  return state.task === undefined && !state.crowd && state.people.length === 1 && agentsHere(world, state).length === 1;
}

/** Who said an event, as far as we remember: only our own users' messages are kept. */
export function authorOf(state: RoomState, event: EventId): UserId | undefined {
  return state.said.find(([said]) => said === event)?.[1];
}

function worksInThread(state: RoomState, agent: string, thread: EventId): boolean {
  return Object.values(state.sessions).some((session) => session.agent === agent && session.thread === thread);
}

/**
 * The agents that should hear a message: in a direct room the one that is there; elsewhere those that it mentions, or
 * whose message it replies to, or that work in its thread. Who mentions other people only speaks to them.
 */
export function addressees(world: World, state: RoomState, message: Message): readonly UserId[] {
  const present = agentsHere(world, state);
  if (isDirect(world, state)) return present;

  const mentioned = present.filter((user) => message.mentions.includes(user));
  const repliedTo = message.replyTo === undefined ? undefined : authorOf(state, message.replyTo);
  const named = present.filter((user) => mentioned.includes(user) || user === repliedTo);
  if (named.length > 0) return named;
  if (message.mentions.length > 0) return [];

  const { thread } = message;
  // In a task's threads work passes from one to the other: see `wordsForTask`.
  if (thread === undefined || state.task !== undefined) return [];
  return present.filter((user) => worksInThread(state, world.crew.get(user)?.id ?? "", thread));
}

/**
 * The life of a turn in a room's state. One session has at most one turn; what is said meanwhile waits and goes
 * together, in order, into the next one.
 *
 *   hear ──▶ queue ──begin──▶ running ──conclude──▶ (queue again, or idle)
 */
import { withdrawWaiting } from "./asks.ts";
import { heldBack } from "./budget.ts";
import { inThread } from "./placement.ts";
import type { Draft } from "./draft.ts";
import { idFrom } from "./draft.ts";
import type { Heard } from "./effect.ts";
import type { AgentId, EffectId, EventId, SessionId, TurnId, UserId } from "./ids.ts";
import { isDirect } from "./listening.ts";
import { maySpeak } from "./power.ts";
import { rememberedCauses, type RunningTurn, type Session, sessionLimit } from "./room.ts";
import { silenceOf } from "./silence.ts";
import { type CrewMember, memberById } from "./world.ts";

export function sessionKey(agent: AgentId, thread: EventId | undefined): string {
  return thread === undefined ? agent : `${agent} ${thread}`;
}

/** The agent of a session's key. */
export function agentOf(key: string): AgentId {
  return key.split(" ", 1)[0] as AgentId;
}

/** Replaces one session, or removes it. */
export function putSession(draft: Draft, key: string, session: Session | undefined): void {
  const { [key]: _old, ...others } = draft.state.sessions;
  draft.set({ sessions: session === undefined ? others : { ...others, [key]: session } });
}

/** An idle session without anything to remember for; the oldest come first in the record. */
function letGoOfIdle(draft: Draft): void {
  const entries = Object.entries(draft.state.sessions);
  const spare = entries.length - sessionLimit;
  if (spare <= 0) return;
  const idle = entries.filter(
    ([, session]) => session.thread !== undefined && !session.running && session.queue.length === 0,
  );
  for (const [key] of idle.slice(0, spare)) putSession(draft, key, undefined);
}

export function newSession(draft: Draft, agent: AgentId, thread: EventId | undefined): Session {
  const { room } = draft.state;
  const history = [agent, room, ...(thread === undefined ? [] : [thread])].join("/") as SessionId;
  return { agent, ...inThread({ thread }), history, turns: 0, queue: [], causes: [] };
}

/** Gives an agent something to hear. It begins a turn at once when the agent is free and may speak. */
export function hear(draft: Draft, agent: CrewMember, thread: EventId | undefined, heard: Heard): void {
  const key = sessionKey(agent.id, thread);
  const session = draft.state.sessions[key] ?? newSession(draft, agent.id, thread);
  if (session.queue.length >= draft.world.limits.queue_messages) {
    draft.say(`${heard.cause}:${agent.id}:full`, {
      as: agent.user,
      text: `${session.queue.length} messages wait for me already, so I did not take this one. Please say it again later.`,
      style: "notice",
      ...inThread({ thread }),
      mentions: draft.world.crew.has(heard.from) ? [] : [heard.from],
    });
    return;
  }
  putSession(draft, key, { ...session, queue: [...session.queue, heard] });
  letGoOfIdle(draft);
  begin(draft, key);
}

/** Starts the next turn of a session, if it is free, has something to do and its agent may speak here. */
export function begin(draft: Draft, key: string): void {
  if (draft.gathering || draft.state.sessions[key]?.running !== undefined) return;
  const session = heardIn(draft, key);
  if (session === undefined) return;
  const first = session.queue[0];
  if (first === undefined || session.queue.every((heard) => heard.quiet === true)) return;
  const member = memberById(draft.world, session.agent);
  if (member === undefined || !draft.isJoined(member.user) || !maySpeak(draft.state, member.user)) return;
  if (draft.state.lock !== undefined) return;
  if (draft.state.replacedBy !== undefined || heldBack(draft, session.agent)) return;

  // After an upgrade the same cause may begin a first turn in the next room, on the same history.
  const turn = idFrom("turn", draft.state.room, first.cause, session.agent, session.turns) as TurnId;
  const running: RunningTurn = {
    id: turn,
    messages: session.queue,
    hops: Math.max(...session.queue.map((heard) => heard.hops)),
    calls: [],
  };
  const causes = session.queue.flatMap(({ cause, event, corrects, from }) =>
    [event ?? cause, ...(corrects === undefined ? [] : [corrects])].map((one) => [one, turn, from] as const),
  );
  putSession(draft, key, {
    ...session,
    turns: session.turns + 1,
    queue: [],
    running,
    causes: [...session.causes, ...causes].slice(-rememberedCauses),
  });
  draft.emit({
    kind: "turn",
    id: `${turn}:turn` as EffectId,
    agent: session.agent,
    turn,
    session: key,
    history: session.history,
    ...inThread(session),
    messages: running.messages,
    direct: isDirect(draft.world, draft.state),
  });
}

/** A rule may have come while this room was not looked at: what somebody said before it begins nothing any more. */
function heardIn(draft: Draft, key: string): Session | undefined {
  const session = draft.state.sessions[key];
  if (session === undefined) return undefined;
  const queue = session.queue.filter(({ from }) => silenceOf(draft.world, draft.state, from) === undefined);
  if (queue.length === session.queue.length) return session;
  putSession(draft, key, { ...session, queue });
  return draft.state.sessions[key];
}

/** Starts what can start now, e.g. after a mute ended. */
export function beginAll(draft: Draft): void {
  for (const key of Object.keys(draft.state.sessions)) begin(draft, key);
}

/** Takes the running turn off a session and its effect out of the outbox. The next turn begins with {@link begin}. */
export function conclude(draft: Draft, key: string): void {
  const session = draft.state.sessions[key];
  if (session?.running === undefined) return;
  const { running, ...rest } = session;
  putSession(draft, key, rest);
  draft.drop((effect) => effect.kind === "turn" && effect.turn === running.id);
  withdrawWaiting(draft, running.id);
}

/** Stops a turn as if it had never begun: what it was to answer waits again. */
export function takeBack(draft: Draft, key: string): void {
  const session = draft.state.sessions[key];
  if (session?.running === undefined) return;
  const { running } = session;
  conclude(draft, key);
  draft.fleeting.push({ kind: "abort", turn: running.id });
  putSession(draft, key, { ...sessionAt(draft, key, session), queue: [...running.messages, ...session.queue] });
}

function sessionAt(draft: Draft, key: string, otherwise: Session): Session {
  return draft.state.sessions[key] ?? otherwise;
}

/** An agent's message to another is in the room: a person may take it back, and knows its event only. */
export function causeSaid(draft: Draft, effect: EffectId, event: EventId): void {
  const known = (heard: Heard): Heard => (heard.cause === effect ? { ...heard, event } : heard);
  const isIt = ({ cause }: Heard): boolean => cause === effect;
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    const { queue, running, causes } = session;
    if (!queue.some(isIt) && !causes.some(([cause]) => cause === effect)) continue;
    putSession(draft, key, {
      ...session,
      queue: queue.map(known),
      ...(running === undefined ? {} : { running: { ...running, messages: running.messages.map(known) } }),
      causes: causes.map(([cause, ...rest]) => [cause === effect ? event : cause, ...rest]),
    });
  }
  const { breaker } = draft.state;
  if (!breaker.held.some(({ message }) => isIt(message))) return;
  draft.set({ breaker: { ...breaker, held: breaker.held.map((one) => ({ ...one, message: known(one.message) })) } });
}

/** The session whose running turn has this id. */
export function sessionOfTurn(
  draft: Draft,
  key: string,
  turn: TurnId,
): (Session & { readonly running: RunningTurn }) | undefined {
  const session = draft.state.sessions[key];
  return session?.running?.id === turn ? { ...session, running: session.running } : undefined;
}

/** Where a turn's words go, and who is notified: the people who asked, but not in a direct chat. */
export function placement(
  draft: Draft,
  session: Session,
  messages: readonly Heard[],
): { thread?: EventId; replyTo?: EventId; mentions: readonly UserId[] } {
  const thread = inThread(session);
  if (isDirect(draft.world, draft.state)) return { ...thread, mentions: [] };
  const people = messages.filter((heard) => heard.cause.startsWith("$") && !draft.world.crew.has(heard.from));
  const last = people.at(-1);
  return {
    ...thread,
    ...(last === undefined ? {} : { replyTo: last.cause as EventId }),
    mentions: [...new Set(people.map((heard) => heard.from))],
  };
}

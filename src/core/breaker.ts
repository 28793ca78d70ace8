/**
 * Agents that wake each other, and the breaker that ends it when they do not stop.
 *
 *   closed ──too many hops, or wakes in the window──▶ open ──!crew release──▶ closed
 *
 * While it is open nothing is lost: what agents wanted to say to each other is held, and delivered on release.
 */
import { rateExceeded } from "./budget.ts";
import { inThread, markOf } from "./placement.ts";
import { type BreakerLimit, type Draft, idFrom } from "./draft.ts";
import type { Heard } from "./effect.ts";
import type { AgentId, EventId, TurnId, UserId } from "./ids.ts";
import type { Message, OwnInput, TurnOutcome } from "./input.ts";
import { agentsHere } from "./listening.ts";
import { atLeast, levelOf } from "./permissions.ts";
import { mayUse, permitted } from "./permits.ts";
import { hasRuleFor } from "./policy.ts";
import type { RunningTurn, Wake } from "./room.ts";
import { steersBy } from "./steering.ts";
import { hear, putSession, sessionOfTurn } from "./turns.ts";
import { code } from "./verbatim.ts";
import { type CrewMember, memberById } from "./world.ts";

/** The tool `send_message`: says something here, and wakes the agent that it is for. */
export function agentSays(draft: Draft, input: Extract<OwnInput, { kind: "agentSays" }>): void {
  const { world } = draft;
  const session = sessionOfTurn(draft, input.session, input.turn);
  const from = session && memberById(world, session.agent);
  if (session === undefined || from === undefined) {
    draft.reply = "Not sent: this turn is over.";
    return;
  }
  if (session.running.calls.includes(input.call)) {
    draft.reply = "Sent.";
    return;
  }
  const { to } = input;
  if (hasRuleFor(world, "send_message")) {
    const wanted = {
      session: input.session,
      turn: input.turn,
      call: input.call,
      tool: "send_message",
      about: to ?? "",
      details: input.text,
      exact: idFrom(input.text),
    };
    const permission = mayUse(draft, wanted, from);
    if (permission !== permitted) {
      draft.reply = permission;
      return;
    }
  }
  const refusal = to === undefined ? undefined : refusalOf(draft, from, to);
  if (refusal !== undefined) {
    draft.reply = `Not sent: ${refusal}`;
    return;
  }

  const target = to === undefined ? undefined : world.crew.get(to);
  const { breaker } = draft.state;
  if (target !== undefined && breaker.held.length >= world.limits.queue_messages) {
    draft.reply = "Not sent: the breaker is open and holds all it can. End your turn.";
    return;
  }

  putSession(draft, input.session, {
    ...session,
    running: { ...session.running, calls: [...session.running.calls, input.call] },
  });
  draft.say(input.call, {
    as: from.user,
    text: to === undefined ? input.text : `${to}: ${input.text}`,
    ...inThread(session),
    mentions: to === undefined ? [] : [to],
    turn: markOf(session),
  });
  if (target === undefined) {
    draft.reply = "Sent.";
    return;
  }
  const message: Heard = { cause: input.call, from: from.user, text: input.text, hops: session.running.hops + 1 };
  const { thread } = session;
  if (wake(draft, from.id, target, message)) {
    hear(draft, target, thread, message);
    draft.reply = "Sent.";
  } else {
    hold(draft, target, thread, message);
    draft.reply = "Said in the room, but held back from the agent until a person releases the breaker. End your turn.";
  }
}

function refusalOf(draft: Draft, from: CrewMember, to: UserId): string | undefined {
  const { world, state } = draft;
  if (to === from.user) return "that is yourself.";
  if (world.crew.has(to)) {
    // Who is on the way in hears it then.
    if (agentsHere(world, state).includes(to)) return undefined;
    const others = agentsHere(world, state).filter((user) => user !== from.user);
    return `${to} is not in this room. ${others.length === 0 ? "No other agent is." : `Agents here: ${others.join(", ")}.`}`;
  }
  if (state.crowd || state.people.includes(to)) return undefined;
  return `${to} is not in this room. People here: ${state.people.join(", ")}.`;
}

/**
 * An agent of another bridge speaks to one of ours. Its words wake as those of ours do, and count as theirs do: else two
 * bridges' agents could go on between themselves for ever.
 */
export function foreignSays(draft: Draft, to: CrewMember, thread: EventId | undefined, message: Heard): void {
  if (wake(draft, message.from, to, message)) hear(draft, to, thread, message);
  // What is more than can be held is left out: the room has been told that nobody listens.
  else if (draft.state.breaker.held.length < draft.world.limits.queue_messages) hold(draft, to, thread, message);
}

/** Counts a wake, and trips the breaker when it is one too many. `false` when the wake must wait. */
function wake(draft: Draft, from: AgentId | UserId, to: CrewMember, message: Heard): boolean {
  const { breaker } = draft.state;
  if (breaker.open !== undefined) return false;
  const { limits } = draft.world;
  const since = draft.now - limits.breaker_window_seconds * 1_000;
  const wakes = breaker.wakes.filter((earlier) => earlier.ts > since);
  const next: Wake = { from, to: to.id, ts: draft.now, words: idFrom(message.text.trim()) };
  const tripped = tripOf(draft, wakes, next, message.hops);
  if (tripped === undefined) {
    draft.set({ breaker: { ...breaker, wakes: [...wakes, next] } });
    return true;
  }
  trip(draft, tripped, message.cause);
  return false;
}

interface Trip {
  readonly limit: BreakerLimit;
  readonly reason: string;
}

function tripOf(draft: Draft, wakes: readonly Wake[], next: Wake, hops: number): Trip | undefined {
  const { limits, patrol } = draft.world;
  const { from, to } = next;
  const within = `within ${Math.round(limits.breaker_window_seconds / 60)} min`;
  if (hops > limits.breaker_hops) {
    const who = from.startsWith("@") ? `, the last one being ${named(from)}` : "";
    const reason = `agents woke each other ${limits.breaker_hops} times in a row without a word of a person${who}`;
    return { limit: "hops", reason };
  }
  const pair = wakes.filter((w) => (w.from === from && w.to === to) || (w.from === to && w.to === from));
  if (pair.length >= limits.breaker_pair_messages) {
    return { limit: "pair", reason: `${named(from)} and ${to} sent each other ${pair.length} messages ${within}` };
  }
  const same = sameBefore(wakes, next);
  if (same >= patrol.identical_answers) {
    return { limit: "identical", reason: `${named(from)} told ${to} the same ${same} times in a row, and once more` };
  }
  if (wakes.length >= limits.breaker_room_messages) {
    return { limit: "room", reason: `agents sent each other ${wakes.length} messages ${within}` };
  }
  return undefined;
}

/** Of another bridge's agent as code: its name may be made of anything. */
function named(agent: Wake["from"]): string {
  return agent.startsWith("@") ? code(agent) : agent;
}

/** How often in a row the one has told the other just these words. Others may be told them too. */
function sameBefore(wakes: readonly Wake[], { from, to, words }: Wake): number {
  const told = wakes.filter((wake) => wake.from === from && wake.to === to);
  const other = told.findLastIndex((wake) => wake.words !== words);
  return told.length - 1 - other;
}

/** A turn has cost something: is it too much for the time? */
export function watchRate(draft: Draft, turn: TurnId): void {
  const reason = draft.state.breaker.open === undefined ? rateExceeded(draft) : undefined;
  if (reason !== undefined) trip(draft, { limit: "cost", reason }, `${turn}:${draft.now}`);
}

/** An agent that answers other agents with the same words again and again goes in circles, whatever the others say. */
export function watchAnswers(draft: Draft, agent: AgentId, running: RunningTurn, { kind, text }: TurnOutcome): void {
  const { breaker } = draft.state;
  const { [agent]: before, ...others } = breaker.same ?? {};
  // What has hops was said by an agent, also of another bridge.
  const toAgents = running.messages.every(({ from, hops }) => draft.world.crew.has(from) || hops > 0);
  if (!toAgents || kind !== "answered" || text.trim() === "") {
    if (before !== undefined) draft.set({ breaker: { ...breaker, same: others } });
    return;
  }
  const answer = idFrom(text.trim());
  const count = before?.answer === answer ? before.count + 1 : 1;
  draft.set({ breaker: { ...breaker, same: { ...others, [agent]: { answer, count } } } });
  if (breaker.open !== undefined || count < draft.world.patrol.identical_answers) return;
  trip(draft, { limit: "identical", reason: `${agent} gave other agents the same answer ${count} times` }, running.id);
}

/** @param cause Makes the ids of what is said. */
function trip(draft: Draft, { limit, reason }: Trip, cause: string): void {
  const { state, world } = draft;
  draft.set({ breaker: { ...state.breaker, open: { reason, since: draft.now } } });
  draft.notes.push({ kind: "breakerTripped", limit, reason });
  draft.audit({ kind: "breaker", what: "trip", by: world.bot, detail: reason, because: `limits, ${limit}` });
  const releasers = state.people.filter((user) => atLeast(levelOf(world.permissions, user), "supervise"));
  const text = `🔌 Breaker: ${reason}. Agents no longer wake each other here; people can still talk with them. Whoever supervises them can say \`!crew release\` to let them go on.`;
  draft.notice(`${cause}:breaker`, text, { mentions: releasers });
  draft.announce(`${cause}:breaker`, `In ${state.room}: ${text}`);
}

function hold(draft: Draft, to: CrewMember, thread: EventId | undefined, message: Heard): void {
  const { breaker } = draft.state;
  const place = inThread({ thread });
  draft.set({ breaker: { ...breaker, held: [...breaker.held, { to: to.id, ...place, message }] } });
}

/** Closes the breaker and delivers what was held, as if a person had said it. Returns how much that was. */
export function release(draft: Draft, { sender: by, event }: Pick<Message, "sender" | "event">): number {
  const { held, open } = draft.state.breaker;
  const detail = `${held.length} held back; it had tripped because ${open?.reason ?? "of nothing"}`;
  draft.audit({ kind: "breaker", what: "release", by, event, detail, because: steersBy(draft, by) });
  draft.set({ breaker: { wakes: [], held: [] } });
  for (const { to, thread, message } of held) {
    const member = memberById(draft.world, to);
    if (member !== undefined) hear(draft, member, thread, { ...message, hops: 0 });
  }
  return held.length;
}

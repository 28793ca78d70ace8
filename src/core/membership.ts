/** Who is in the room: invites, joins, kicks, bans, mutes, encryption and upgrades. Decided from the room's state. */
import type { Draft } from "./draft.ts";
import type { Carried, Heard, Join } from "./effect.ts";
import { ask, type Ask, withdrawOf } from "./asks.ts";
import { forgetEarly } from "./early.ts";
import type { AgentId, EffectId, EventId, UserId } from "./ids.ts";
import { serverOf } from "./ids.ts";
import type { Member, OwnInput, PowerChange, Snapshot, Tombstone } from "./input.ts";
import { agentsHere } from "./listening.ts";
import { moderated, personRemoved } from "./moderation.ts";
import { relock, release } from "./read-only.ts";
import { silenceOf } from "./silence.ts";
import { markOnce, may } from "./steering.ts";
import { dropOnceOf } from "./policy.ts";
import { maySpeak, powerOf, steeringPower } from "./power.ts";
import { type Breaker, crowdLimit, type RoomState, type Seat } from "./room.ts";
import { agentGone, personGone, taskRead } from "./tasks/hooks.ts";
import { putSubtask } from "./tasks/ledger.ts";
import { beginAll, conclude, newSession, putSession, sessionKey, takeBack } from "./turns.ts";
import { type CrewMember, isOwn } from "./world.ts";

export function member(draft: Draft, input: Member): void {
  if (!isOwn(draft.world, input.user)) {
    const isHere = input.membership === "join" || input.membership === "invite";
    if (!isHere) personRemoved(draft, input);
    person(draft, input.user, isHere);
    return;
  }
  switch (input.membership) {
    case "invite":
      invited(draft, input);
      return;
    case "join":
      entered(draft, input);
      return;
    case "leave":
    case "ban":
      removed(draft, input);
      gone(draft, input.user, input.membership === "ban" ? "banned" : "left");
      if (input.user === draft.world.bot) relock(draft, input.event);
      return;
    case "knock":
      return;
  }
}

/** The list of people is only kept while they are few: it tells a direct room from a group. */
function person(draft: Draft, user: UserId, isHere: boolean): void {
  const { people, crowd } = draft.state;
  if (crowd || people.includes(user) === isHere) return;
  const now = isHere ? [...people, user] : people.filter((other) => other !== user);
  draft.set(now.length > crowdLimit ? { people: [], crowd: true } : { people: now });
  draft.countChange();
  if (!isHere) personGone(draft, user);
}

function seat(draft: Draft, user: UserId, place: Seat["place"], direct?: boolean): void {
  const old = draft.state.seats[user];
  const next: Seat = { place, direct: direct ?? old?.direct ?? false };
  if (old?.place === next.place && old.direct === next.direct) return;
  draft.set({ seats: { ...draft.state.seats, [user]: next } });
}

/** Mostly the echo of a join of ours. Who was put into the room by an admin has yet to learn what it is. */
function entered(draft: Draft, input: Member): void {
  // What was said before is still being read back, and comes first.
  if (draft.outbox.some((effect) => effect.kind === "join" && effect.as === input.user)) return;
  if (draft.isJoined(input.user)) return;
  seat(draft, input.user, "invited");
  draft.countChange();
  draft.emit(joinOf(draft, input));
}

function joinOf(draft: Draft, input: Member): Join {
  return {
    kind: "join",
    id: `${input.event}:join` as EffectId,
    as: input.user,
    inviter: input.sender,
    invite: input.event,
    via: viaOf(draft, input.sender),
  };
}

function invited(draft: Draft, input: Member): void {
  if (draft.state.seats[input.user]?.place === "joined") return;
  // Whoever keeps a list that the operator chose may let the bot in to read it.
  const isList = input.user === draft.world.bot && draft.world.moderation.watches(draft.state.room);
  const welcome = isList || isOwn(draft.world, input.sender) || may(draft, input.sender, "talk");
  if (!welcome) {
    const isSilenced = silenceOf(draft.world, draft.state, input.sender) !== undefined;
    const reason = isSilenced
      ? "A moderation rule keeps me from working for you."
      : "Only people whom the operator has named may invite me. Please ask the operator for the permission talk.";
    const agent = draft.world.crew.get(input.user)?.id;
    // Who invites again and again is refused each time, and written down once.
    if (markOnce(draft, `invite ${input.sender}`))
      draft.audit({
        kind: "refusal",
        what: "invite",
        by: input.sender,
        because: isSilenced ? "moderation" : "level talk",
        event: input.event,
        ...(agent === undefined ? {} : { agent }),
      });
    draft.emit({
      kind: "leave",
      id: `${input.event}:refused` as EffectId,
      as: input.user,
      reason,
      inviter: input.sender,
    });
    draft.notes.push({ kind: "refused", user: input.sender });
    return;
  }
  forgetEarly(draft);
  seat(draft, input.user, "invited", input.direct);
  draft.countChange();
  draft.emit(joinOf(draft, input));
}

/** Servers that can let us in: the one of who asks, and the one in the room's id (older room versions have one). */
function viaOf(draft: Draft, user: UserId): readonly string[] {
  const { room } = draft.state;
  const colon = room.indexOf(":");
  return [...new Set([serverOf(user), ...(colon < 0 ? [] : [room.slice(colon + 1)])])];
}

function isRemoved(seat: Seat | undefined): boolean {
  return seat?.place === "left" || seat?.place === "banned";
}

/** Writes down what somebody did to one of ours; what it did by itself is written down where that was decided. */
function removed(draft: Draft, { user, sender, event, membership, reason }: Member): void {
  const place = draft.state.seats[user]?.place;
  if (place === undefined || sender === user) return;
  const agent = draft.world.crew.get(user)?.id;
  draft.audit({
    kind: "moderation",
    what: membership === "ban" ? "ban" : place === "banned" ? "unban" : "kick",
    by: sender,
    event,
    ...(agent === undefined ? { detail: [user, reason].filter(Boolean).join(": ") } : { agent }),
    ...(agent === undefined || reason === undefined ? {} : { detail: reason }),
  });
}

/** Kicked, banned or left: its work here ends at once, and what it was about to say is not said. */
function gone(draft: Draft, user: UserId, place: "left" | "banned"): void {
  if (draft.state.seats[user] === undefined) return;
  seat(draft, user, place);
  draft.countChange();
  // In a task's room the bot's words wait for its return: its threads hang on them.
  const keepsWords = user === draft.world.bot && draft.state.task !== undefined;
  draft.drop(
    (effect) =>
      (effect.kind === "join" || ((effect.kind === "say" || effect.kind === "react") && !keepsWords)) &&
      effect.as === user,
  );
  const agent = draft.world.crew.get(user)?.id;
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    if (session.agent !== agent) continue;
    if (session.running !== undefined) draft.fleeting.push({ kind: "abort", turn: session.running.id });
    conclude(draft, key);
    putSession(draft, key, undefined);
  }
  if (agent !== undefined) {
    withdrawOf(draft, agent);
    dropOnceOf(draft, agent);
  }
  agentGone(draft, user);
}

/**
 * A person sends an agent away with a command, as if they had removed it. In a direct chat nothing else does: clients give
 * both sides the same power (preset `trusted_private_chat`; from room version 12 on both are creators), and nobody can kick,
 * ban or mute an equal.
 */
export function dismiss(draft: Draft, { user, id: agent }: CrewMember, by: UserId, event: EventId): void {
  draft.audit({ kind: "moderation", what: "dismiss", by, agent, event });
  gone(draft, user, "left");
  draft.emit({ kind: "leave", id: `${event}:dismissed:${agent}` as EffectId, as: user, reason: `${by} sent me away.` });
}

/**
 * One of ours is in the room, and this is what the homeserver says of it. What it missed is decided next, and then
 * {@link caughtUp}; until then no turn begins.
 */
export function joined(draft: Draft, input: Extract<OwnInput, { kind: "joined" }>): void {
  draft.gathering = true;
  // Told with each of ours who comes; later ones must not undo what a person released meanwhile.
  const isFirst = !Object.values(draft.state.seats).some(({ place }) => place === "joined");
  const breaker = isFirst ? input.breaker : undefined;
  if (breaker !== undefined) draft.set({ breaker });
  read(draft, input.snapshot);
  const before = draft.state;
  seat(draft, input.user, "joined");
  for (const user of input.away ?? []) if (draft.state.seats[user] === undefined) seat(draft, user, "left");
  taskRead(draft, input.snapshot, input.task);
  if (input.attempts > 1) {
    const text = `Sorry that it took me ${input.attempts} attempts to get in: this room's server did not answer at first. I read what was said since the invite.`;
    draft.say(`${input.user}:${draft.state.room}:late:${input.attempts}`, { as: input.user, text, style: "notice" });
  }
  tellEncrypted(draft);
  if (breaker?.open !== undefined) {
    const text = `🔌 The breaker is open here as in the room before: ${breaker.open.reason}. \`!crew release\` lets agents go on.`;
    draft.notice(`${draft.state.room}:breaker`, text);
  }
  relock(draft);
  release(draft, before);
}

/** All that was said until now is known: it goes together, in the order in which it was said. */
export function caughtUp(draft: Draft, input: Extract<OwnInput, { kind: "joined" }>): void {
  const agent = draft.world.crew.get(input.user)?.id;
  const order = new Map(input.missed.map(({ event }, index) => [event, index]));
  // What came in by itself while we read back may be later than what we read.
  const place = ({ cause }: Heard): number => order.get(cause as EventId) ?? Infinity;
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    if (session.agent !== agent || session.queue.every((heard) => place(heard) === Infinity)) continue;
    const queue = session.queue.toSorted((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
    putSession(draft, key, { ...session, queue });
  }
  for (const carried of input.carried ?? []) goOn(draft, carried);
  for (const open of input.asks ?? []) askAgain(draft, open);
  moderated(draft);
  draft.gathering = false;
  beginAll(draft);
}

function read(draft: Draft, snapshot: Snapshot): void {
  const before = draft.state;
  const seats: Record<UserId, Seat> = { ...draft.state.seats };
  const people: UserId[] = [];
  for (const { user, membership } of snapshot.members) {
    if (!isOwn(draft.world, user)) {
      if (membership === "join" || membership === "invite") people.push(user);
      continue;
    }
    if (membership === "leave") {
      // A store that was lost does not bring back who was removed. Who is on the way in is known better here.
      seats[user] ??= { place: "left", direct: false };
      continue;
    }
    const place = ({ join: "joined", invite: "invited", ban: "banned" } as const)[membership];
    // An own user that is in the room without our knowing reads its own snapshot; see the adoption at start.
    seats[user] = {
      place: place === "joined" ? (seats[user]?.place ?? "joined") : place,
      direct: seats[user]?.direct ?? false,
    };
  }
  const crowd = draft.state.crowd || people.length > crowdLimit;
  const { version, creators, power, encrypted, acl } = snapshot;
  if (acl === undefined && draft.state.acl !== undefined) {
    const { acl: _lifted, ...rest } = draft.state;
    draft.state = rest;
  }
  draft.set({
    ...(acl === undefined ? {} : { acl }),
    version,
    creators,
    power,
    encrypted: encrypted || draft.state.encrypted,
    seats,
    people: crowd ? [] : people,
    crowd,
  });
  release(draft, before);
}

/** A conversation from the room that this one replaces. It may be told twice: by who follows, and by an invite. */
function goOn(draft: Draft, { agent, history, queue }: Carried): void {
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
function askAgain(draft: Draft, open: Ask): void {
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

const cannotRead =
  "This room is end-to-end encrypted, and I cannot read messages here. For a room where I can: start a direct chat with me, or create a new room with “Enable end-to-end encryption” switched off and invite me there.";

/** Said once a room, by the first agent that is in it. */
export function tellEncrypted(draft: Draft): void {
  if (!draft.state.encrypted || draft.state.toldEncrypted) return;
  const as = agentsHere(draft.world, draft.state).find((user) => draft.isJoined(user)) ?? draft.voice();
  if (as === undefined || !maySpeak(draft.state, as)) return;
  draft.set({ toldEncrypted: true });
  draft.say(`${draft.state.room}:encrypted`, { as, text: cannotRead, style: "notice" });
}

export function encryption(draft: Draft): void {
  draft.set({ encrypted: true });
  draft.countChange();
  tellEncrypted(draft);
}

/** Whom the new levels mute falls silent: a running turn is taken back, and begins again when the mute ends. */
export function power(draft: Draft, input: PowerChange): void {
  const before = draft.state;
  draft.set({ power: input.power });
  draft.countChange();
  for (const { user, id } of draft.world.crew.values()) levelChanged(draft, before, user, id, input);
  for (const user of draft.state.people) steeringChanged(draft, before, user, input);
  relock(draft, input.event);
  release(draft, before);
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    const speaker = [...draft.world.crew.values()].find((other) => other.id === session.agent);
    if (speaker !== undefined && !maySpeak(draft.state, speaker.user)) takeBack(draft, key);
  }
  moderated(draft);
  beginAll(draft);
}

/** Writes down a mute and its end. */
function levelChanged(
  draft: Draft,
  before: RoomState,
  user: UserId,
  agent: AgentId,
  { sender, event }: PowerChange,
): void {
  if (!draft.isJoined(user)) return;
  const [could, can] = [maySpeak(before, user), maySpeak(draft.state, user)];
  if (could !== can) draft.audit({ kind: "moderation", what: can ? "unmute" : "mute", by: sender, agent, event });
}

/** Writes down who may steer from now on, or no longer. */
function steeringChanged(draft: Draft, before: RoomState, user: UserId, { sender, event }: PowerChange): void {
  const [could, can] = [before, draft.state].map((state) => powerOf(state, user) >= steeringPower);
  if (could === can || !may(draft, user, "talk")) return;
  draft.audit({ kind: "moderation", what: can === true ? "promote" : "demote", by: sender, detail: user, event });
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

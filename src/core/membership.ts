/** Who is in the room: invites, joins, kicks, bans, mutes, encryption and upgrades. Decided from the room's state. */
import type { Draft } from "./draft.ts";
import type { Carried, Heard, Join } from "./effect.ts";
import type { EffectId, EventId, UserId } from "./ids.ts";
import { serverOf } from "./ids.ts";
import type { Member, OwnInput, PowerChange, Snapshot, Tombstone } from "./input.ts";
import { agentsHere } from "./listening.ts";
import { may } from "./steering.ts";
import { maySpeak } from "./power.ts";
import { crowdLimit, type RoomState, type Seat } from "./room.ts";
import { agentGone, personGone, taskRead } from "./tasks/hooks.ts";
import { beginAll, conclude, putSession, sessionKey, takeBack } from "./turns.ts";
import { isOwn } from "./world.ts";

export function member(draft: Draft, input: Member): void {
  if (!isOwn(draft.world, input.user)) {
    person(draft, input.user, input.membership === "join" || input.membership === "invite");
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
      gone(draft, input.user, input.membership === "ban" ? "banned" : "left");
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
  const welcome = isOwn(draft.world, input.sender) || may(draft, input.sender, "talk");
  if (!welcome) {
    const reason =
      "Only people whom the operator has named may invite me. Please ask the operator for the permission talk.";
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

/** Kicked, banned or left: its work here ends at once, and what it was about to say is not said. */
function gone(draft: Draft, user: UserId, place: "left" | "banned"): void {
  if (draft.state.seats[user] === undefined) return;
  seat(draft, user, place);
  draft.countChange();
  draft.drop((effect) => (effect.kind === "join" || effect.kind === "say") && effect.as === user);
  const agent = draft.world.crew.get(user)?.id;
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    if (session.agent !== agent) continue;
    if (session.running !== undefined) draft.fleeting.push({ kind: "abort", turn: session.running.id });
    conclude(draft, key);
    putSession(draft, key, undefined);
  }
  agentGone(draft, user);
}

/**
 * One of ours is in the room, and this is what the homeserver says of it. What it missed is decided next, and then
 * {@link caughtUp}; until then no turn begins.
 */
export function joined(draft: Draft, input: Extract<OwnInput, { kind: "joined" }>): void {
  draft.gathering = true;
  read(draft, input.snapshot);
  seat(draft, input.user, "joined");
  taskRead(draft, input.snapshot, input.task);
  if (input.attempts > 1) {
    const text = `Sorry that it took me ${input.attempts} attempts to get in: this room's server did not answer at first. I read what was said since the invite.`;
    draft.say(`${input.user}:${draft.state.room}:late:${input.attempts}`, { as: input.user, text, style: "notice" });
  }
  tellEncrypted(draft);
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
  draft.gathering = false;
  beginAll(draft);
}

function read(draft: Draft, snapshot: Snapshot): void {
  const before = draft.state;
  const seats: Record<UserId, Seat> = { ...draft.state.seats };
  const people: UserId[] = [];
  for (const { user, membership } of snapshot.members) {
    if (!isOwn(draft.world, user)) {
      if (membership !== "ban") people.push(user);
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
  const { version, creators, power, encrypted } = snapshot;
  draft.set({
    version,
    creators,
    power,
    encrypted: encrypted || draft.state.encrypted,
    seats,
    people: crowd ? [] : people,
    crowd,
  });
  voiceReturns(draft, before);
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

/** What was held back while its speaker was muted goes out now. */
function voiceReturns(draft: Draft, before: RoomState): void {
  const returned = (user: UserId): boolean => !maySpeak(before, user) && maySpeak(draft.state, user);
  draft.fresh.push(...draft.outbox.filter((effect) => effect.kind === "say" && returned(effect.as)));
}

/** Whom the new levels mute falls silent: a running turn is taken back, and begins again when the mute ends. */
export function power(draft: Draft, input: PowerChange): void {
  const before = draft.state;
  draft.set({ power: input.power });
  draft.countChange();
  voiceReturns(draft, before);
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    const speaker = [...draft.world.crew.values()].find((other) => other.id === session.agent);
    if (speaker !== undefined && !maySpeak(draft.state, speaker.user)) takeBack(draft, key);
  }
  beginAll(draft);
}

/**
 * The room has a successor. All that waits here goes on there; who follows checks that it is the real one. Until then it
 * is also kept here, where it goes on when the successor is a false one.
 */
export function tombstone(draft: Draft, input: Tombstone): void {
  if (draft.state.replacedBy !== undefined) return;
  draft.set({ replacedBy: input.replacement });
  for (const key of Object.keys(draft.state.sessions)) takeBack(draft, key);
  const carried = Object.values(draft.state.sessions)
    .filter((session) => session.thread === undefined)
    .map(({ agent, history, queue }) => ({ agent, history, queue }));
  const users = [draft.world.bot, ...draft.world.crew.keys()].filter((user) => draft.isJoined(user));
  if (users.length === 0) return;
  draft.emit({
    kind: "follow",
    id: `${input.event}:follow` as EffectId,
    as: users,
    replacement: input.replacement,
    via: viaOf(draft, input.sender),
    carried,
    ...(draft.state.task === undefined ? {} : { task: draft.state.task }),
  });
}

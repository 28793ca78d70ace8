/** Who is in the room: invites, joins, kicks, bans, mutes, encryption and upgrades. Decided from the room's state. */
import type { Draft } from "./draft.ts";
import type { Heard, Join } from "./effect.ts";
import { withdrawOf } from "./asks.ts";
import { forgetEarly } from "./early.ts";
import { tellEncrypted } from "./encryption.ts";
import type { EffectId, EventId, UserId } from "./ids.ts";
import type { Member, OwnInput, Snapshot } from "./input.ts";
import { moderated, personRemoved } from "./moderation.ts";
import { relock, release } from "./read-only.ts";
import { silenceOf } from "./silence.ts";
import { markOnce, may } from "./steering.ts";
import { dropOnceOf } from "./policy.ts";
import { crowdLimit, type Seat } from "./room.ts";
import { agentGone, personGone, taskRead } from "./tasks/hooks.ts";
import { askAgain, goOn, viaOf } from "./upgrade.ts";
import { beginAll, conclude, putSession } from "./turns.ts";
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

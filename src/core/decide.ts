/**
 * The room's decision: what an input changes, and what is to be done about it. Pure: no clock, no randomness, no I/O;
 * the same record and input always give the same result, so it can be repeated after a crash.
 */
import { agentSays } from "./breaker.ts";
import { Draft, type Note } from "./draft.ts";
import type { Effect, Fleeting } from "./effect.ts";
import { outdated, type Input, type MatrixInput, type OwnInput } from "./input.ts";
import { caughtUp, encryption, joined, member, power, tombstone } from "./membership.ts";
import { done, failed, turnEnded, turnSpeaks } from "./outcome.ts";
import { edit, message, reaction, redaction } from "./people.ts";
import type { RoomRecord } from "./record.ts";
import { isOwn, type World } from "./world.ts";

export interface Decision {
  readonly record: RoomRecord;
  /** Whether the record must be written: an input that changes nothing costs no write. */
  readonly changed: boolean;
  /** The effects that are new in the outbox, in order. */
  readonly fresh: readonly Effect[];
  readonly fleeting: readonly Fleeting[];
  readonly notes: readonly Note[];
  readonly reply?: string;
}

/** @param now Milliseconds since the epoch. */
export function decide(world: World, record: RoomRecord, input: Input, now: number): Decision {
  const draft = new Draft(world, record, now);
  if ("event" in input && input.kind !== "done") fromMatrix(draft, input);
  else ownInput(draft, input);
  return {
    record: draft.record,
    changed: draft.changed,
    fresh: draft.fresh,
    fleeting: draft.fleeting,
    notes: draft.notes,
    ...(draft.reply === undefined ? {} : { reply: draft.reply }),
  };
}

/** An event is handled once. It is remembered only when it changed something: passing it over twice does no harm. */
function fromMatrix(draft: Draft, input: MatrixInput): void {
  if (!concernsUs(draft, input) || !draft.handle(input.event)) return;
  matrixInput(draft, input);
  if (draft.changed) draft.markHandled(input.event);
}

function matrixInput(draft: Draft, input: MatrixInput): void {
  switch (input.kind) {
    case "message":
      return message(draft, input);
    case "edit":
      return edit(draft, input);
    case "reaction":
      return reaction(draft, input);
    case "redaction":
      return redaction(draft, input);
    case "member":
      return member(draft, input);
    case "power":
      return power(draft, input);
    case "encryption":
      return encryption(draft);
    case "tombstone":
      return tombstone(draft, input);
  }
}

function ownInput(draft: Draft, input: OwnInput): void {
  switch (input.kind) {
    case "joined":
      if (isOutdated(draft, input)) {
        draft.reply = outdated;
        return;
      }
      joined(draft, input);
      for (const missed of input.missed) fromMatrix(draft, missed);
      caughtUp(draft, input);
      return;
    case "turnSpeaks":
      return turnSpeaks(draft, input);
    case "turnEnded":
      return turnEnded(draft, input);
    case "agentSays":
      return agentSays(draft, input);
    case "done":
      return done(draft, input);
    case "failed":
      return failed(draft, input);
    case "announce":
      return draft.say(input.id, { as: draft.world.bot, text: input.text, style: "notice" });
    case "recovered":
      return recovered(draft);
  }
}

/** A mute, say, that came while the room was read must not be undone by what was read before it. */
function isOutdated(draft: Draft, { asOf }: Extract<OwnInput, { kind: "joined" }>): boolean {
  return asOf !== undefined && asOf !== draft.state.changes;
}

/** A turn that was being stopped when the process ended is over; the others run again from the outbox. */
function recovered(draft: Draft): void {
  for (const [session, { running }] of Object.entries(draft.state.sessions)) {
    if (running?.stoppedBy === undefined) continue;
    turnEnded(draft, { kind: "turnEnded", session, turn: running.id, outcome: { kind: "cancelled", text: "" } });
  }
}

/** A room where none of ours ever was is left alone, but for the invite that brings one in. */
function concernsUs(draft: Draft, input: MatrixInput): boolean {
  if (input.kind === "member" && isOwn(draft.world, input.user)) return true;
  return Object.keys(draft.state.seats).length > 0;
}

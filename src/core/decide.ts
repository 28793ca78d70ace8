/**
 * The room's decision: what an input changes, and what is to be done about it. Pure: no clock, no randomness, no I/O;
 * the same record and input always give the same result, so it can be repeated after a crash.
 */
import { agentSays } from "./breaker.ts";
import { askedForDay } from "./budget.ts";
import { Draft, type Note } from "./draft.ts";
import type { Effect, Fleeting } from "./effect.ts";
import type { RoomId } from "./ids.ts";
import { outdated, type Input, type MatrixInput, type OwnInput } from "./input.ts";
import { encryption } from "./encryption.ts";
import { power } from "./levels.ts";
import { caughtUp, joined, member } from "./membership.ts";
import { tombstone } from "./upgrade.ts";
import { comesEarly, withEarly } from "./early.ts";
import { acl, isHeard, moderated } from "./moderation.ts";
import { done, failed, recalled, turnEnded, turnSpeaks, used } from "./outcome.ts";
import { edit, message, reaction, redaction } from "./people.ts";
import { leaveWanted, permit, useRefused } from "./permits.ts";
import { isHeldBack } from "./read-only.ts";
import type { RoomRecord } from "./record.ts";
import { act } from "./tasks/act.ts";
import { advance } from "./tasks/advance.ts";
import { committed, filesTrouble, published } from "./tasks/files.ts";
import { held } from "./tasks/held.ts";
import { filesDone } from "./tasks/merging.ts";
import { taskOpened, taskRoom } from "./tasks/open.ts";
import { overwritten } from "./tasks/overwritten.ts";
import { budget } from "./tasks/budget.ts";
import { tick } from "./tasks/patrol.ts";
import { renew } from "./tasks/turn-over.ts";
import { sessionOfTurn } from "./turns.ts";
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
  goOn(draft, input);
  return {
    record: draft.record,
    changed: draft.changed,
    fresh: draft.fresh.filter((effect) => !isHeldBack(world, draft.state, effect)),
    fleeting: draft.fleeting,
    notes: draft.notes,
    ...(draft.reply === undefined ? {} : { reply: draft.reply }),
  };
}

/** What an input means for the room's task, if it has one. Passing over an input that changed nothing costs nothing. */
function goOn(draft: Draft, input: Input): void {
  const { task } = draft.state;
  if (task === undefined || (!draft.changed && input.kind !== "tick")) return;
  if (draft.changed && input.kind !== "tick" && input.kind !== "done")
    draft.set({ task: { ...task, lastAct: draft.now, silent: false } });
  budget(draft);
  advance(draft);
}

/** An event is handled once. It is remembered only when it changed something: passing it over twice does no harm. */
function fromMatrix(draft: Draft, input: MatrixInput): void {
  if (!concernsUs(draft, input) || comesEarly(draft, input) || !draft.handle(input.event)) return;
  if (isHeard(draft, input)) matrixInput(draft, input);
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
    case "acl":
      return acl(draft, input);
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
      for (const missed of withEarly(draft, input.missed)) fromMatrix(draft, missed);
      caughtUp(draft, input);
      return;
    case "turnSpeaks":
      return turnSpeaks(draft, input);
    case "turnEnded":
      return turnEnded(draft, input);
    case "used":
      return used(draft, input);
    case "agentSays":
      return agentSays(draft, input);
    case "done":
      return done(draft, input);
    case "failed":
      return failed(draft, input);
    case "announce":
      draft.reply = movedTo(draft);
      if (draft.reply !== undefined) return;
      if (input.budget !== undefined) return askedForDay(draft, input);
      return draft.say(input.id, { as: draft.world.bot, text: input.text, style: "notice" });
    case "recovered":
      return recovered(draft);
    case "act":
      return act(draft, input);
    case "alive": {
      const session = sessionOfTurn(draft, input.session, input.turn);
      if (session !== undefined) renew(draft, session);
      return;
    }
    case "committed":
      return committed(draft, input);
    case "published":
      return published(draft, input);
    case "held":
      return held(draft, input);
    case "filesDone":
      return filesDone(draft, input);
    case "filesTrouble":
      return filesTrouble(draft, input);
    case "permit":
      return permit(draft, input);
    case "useRefused":
      return useRefused(draft, input);
    case "leaveWanted":
      return leaveWanted(draft, input);
    case "overwritten":
      return overwritten(draft, input);
    case "recalled":
      return recalled(draft, input);
    case "tick":
      // Where nothing can be shown, no time runs out.
      return draft.state.lock === undefined ? tick(draft) : undefined;
    case "moderated":
      return moderated(draft);
    case "taskOpened":
      return taskOpened(draft, input);
    case "taskRoom":
      return taskRoom(draft, input);
  }
}

/** Where all goes on, once the crew has followed there. */
function movedTo({ state, outbox }: Draft): RoomId | undefined {
  return outbox.some(({ kind }) => kind === "follow") ? undefined : state.replacedBy;
}

/** A mute, say, that came while the room was read must not be undone by what was read before it. */
function isOutdated(draft: Draft, { asOf }: Extract<OwnInput, { kind: "joined" }>): boolean {
  return asOf !== undefined && asOf !== draft.state.changes;
}

/**
 * A turn that was being stopped when the process ended is over; the others run again from the outbox, and nobody is
 * blamed for the time in between.
 */
function recovered(draft: Draft): void {
  for (const session of Object.values(draft.state.sessions)) if (session.running !== undefined) renew(draft, session);
  for (const [session, { running }] of Object.entries(draft.state.sessions)) {
    if (running?.stoppedBy === undefined) continue;
    turnEnded(draft, { kind: "turnEnded", session, turn: running.id, outcome: { kind: "cancelled", text: "" } });
  }
  // Rules may have changed in between: a turn for somebody who is ignored now must not run again.
  moderated(draft);
}

/** A room where none of ours ever was is left alone, but for the invite that brings one in. */
function concernsUs(draft: Draft, input: MatrixInput): boolean {
  if (input.kind === "member" && isOwn(draft.world, input.user)) return true;
  return Object.keys(draft.state.seats).length > 0;
}

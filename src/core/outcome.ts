/** What a turn's words, and the outcome of effects, change in the room. */
import { inThread, markOf } from "./placement.ts";
import { askDone } from "./answers.ts";
import { watchAnswers, watchRate } from "./breaker.ts";
import { countUsage } from "./budget.ts";
import type { Draft } from "./draft.ts";
import type { Effect } from "./effect.ts";
import type { EffectId, EventId, UserId } from "./ids.ts";
import type { OwnInput, TurnOutcome } from "./input.ts";
import { withdraw } from "./asks.ts";
import { maySpeak } from "./power.ts";
import { isHeldBack } from "./read-only.ts";
import { type RunningTurn, saidLimit, type Session } from "./room.ts";
import { taskSaid } from "./tasks/hooks.ts";
import { mergeFailed } from "./tasks/merging.ts";
import { turnOver } from "./tasks/turn-over.ts";
import { agentOf, begin, beginAll, causeSaid, conclude, placement, putSession, sessionOfTurn } from "./turns.ts";
import { memberById } from "./world.ts";

type Of<Kind extends OwnInput["kind"]> = Extract<OwnInput, { kind: Kind }>;

/** The first words of an answer that takes longer are shown. From here on the answer is one message, edited. */
export function turnSpeaks(draft: Draft, input: Of<"turnSpeaks">): void {
  const session = sessionOfTurn(draft, input.session, input.turn);
  const member = session && memberById(draft.world, session.agent);
  if (session === undefined || member === undefined || session.running.answer !== undefined) return;
  const id = `${input.turn}:answer` as EffectId;
  putSession(draft, input.session, { ...session, running: { ...session.running, answer: id } });
  draft.say(id, {
    as: member.user,
    text: input.text,
    turn: markOf(session),
    ...placement(draft, session, session.running.messages),
  });
}

export function turnEnded(draft: Draft, input: Of<"turnEnded">): void {
  // Also of a turn that is not wanted any more: it was paid for. And before the next one begins.
  used(draft, input, input.session);
  const session = sessionOfTurn(draft, input.session, input.turn);
  if (session === undefined) return;
  const last = lastWords(input.outcome, session.running);
  conclude(draft, input.session);
  if (last !== undefined) sayLast(draft, session, session.running, last);
  begin(draft, input.session);
  watchAnswers(draft, session.agent, session.running, input.outcome);
  turnOver(draft, session, session.running, input);
}

/** What a turn used is counted, and may be too much. `ending`: its session, when it is over. */
export function used(draft: Draft, { session, turn, usage = [] }: Of<"turnEnded" | "used">, ending?: string): void {
  if (usage.length === 0) return;
  countUsage(draft, agentOf(session), usage, ending);
  watchRate(draft, turn);
}

interface LastWords {
  readonly text: string;
  readonly style: "message" | "notice";
  readonly error?: string;
}

function lastWords(outcome: TurnOutcome, running: RunningTurn): LastWords | undefined {
  const { text } = outcome;
  const after = (note: string): LastWords =>
    text.trim() === "" ? { text: note, style: "notice" } : { text: `${text}\n\n${note}`, style: "message" };
  switch (outcome.kind) {
    case "answered":
      if (text.trim() !== "") return { text, style: "message" };
      return running.calls.length > 0 ? undefined : { text: "(I ended my turn without a word.)", style: "notice" };
    case "cancelled":
      if (running.stoppedFor !== undefined) return after(`⏹ Stopped: ${running.stoppedFor}.`);
      return after(running.stoppedBy === undefined ? "⏹ Stopped." : `⏹ Stopped by ${running.stoppedBy}.`);
    case "failed":
      return { ...after(`⚠️ ${outcome.sentence} ${outcome.todo}`.trim()), error: outcome.code };
  }
}

function sayLast(draft: Draft, session: Session, running: RunningTurn, last: LastWords): void {
  const member = memberById(draft.world, session.agent);
  if (member === undefined) return;
  const replaces =
    running.answerEvent !== undefined ? { event: running.answerEvent } : running.answer && { effect: running.answer };
  draft.say(`${running.id}:${replaces === undefined ? "answer" : "final"}`, {
    as: member.user,
    ...last,
    ...(replaces === undefined ? {} : { replaces }),
    turn: markOf({ ...session, running }),
    ...placement(draft, session, running.messages),
  });
}

/** An effect is done: it leaves the outbox, and what refers to it learns the event that it made. */
export function done(draft: Draft, input: Of<"done">): void {
  const effect = draft.outbox.find((other) => other.id === input.effect);
  if (effect === undefined) return;
  draft.drop((other) => other.id === input.effect);
  if (effect.kind === "follow") moveOut(draft);
  const { event } = input;
  if (effect.kind !== "say" || effect.replaces !== undefined || event === undefined) return;
  draft.set({ said: [...draft.state.said, [event, effect.as] as const].slice(-saidLimit) });
  settleAnswer(draft, effect.id, event);
  causeSaid(draft, effect.id, event);
  askDone(draft, effect.id, event);
  taskSaid(draft, effect, event);
}

/** The audit log was read: who asked is told. */
export function recalled(draft: Draft, { effect: id, text }: Of<"recalled">): void {
  const effect = draft.outbox.find((other) => other.id === id);
  if (effect?.kind !== "recall") return;
  const { asked } = effect;
  draft.notice(`${id}:told`, text, { replyTo: asked.event, mentions: [asked.by], ...inThread(effect) });
}

/** All goes on in the next room. */
function moveOut(draft: Draft): void {
  for (const { id, as = draft.world.bot } of draft.state.asks ?? [])
    if (draft.isJoined(as) && maySpeak(draft.state, as))
      withdraw(draft, id, "The room was replaced: it is asked there.");
  const { task: _moved, asks: _asked, ...rest } = draft.state;
  // What was said here can still be taken back here.
  const sessions = Object.entries(rest.sessions).flatMap(([key, { running: _none, ...session }]) =>
    session.causes.length === 0 ? [] : [[key, { ...session, queue: [] }] as const],
  );
  draft.state = { ...rest, sessions: Object.fromEntries(sessions) };
}

function settleAnswer(draft: Draft, answer: EffectId, event: EventId): void {
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    if (session.running?.answer === answer) {
      putSession(draft, key, { ...session, running: { ...session.running, answerEvent: event } });
    }
  }
  draft.outbox = draft.outbox.map((effect) =>
    effect.kind === "say" &&
    effect.replaces !== undefined &&
    "effect" in effect.replaces &&
    effect.replaces.effect === answer
      ? { ...effect, replaces: { event } }
      : effect,
  );
}

const failureMark = ":failure";

/** An effect failed for good: the room hears of it from somebody who may speak there, else HQ does. */
export function failed(draft: Draft, input: Of<"failed">): void {
  const effect = draft.outbox.find((other) => other.id === input.effect);
  if (effect === undefined || isHeld(draft, effect)) return;
  draft.drop((other) => other.id === input.effect);
  const told = `${input.effect}${failureMark}`;
  const { room } = draft.state;
  switch (effect.kind) {
    case "say": {
      forgetAnswer(draft, effect.id);
      // What told of a failure has failed as well: it is a dead letter, and telling of it again would never end.
      if (effect.id.includes(failureMark)) return;
      const text = `A message of ${effect.as} was not sent. ${input.sentence}`;
      if (draft.voice() === effect.as) draft.announce(told, `In ${room}: ${text}`);
      else draft.notice(told, `⚠️ ${text}`, { error: input.code, ...inThread(effect) });
      return;
    }
    case "join":
      draft.emit({ kind: "leave", id: `${told}:leave` as EffectId, as: effect.as, reason: input.sentence });
      draft.announce(
        told,
        `${effect.as} could not join ${room}, where ${effect.inviter} invited it. ${input.sentence}`,
      );
      return;
    case "follow":
      stayHere(draft);
      draft.announce(
        told,
        `The room ${room} was replaced by ${effect.replacement}, but nobody of the crew followed. ${input.sentence}`,
      );
      return;
    case "turn":
      turnEnded(draft, {
        kind: "turnEnded",
        session: effect.session,
        turn: effect.turn,
        outcome: { kind: "failed", text: "", code: input.code, sentence: input.sentence, todo: "" },
      });
      return;
    case "state":
      draft.announce(told, `The room ${room} does not show the state of its task. ${input.sentence}`);
      return;
    case "invite":
      notInvited(draft, effect.user);
      draft.notice(told, `⚠️ ${effect.user} could not be invited. ${input.sentence}`, { error: input.code });
      return;
    case "openTask":
      draft.notice(told, `⚠️ The task “${effect.title}” could not be opened. ${input.sentence}`, {
        error: input.code,
        replyTo: effect.cause,
        mentions: [effect.asker],
        ...inThread(effect),
      });
      return;
    case "publish":
      draft.announce(
        told,
        `A change of files in ${room} (${effect.commit.hash.slice(0, 7)}) is kept, but the room was not told. ${input.sentence}`,
      );
      return;
    case "files":
      if (effect.job.kind === "merge") mergeFailed(draft, effect.job.subtask, input.sentence);
      else
        draft.notice(told, `⚠️ ${input.sentence}`, {
          error: input.code,
          ...(effect.asked === undefined ? {} : { replyTo: effect.asked.event, mentions: [effect.asked.by] }),
          ...inThread(effect),
        });
      return;
    case "recall":
      draft.notice(told, `⚠️ The audit log could not be read. ${input.sentence}`, {
        error: input.code,
        replyTo: effect.asked.event,
        ...inThread(effect),
      });
      return;
    case "redact":
    case "leave":
    case "forget":
    case "announce":
    case "react":
      // Counted and kept as a dead letter by the dispatcher; there is nobody left to tell.
      return;
  }
}

/** Who could not be invited is not on the way. */
function notInvited(draft: Draft, user: UserId): void {
  const seat = draft.state.seats[user];
  if (seat?.place !== "invited") return;
  draft.set({ seats: { ...draft.state.seats, [user]: { ...seat, place: "left" } } });
}

/** What was to go on in another room goes on here. */
function stayHere(draft: Draft): void {
  const { replacedBy: _false, ...here } = draft.state;
  draft.state = here;
  beginAll(draft);
}

/** What may not be done now stays in the outbox until it may. */
function isHeld({ world, state }: Draft, effect: Effect): boolean {
  return isHeldBack(world, state, effect);
}

/** The message that later edits were to replace does not exist: they become messages of their own. */
function forgetAnswer(draft: Draft, answer: EffectId): void {
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    if (session.running?.answer !== answer) continue;
    const { answer: _gone, ...running } = session.running;
    putSession(draft, key, { ...session, running });
  }
  draft.outbox = draft.outbox.map((effect) => {
    if (effect.kind !== "say" || effect.replaces === undefined) return effect;
    if (!("effect" in effect.replaces) || effect.replaces.effect !== answer) return effect;
    const { replaces: _none, ...fresh } = effect;
    return fresh;
  });
}

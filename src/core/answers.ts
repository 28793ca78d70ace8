/**
 * The answers that people give to questions: a reaction, a reply, a command, or silence until the deadline. The first one
 * counts; withdrawing it later changes nothing, because by then others have acted on it.
 */
import { inThread } from "./placement.ts";
import { answeredLine, outcomeChars, outcomeLine } from "./ask-text.ts";
import { type Answer, type Ask, type AskOption, askById, close, editAsk, mayAnswer } from "./asks.ts";
import type { Draft } from "./draft.ts";
import type { EffectId, EventId } from "./ids.ts";
import type { Message, Reaction } from "./input.ts";
import { refuse, steererShort, steerers } from "./steering.ts";
import { settle } from "./tasks/settle.ts";
import { truncate } from "./text.ts";

/** Reactions that are kept for one question while its own event is not known. */
const earlyLimit = 10;

/** Takes an answer; one to a question that is no longer open is passed over. */
export function answerAsk(draft: Draft, ask: Ask, given: Answer): void {
  const open = askById(draft, ask.id);
  if (open === undefined) return;
  // The deadline may have passed without its tick: while the bridge was down, say.
  const answer = open.deadline <= draft.now ? { option: open.timeout, why: "No answer in time." } : given;
  close(draft, open);
  draft.notes.push({ kind: "asked", matter: open.matter.kind, outcome: answer.by === undefined ? "late" : "answered" });
  const { matter } = open;
  draft.audit({
    kind: "approval",
    what: `${matter.kind} answered`,
    by: answer.by ?? draft.world.bot,
    detail: answeredLine(open, answer),
    because: answer.by === undefined ? "deadline" : "first answer",
    ...("subtask" in matter ? { subtask: matter.subtask } : {}),
    ...("agent" in matter ? { agent: matter.agent } : {}),
    ...(answer.event === undefined ? {} : { event: answer.event }),
  });
  editAsk(draft, open, "answered", outcomeLine(open, answer), {
    option: answer.option,
    why: truncate(answer.why, outcomeChars),
    ...(answer.by === undefined ? {} : { by: answer.by }),
  });
  settle(draft, open, answer);
}

/** Questions whose deadline has passed are answered by it. */
export function dueAsks(draft: Draft): void {
  for (const ask of draft.state.asks ?? [])
    if (ask.deadline <= draft.now) answerAsk(draft, ask, { option: ask.timeout, why: "No answer in time." });
}

/** Whether a reaction answered a question, or was an attempt of somebody who may not. */
export function reactionAnswers(draft: Draft, reaction: Reaction): boolean {
  const { target, sender, key } = reaction;
  const asks = draft.state.asks ?? [];
  const ask = asks.find(({ event }) => event === target);
  if (ask === undefined) return keepEarly(draft, asks, reaction);
  const option = optionOf(ask, key);
  if (option === undefined) return false;
  if (mayAnswer(draft, sender, ask))
    answerAsk(draft, ask, { option: option.id, why: "", by: sender, event: reaction.event });
  else {
    const text = `To answer this you need ${steerers}.`;
    const said = { event: reaction.event, sender, ...inThread(ask) };
    refuse(draft, said, { text, what: "reaction", because: steererShort });
  }
  return true;
}

/**
 * A person can react to a message before we have learnt its event id: when the homeserver's answer was lost, or the process
 * ended in between. Such a reaction is kept with every question that it may be on, until that is known.
 */
function keepEarly(draft: Draft, asks: readonly Ask[], { event: reaction, target, sender, key }: Reaction): boolean {
  const isFor = (ask: Ask): boolean =>
    ask.event === undefined &&
    optionOf(ask, key) !== undefined &&
    mayAnswer(draft, sender, ask) &&
    !draft.state.said.some(([event]) => event === target);
  if (!asks.some(isFor)) return false;
  const kept = asks.map((ask) => {
    const option = isFor(ask) ? optionOf(ask, key) : undefined;
    if (option === undefined) return ask;
    return {
      ...ask,
      early: [...(ask.early ?? []), { reaction, target, option: option.id, by: sender }].slice(-earlyLimit),
    };
  });
  draft.set({ asks: kept });
  // It may be on something else all the same.
  return false;
}

/** A reaction that was kept is redacted before it could count. */
export function reactionWithdrawn(draft: Draft, reaction: EventId): void {
  const { asks = [] } = draft.state;
  const isIt = (early: NonNullable<Ask["early"]>[number]): boolean => early.reaction === reaction;
  if (!asks.some(({ early }) => early?.some(isIt))) return;
  draft.set({
    asks: asks.map((ask) => (ask.early === undefined ? ask : { ...ask, early: ask.early.filter((one) => !isIt(one)) })),
  });
}

/** The question is in the room: its reactions can follow, and who was faster than we is heard. */
export function askDone(draft: Draft, effect: EffectId, event: EventId): void {
  draft.outbox = draft.outbox.map((other) =>
    other.kind === "react" && "effect" in other.target && other.target.effect === effect
      ? { ...other, target: { event } }
      : other,
  );
  const asked = draft.state.asks?.find(({ message }) => message === effect);
  if (asked === undefined) return;
  const { early = [], ...ask } = { ...asked, event };
  draft.set({ asks: (draft.state.asks ?? []).map((other) => (other.id === ask.id ? ask : other)) });
  const first = early.find(({ target, by }) => target === event && mayAnswer(draft, by, ask));
  if (first === undefined) return;
  const { option, by, reaction } = first;
  answerAsk(draft, ask, { option, why: "", by, ...(reaction === undefined ? {} : { event: reaction }) });
}

/** Whether a message answered the question that it replies to, or was an attempt of somebody who may not. */
export function replyAnswers(draft: Draft, message: Message): boolean {
  const ask = repliedAsk(draft, message);
  // What another bridge's agent says is not a person's word.
  if (ask === undefined || message.hops !== undefined) return false;
  const answer = readReply(ask, message.text);
  if (answer === undefined) return false;
  if (mayAnswer(draft, message.sender, ask)) {
    acknowledge(draft, message);
    answerAsk(draft, ask, { ...answer, by: message.sender, event: message.event });
  } else {
    const text = `To answer this you need ${steerers}.`;
    refuse(draft, message, { text, what: "reply", because: steererShort });
  }
  return true;
}

/** The open question that a message replies to, by quoting it or in a thread that was begun on it. */
export function repliedAsk(draft: Draft, { replyTo, thread }: Message): Ask | undefined {
  const asked = (event: EventId | undefined): Ask | undefined =>
    event === undefined ? undefined : draft.state.asks?.find((ask) => ask.event === event);
  return asked(replyTo) ?? (replyTo === undefined ? asked(thread) : undefined);
}

function acknowledge(draft: Draft, { event, thread }: Message): void {
  const as = draft.voice();
  if (as !== undefined) draft.fleeting.push({ kind: "receipt", as, event, ...inThread({ thread }) });
}

const synonyms: Readonly<Record<string, string>> = { yes: "approve", ok: "approve", no: "deny" };
/** Words that also begin ordinary sentences ("ok, but first …"): with more words after them they decide nothing. */
const onlyAlone = new Set(["yes", "ok"]);

/** What a reply says; `undefined` when it is talk and no answer. Any words answer an agent's question. */
export function readReply(ask: Ask, text: string): Omit<Answer, "by"> | undefined {
  const said = text.trim();
  const option = exactOption(ask, said);
  if (option !== undefined) return { option: option.id, why: "" };
  const [, head = "", rest = ""] = /^(\S+?)[,.;:!]*(?:\s+(?:[–—-]+\s+)?([\s\S]*))?$/.exec(said) ?? [];
  const word = head.toLowerCase();
  const named = onlyAlone.has(word) && rest !== "" ? undefined : optionOf(ask, synonyms[word] ?? word);
  // "2 tests are missing" is no vote for the second option.
  if (named !== undefined && !/^\d+$/.test(word)) return { option: named.id, why: rest.trim() };
  return ask.matter.kind === "question" && said !== "" ? { option: "answer", why: said } : undefined;
}

function exactOption(ask: Ask, said: string): AskOption | undefined {
  const label = said.toLowerCase();
  const place = /^[1-9]$/.test(said) ? ask.options[Number(said) - 1] : undefined;
  return ask.options.find((option) => option.label.toLowerCase() === label) ?? optionOf(ask, label) ?? place;
}

/** By its reaction or its id. */
function optionOf(ask: Ask, word: string): AskOption | undefined {
  const wanted = bare(word);
  return ask.options.find(({ id, key }) => id.toLowerCase() === wanted || bare(key) === wanted);
}

/** Clients send an emoji with or without the selector of its colourful form. */
function bare(key: string): string {
  return key.replaceAll("\uFE0F", "").trim();
}

/** What people say and do in a room: messages, corrections, withdrawals, and the stop sign. */
import { inThread } from "./placement.ts";
import { reactionAnswers, reactionWithdrawn, replyAnswers } from "./answers.ts";
import { withdrawAskedIn } from "./asks.ts";
import { foreignSays } from "./breaker.ts";
import type { Draft } from "./draft.ts";
import type { Heard } from "./effect.ts";
import type { EffectId, EventId } from "./ids.ts";
import type { Edit, Message, Reaction, Redaction } from "./input.ts";
import { editOf, redactOf } from "./moderation.ts";
import { addressees, agentsHere, authorOf } from "./listening.ts";
import { markOnce, may, refuse } from "./steering.ts";
import { fileDropped, fileWithdrawn } from "./tasks/files.ts";
import { wordsForTask } from "./tasks/hooks.ts";
import type { Session } from "./room.ts";
import { begin, hear, putSession, takeBack } from "./turns.ts";
import { type CrewMember, isOwn } from "./world.ts";

/** `!crew`, alone or before a command. */
const commandWord = /^!crew(?:\s|$)/i;

export function message(draft: Draft, input: Message): void {
  if (input.notice || isOwn(draft.world, input.sender)) return;
  if (commandWord.test(input.text.trim())) {
    // Another bridge's agent gives no orders, whoever is let in from its server.
    if (input.hops === undefined) command(draft, input);
    return;
  }
  fileDropped(draft, input);
  if (replyAnswers(draft, input)) return;
  const users = addressees(draft.world, draft.state, input);
  const meant = users.length === 0 ? wordsForTask(draft, input) : undefined;
  if (meant !== undefined && may(draft, input.sender, "talk")) {
    const member = draft.world.crew.get(meant.user);
    if (member === undefined) return;
    if (draft.isJoined(meant.user))
      draft.fleeting.push({ kind: "receipt", as: meant.user, event: input.event, ...inThread(input) });
    deliver(draft, member, meant.thread, input, `${meant.prefix}${input.text}`);
    return;
  }
  if (users.length === 0) {
    if (isAloneWithBot(draft)) explain(draft, input);
    return;
  }
  if (!may(draft, input.sender, "talk")) {
    refuse(draft, input, {
      as: users.find((user) => draft.isJoined(user)),
      what: "message",
      because: "level talk",
      text: "I may only work for people whom my operator has named. Please ask the operator for the permission `talk`.",
    });
    return;
  }
  for (const user of users) {
    const member = draft.world.crew.get(user);
    if (member === undefined) continue;
    if (draft.isJoined(user))
      draft.fleeting.push({ kind: "receipt", as: user, event: input.event, ...inThread(input) });
    deliver(draft, member, input.thread, input);
  }
}

function deliver(draft: Draft, to: CrewMember, thread: EventId | undefined, input: Message, text = input.text): void {
  const heard = { ...heardOf(input), text };
  if (input.hops === undefined) hear(draft, to, thread, heard);
  else foreignSays(draft, to, thread, heard);
}

/** A person, the bot, and no agent: whoever talks here may not know yet how to get one. */
function isAloneWithBot({ world, state }: Draft): boolean {
  const botIsHere = state.seats[world.bot]?.place === "joined";
  return botIsHere && state.people.length === 1 && !state.crowd && agentsHere(world, state).length === 0;
}

function explain(draft: Draft, input: Message): void {
  const [agent] = draft.world.crew.keys();
  const chat = agent === undefined ? "" : ` To talk with an agent, start a direct chat with one, for example ${agent}.`;
  // Nothing was refused: a later refusal is told all the same.
  if (!markOnce(draft, `explained ${input.sender}`)) return;
  const text = `I only understand commands: \`!crew help\` lists them.${chat}`;
  draft.notice(`${input.event}:refused`, text, { mentions: [input.sender], ...inThread(input) });
}

function heardOf(input: Message): Heard {
  return {
    cause: input.event,
    from: input.sender,
    text: input.text,
    ...(input.attachment === undefined ? {} : { attachment: input.attachment }),
    hops: input.hops === undefined ? 0 : input.hops + 1,
  };
}

/** A command is answered wherever one of ours can speak, so also in a direct chat where the bot is not. */
function command(draft: Draft, input: Message): void {
  const voice = draft.voice();
  if (voice === undefined) return;
  draft.fleeting.push({ kind: "receipt", as: voice, event: input.event, ...inThread(input) });
  draft.world.command(draft, input);
}

/**
 * A correction replaces what still waits. What an agent is busy with, or has answered, it is told of, in its newest form
 * only. Homeservers let anybody edit anything; it counts from who said it.
 */
export function edit(draft: Draft, input: Edit): void {
  if (!may(draft, input.sender, "talk")) return;
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    const queue = corrected(session, input, draft.world.limits.queue_messages);
    if (queue === undefined) continue;
    putSession(draft, key, { ...session, queue });
    draft.audit(editOf(input, session.agent));
    begin(draft, key);
  }
}

/** What waits in a session after an edit; `undefined` when that is nothing new. */
function corrected(session: Session, input: Edit, most: number): readonly Heard[] | undefined {
  const { queue, running, causes } = session;
  const { target, sender, event } = input;
  const isSaid = (heard: Heard): boolean => heard.cause === target && heard.from === sender;
  const isTold = (heard: Heard): boolean => heard.corrects === target && heard.from === sender;
  const text = `(This corrects an earlier message of mine.) ${input.text}`;
  if (queue.some(isSaid)) return queue.map((heard) => (isSaid(heard) ? { ...heard, text: input.text } : heard));
  if (queue.some(isTold)) return queue.map((heard) => (isTold(heard) ? { ...heard, cause: event, text } : heard));
  const busy = running?.messages.find(isSaid);
  const answered = causes.some(([cause, , from]) => cause === target && from === sender);
  if (busy === undefined && (!answered || queue.length >= most)) return undefined;
  const correction: Heard = {
    cause: event,
    from: sender,
    corrects: target,
    text,
    // Another bridge's agent that edits what it says begins no new chain.
    hops: busy?.hops ?? 0,
    // Mending a word in what is long answered should not make an agent answer again.
    ...(busy === undefined ? { quiet: true } : {}),
  };
  return [...queue, correction];
}

/** What is withdrawn is not done: taken from the queue, its turn taken back, and forgotten in the history. */
export function redaction(draft: Draft, input: Redaction): void {
  fileWithdrawn(draft, input);
  reactionWithdrawn(draft, input.target);
  heldWithdrawn(draft, input.target);
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    // A correction says the same once more, and goes with what it corrects.
    const isIt = (heard: Heard): boolean => isAbout(heard, input.target);
    const turns = new Set(session.causes.flatMap(([cause, turn]) => (cause === input.target ? [turn] : [])));
    const waits = session.queue.some(isIt);
    if (turns.size === 0 && !waits) continue;
    if (session.running?.messages.some(isIt) === true) takeBack(draft, key);
    draft.audit(redactOf(input, session.agent));
    const now = draft.state.sessions[key] ?? session;
    putSession(draft, key, {
      ...now,
      queue: now.queue.filter((heard) => !isIt(heard)),
      causes: now.causes.filter(([cause]) => cause !== input.target),
    });
    for (const turn of turns) {
      withdrawAskedIn(draft, turn);
      const id = `${input.event}:forget:${session.agent}:${turn}` as EffectId;
      draft.emit({ kind: "forget", id, agent: session.agent, history: session.history, turn });
    }
    begin(draft, key);
  }
}

/** What the breaker holds back and a person takes away is not delivered later. */
function heldWithdrawn(draft: Draft, target: EventId): void {
  const { breaker } = draft.state;
  const held = breaker.held.filter(({ message }) => !isAbout(message, target));
  if (held.length < breaker.held.length) draft.set({ breaker: { ...breaker, held } });
}

function isAbout({ cause, event, corrects }: Heard, target: EventId): boolean {
  return cause === target || event === target || corrects === target;
}

const stopSigns: readonly string[] = ["🛑", "⏹", "⏹️"];

/**
 * A reaction on an open question answers it. 🛑 on an agent's message stops that agent here; on an instruction it stops
 * the turn that answers it.
 */
export function reaction(draft: Draft, input: Reaction): void {
  if (isOwn(draft.world, input.sender) || reactionAnswers(draft, input)) return;
  if (!stopSigns.includes(input.key)) return;
  const author = authorOf(draft.state, input.target);
  const agent = author === undefined ? undefined : draft.world.crew.get(author);
  const meant = Object.entries(draft.state.sessions).filter(([, { running, agent: its }]) => {
    if (running === undefined) return false;
    const isIts = running.messages.some(({ cause }) => cause === input.target) || running.answerEvent === input.target;
    return isIts || its === agent?.id;
  });
  if (meant.length > 0 && !may(draft, input.sender, "talk")) {
    const text = "To stop agents you need the permission `talk`, which the operator gives.";
    refuse(draft, input, { text, what: "reaction", because: "level talk" });
    return;
  }
  for (const [key] of meant) stopSession(draft, key, input);
}

/** What a person said or did to have agents stopped. */
type Wish = Pick<Message, "sender" | "event">;

/** Asks the runtime to stop. The end of the turn comes back as `turnEnded`, with what was said until then. */
function stopSession(draft: Draft, key: string, { sender: by, event }: Wish): void {
  const session = draft.state.sessions[key];
  if (session?.running === undefined || session.running.stoppedBy !== undefined) return;
  putSession(draft, key, { ...session, running: { ...session.running, stoppedBy: by } });
  draft.audit({ kind: "command", what: "stop", by, agent: session.agent, event, because: "level talk" });
  draft.fleeting.push({ kind: "abort", turn: session.running.id });
}

/** Stops the turns of one agent, or of all, in this room. Returns the agents that were stopped. */
export function stopTurns(draft: Draft, wish: Wish, only?: CrewMember): readonly CrewMember["id"][] {
  const running = Object.entries(draft.state.sessions).filter(
    ([, session]) => session.running !== undefined && (only === undefined || session.agent === only.id),
  );
  for (const [key] of running) stopSession(draft, key, wish);
  return [...new Set(running.map(([, session]) => session.agent))];
}

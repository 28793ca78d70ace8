/**
 * Questions that only an allowed person can answer, with a deadline: plans, final approvals, decisions, and what agents
 * ask. One message with the options as reactions; the first answer wins, and the message is edited to the outcome.
 *
 *   ask ──▶ open ──reaction, reply, !crew approve|deny──▶ answered
 *             ├──deadline────────────────────────────────▶ answered with its `timeout`
 *             └──withdrawn (its matter is settled)────────▶ gone
 *
 * This file asks; `answers.ts` takes the answers.
 */
import { inThread, originOf } from "./placement.ts";
import type { DayScope } from "./budget.ts";
import type { Draft } from "./draft.ts";
import type { AgentId, EffectId, EventId, TurnId, UserId } from "./ids.ts";
import { askedLine, briefOf, briefOutcome, headquartersLine, howToAnswer } from "./ask-text.ts";
import { may, maySteer } from "./steering.ts";
import type { SubtaskId } from "./tasks/task.ts";
import { isOwn } from "./world.ts";

export interface AskOption {
  /** `approve`, `deny`, or a word of the question's own. */
  readonly id: string;
  /** The reaction: ✅, ❌, 1️⃣ … */
  readonly key: string;
  readonly label: string;
}

export type AskMatter =
  | { readonly kind: "plan" }
  | { readonly kind: "final" }
  /** The planner failed. */
  | { readonly kind: "planner" }
  /** A subtask that nobody can go on with: rejected too often, no worker, no reviewer, blocked, concern. */
  | { readonly kind: "subtask"; readonly subtask: SubtaskId; readonly why: string }
  /** Of the task; with a scope, of an agent (or everybody) for a day. */
  | { readonly kind: "budget"; readonly scope?: DayScope; readonly day?: number }
  /** A tool that an agent may only use when a person says so. */
  | {
      readonly kind: "permission";
      readonly session: string;
      readonly agent: AgentId;
      readonly tool: string;
      readonly about: string;
      /** A digest of what the message shows, where {@link about} does not say everything. */
      readonly exact?: string;
      /** In which it was asked. */
      readonly turn?: TurnId;
      /** Set when a runtime waits for the answer in a running turn. */
      readonly waits?: { readonly turn: TurnId; readonly call: EffectId };
    }
  /** A file that looks like a secret: may it be recorded? */
  | {
      readonly kind: "secret";
      readonly subtask: SubtaskId;
      readonly agent: AgentId;
      readonly path: string;
      readonly sha256: string;
    }
  /** An agent's `ask_human`. */
  | { readonly kind: "question"; readonly session: string; readonly agent: AgentId; readonly turn?: TurnId };

export interface Ask {
  /** Short, for `!crew approve <id>`: `a1`, `a2`, … in its room. */
  readonly id: string;
  readonly matter: AskMatter;
  /** Markdown. */
  readonly text: string;
  readonly options: readonly AskOption[];
  /** Id of the option that silence chooses, or another word for what happens then. */
  readonly timeout: string;
  readonly asked: number;
  readonly deadline: number;
  /** The message that asks. */
  readonly message: EffectId;
  readonly event?: EventId;
  readonly thread?: EventId;
  /** Who says it and edits it, where it is not the bot. */
  readonly as?: UserId;
  /** Reactions that came before `event` was known: a person may be faster than the homeserver's answer to us. */
  readonly early?: readonly {
    readonly reaction?: EventId;
    readonly target: EventId;
    readonly option: string;
    readonly by: UserId;
  }[];
}

export interface Answer {
  readonly option: string;
  /** Words beside it. */
  readonly why: string;
  /** `undefined` when the deadline answered. */
  readonly by?: UserId;
  /** The reaction or message that answered. */
  readonly event?: EventId;
}

/** Where an answer came from, for the audit. */
export function eventOf({ event }: Answer): { readonly event?: EventId } {
  return event === undefined ? {} : { event };
}

/** What to ask. */
export interface Question {
  readonly matter: AskMatter;
  /** Markdown; its first line must tell what it is about, because HQ is told that line. */
  readonly text: string;
  /** Approve or deny, where it has none of its own. Empty: answered in words only. */
  readonly options?: readonly AskOption[];
  readonly timeout: string;
  readonly thread?: EventId;
  /** How long it waits; `tasks.ask_hours` of the config without. */
  readonly hours?: number;
  /** Who is notified; without, the people here who may answer. */
  readonly mentions?: readonly UserId[];
  /** Who asks; without, the bot, or who of ours may speak where it is not. */
  readonly as?: UserId;
}

const approveOrDeny: readonly AskOption[] = [
  { id: "approve", key: "✅", label: "approve" },
  { id: "deny", key: "❌", label: "deny" },
];

const hour = 3_600_000;
/** More people than this are not notified by name: then only who asked for the task is. */
const fewPeople = 5;

/** Asks the people of the room. Whoever may answer sees it there; supervisors elsewhere see it in HQ. */
export function ask(draft: Draft, question: Question): Ask {
  const { matter, text, timeout, options = approveOrDeny, thread } = question;
  const { room, asks = [], asked = 0 } = draft.state;
  const id = `a${asked + 1}`;
  // With the time in it: ids begin anew when a room is rebuilt, and must not meet the homeserver's memory of old ones.
  const message = `${room}:ask:${id}:${draft.now}` as EffectId;
  const deadline = draft.now + (question.hours ?? draft.world.tasks.ask_hours) * hour;
  const placed = inThread({ thread });
  const { bot } = draft.world;
  // A task's room is the bot's own; in a chat with an agent it is not there.
  const voice = draft.state.task === undefined ? (draft.voice() ?? bot) : bot;
  const as = question.as ?? voice;
  const open: Ask = {
    id,
    matter,
    text,
    options,
    timeout,
    asked: draft.now,
    deadline,
    message,
    ...placed,
    ...(as === bot ? {} : { as }),
  };
  draft.set({ asks: [...asks, open], asked: asked + 1 });
  draft.say(message, {
    as,
    text: `${text}\n\n${howToAnswer(open)}`,
    brief: briefOf(open),
    mentions: question.mentions ?? whoIsAsked(draft, open),
    approval: typed(open, "open"),
    ...placed,
  });
  for (const { id: option, key } of options)
    draft.emit({
      kind: "react",
      id: `${reactionsOf(open)}${option}` as EffectId,
      as: voice,
      target: { effect: message },
      key,
    });
  tellHeadquarters(draft, open);
  draft.notes.push({ kind: "asked", matter: matter.kind, outcome: "asked" });
  draft.audit({
    kind: "approval",
    what: `${matter.kind} asked`,
    ...whoAsks(draft, open),
    ...("session" in matter ? originOf(draft.state.sessions[matter.session] ?? {}) : {}),
    detail: askedLine(open),
  });
  return open;
}

function whoAsks({ world }: Draft, { matter }: Ask): { readonly by: AgentId | UserId; readonly subtask?: string } {
  const by = "agent" in matter ? matter.agent : world.bot;
  return { by, ...("subtask" in matter ? { subtask: matter.subtask } : {}) };
}

/** Its matter is settled otherwise. @param text Why, for the room. */
export function withdraw(draft: Draft, id: string, text: string): void {
  const open = askById(draft, id);
  if (open === undefined) return;
  close(draft, open);
  draft.notes.push({ kind: "asked", matter: open.matter.kind, outcome: "withdrawn" });
  draft.audit({
    kind: "approval",
    what: `${open.matter.kind} withdrawn`,
    by: draft.world.bot,
    detail: `${id}: ${text}`,
  });
  editAsk(draft, open, "withdrawn", `↩️ ${text}`, {});
}

/** An agent was removed, or left: nobody waits for what it asked about itself. */
export function withdrawOf(draft: Draft, agent: AgentId): void {
  for (const { id, matter } of draft.state.asks ?? [])
    if ((matter.kind === "question" || matter.kind === "permission") && matter.agent === agent)
      withdraw(draft, id, "Who asked was removed.");
}

/** The work of a session has ended: what it wanted leave for is no longer wanted. */
export function withdrawLeave(draft: Draft, session: string): void {
  for (const { id, matter } of draft.state.asks ?? [])
    if (matter.kind === "permission" && matter.session === session)
      withdraw(draft, id, "The work that it was for has ended.");
}

/** What a turn was to answer was taken back, and with it what the turn asked. */
export function withdrawAskedIn(draft: Draft, turn: TurnId): void {
  for (const { id, matter } of draft.state.asks ?? [])
    if ((matter.kind === "question" || matter.kind === "permission") && matter.turn === turn)
      withdraw(draft, id, "What it came from was taken back.");
}

/** A turn is over: nobody waits any more for what its runtime asked. */
export function withdrawWaiting(draft: Draft, turn: TurnId): void {
  for (const { id, matter } of draft.state.asks ?? [])
    if (matter.kind === "permission" && matter.waits?.turn === turn)
      withdraw(draft, id, "The turn that asked is over.");
}

export function askById(draft: Draft, id: string): Ask | undefined {
  return draft.state.asks?.find((ask) => ask.id === id);
}

/** It is no longer open, and what invites to answer it and is not yet in the room stays away. */
export function close(draft: Draft, ask: Ask): void {
  draft.set({ asks: (draft.state.asks ?? []).filter(({ id }) => id !== ask.id) });
  draft.drop(({ kind, id }) => kind === "react" && id.startsWith(reactionsOf(ask)));
}

/** Its message shows the outcome from now on. */
export function editAsk(
  draft: Draft,
  ask: Ask,
  state: "answered" | "withdrawn",
  outcome: string,
  facts: Readonly<Record<string, unknown>>,
): void {
  // Who asked it in a chat may be gone, and can edit nothing any more. A task's own bot comes back.
  const { bot } = draft.world;
  const { as = bot } = ask;
  if (!draft.isJoined(as) && (as !== bot || draft.state.task === undefined)) return;
  draft.say(`${ask.message}:${state}`, {
    as,
    text: `${ask.text}\n\n${outcome}`,
    brief: briefOutcome(ask, outcome),
    replaces: ask.event === undefined ? { effect: ask.message } : { event: ask.event },
    approval: { ...typed(ask, state), ...facts },
    ...inThread(ask),
  });
}

/** Who may answer. Outside of tasks an agent's question is a part of talking with it. */
export function mayAnswer(draft: Draft, user: UserId, ask: Ask): boolean {
  if (maySteer(draft, user)) return true;
  const justTalk = ask.matter.kind === "question" && draft.state.task === undefined;
  return justTalk && !isOwn(draft.world, user) && may(draft, user, "talk");
}

function typed(ask: Ask, state: string): Readonly<Record<string, unknown>> {
  const { id, matter, options, deadline } = ask;
  return { id, matter: matter.kind, options, deadline, state };
}

function reactionsOf(ask: Ask): string {
  return `${ask.message}:react:`;
}

function whoIsAsked(draft: Draft, ask: Ask): readonly UserId[] {
  const { people, crowd, task } = draft.state;
  const able = people.filter((user) => mayAnswer(draft, user, ask));
  if (!crowd && able.length <= fewPeople) return able;
  return task === undefined ? [] : [task.asker];
}

/**
 * Supervisors who are not in the room learn here where they are needed. In a chat that is only for leave: who talks there
 * may answer an agent's question, and often nobody there may give leave.
 */
function tellHeadquarters(draft: Draft, ask: Ask): void {
  const { task, room } = draft.state;
  if (task !== undefined || ask.matter.kind === "permission")
    draft.announce(ask.message, headquartersLine(ask, task, room, draft.world.server));
}

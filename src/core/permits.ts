/**
 * Leave for tools, asked of people where the policy says so.
 *
 *   tool call ──▶ denied by a rule ────────────────▶ Not done
 *                 ├─ let in before, or allowed ─────▶ done
 *                 └─ ask ─▶ a person ─✅ once, ♾️ always─▶ the agent is told, and does it
 *                                    └─❌, silence──────▶ the agent is told why not
 *
 * A runtime with tools of its own waits for the answer in its turn.
 */
import { type Answer, ask, type Ask, type AskMatter } from "./asks.ts";
import type { Draft } from "./draft.ts";
import type { AgentId, EffectId, TurnId } from "./ids.ts";
import { leaveAsked, type OwnInput } from "./input.ts";
import { inThread, originOf } from "./placement.ts";
import { addGrant, dropGrant, judgeUse, networkTool, type PolicyDecision, runtimeTool } from "./policy.ts";
import { putSession, sessionOfTurn } from "./turns.ts";
import { code, escaped, fenced } from "./verbatim.ts";
import { type CrewMember, memberById } from "./world.ts";

type Permit = Extract<OwnInput, { kind: "permit" }>;

/** The reply to a tool that may go on; any other is what its agent reads. */
export const permitted = "permitted";

/** More questions of one agent do not wait in a room: an agent that asks about everything would drown what matters. */
const openOfAgent = 10;

/** A tool asks whether it may. Asked again with the same call, it is answered the same. */
export function permit(draft: Draft, input: Permit): void {
  const session = sessionOfTurn(draft, input.session, input.turn);
  const member = session && memberById(draft.world, session.agent);
  if (session === undefined || member === undefined) {
    draft.reply = "Not done: this turn is over.";
    return;
  }
  const before = session.running.replies?.[input.call];
  if (before !== undefined) {
    draft.reply = before;
    return;
  }
  const reply = mayUse(draft, input, member);
  draft.reply = reply;
  const now = draft.state.sessions[input.session];
  // A turn that runs again after a crash is answered the same, and uses nothing up twice.
  if (now?.running?.id !== input.turn) return;
  const replies = { ...now.running.replies, [input.call]: reply };
  putSession(draft, input.session, { ...now, running: { ...now.running, replies } });
}

/** What is asked to be used, and in which session. */
export type Wanted = Pick<
  Permit,
  "session" | "turn" | "call" | "tool" | "about" | "details" | "exact" | "why" | "large"
>;

/** Decides about one use, and writes it down. @returns {@link permitted}, or what the agent reads. */
export function mayUse(draft: Draft, wanted: Wanted, member: CrewMember): string {
  const { tool, about, exact, large = false } = wanted;
  const decision = judgeUse(draft, { member, tool, about, ...(exact === undefined ? {} : { exact }) });
  if (decision.do === "deny") {
    write(draft, "refusal", wanted, member, decision);
    return `Not done: ${tool} is not allowed to you here (${decision.because}).`;
  }
  // What is large asks even where a rule allows it; a person's grant counts for it.
  const asks = decision.do === "ask" || (large && decision.grant === undefined);
  if (!asks) {
    if (decision.grant?.once === true) dropGrant(draft, decision.grant.id);
    write(draft, "tool", wanted, member, decision);
    return permitted;
  }
  const open = openAsks(draft, member.id);
  // The answer wakes the session that asked: another one asks for itself.
  const isAsked = open.some(
    ({ matter }) =>
      matter.session === wanted.session &&
      matter.tool === tool &&
      matter.about === about &&
      matter.exact === wanted.exact,
  );
  if (!isAsked && open.length >= openOfAgent) {
    write(draft, "refusal", wanted, member, { because: `${openOfAgent} open questions` });
    return `Not done: ${openOfAgent} of your questions wait for an answer already. Do other work or end your turn; you are told the answers.`;
  }
  if (!isAsked) askFor(draft, wanted, member);
  return "Not done yet: a person is asked whether you may. Do other work or end your turn; you are told the answer, and then do exactly this again.";
}

type PermissionAsk = Ask & { readonly matter: Extract<AskMatter, { kind: "permission" }> };

function openAsks(draft: Draft, agent: AgentId): readonly PermissionAsk[] {
  const isIts = (one: Ask): one is PermissionAsk => one.matter.kind === "permission" && one.matter.agent === agent;
  return (draft.state.asks ?? []).filter(isIts);
}

function write(
  draft: Draft,
  kind: "tool" | "refusal",
  { session, call, tool, about }: Pick<Wanted, "session" | "call" | "tool" | "about">,
  member: CrewMember,
  { because }: Pick<PolicyDecision, "because">,
): void {
  const subtask = subtaskOf(draft, session);
  draft.audit({
    kind,
    what: tool,
    by: member.id,
    detail: about,
    because,
    call,
    ...originOf(draft.state.sessions[session] ?? {}),
    ...(subtask === undefined ? {} : { subtask }),
  });
}

/** An agent wanted something that no rule and no person can let in. */
export function useRefused(draft: Draft, input: Extract<OwnInput, { kind: "useRefused" }>): void {
  const session = sessionOfTurn(draft, input.session, input.turn);
  const member = session && memberById(draft.world, session.agent);
  if (member !== undefined) write(draft, "refusal", input, member, { because: input.because });
}

/** The subtask in whose thread a session is. */
function subtaskOf(draft: Draft, session: string): string | undefined {
  const thread = draft.state.sessions[session]?.thread;
  if (thread === undefined) return undefined;
  return Object.values(draft.state.task?.subtasks ?? {}).find((one) => one.thread === thread)?.id;
}

function askFor(
  draft: Draft,
  wanted: Omit<Wanted, "call" | "large">,
  member: CrewMember,
  waits?: { readonly turn: TurnId; readonly call: EffectId },
): void {
  const { tool, about, exact, details = about } = wanted;
  const session = draft.state.sessions[wanted.session];
  const subtask = subtaskOf(draft, wanted.session);
  const forWhat = subtask === undefined ? "" : ` for \`${subtask}\``;
  const why = escaped(wanted.why ?? "", whyChars);
  const reason = why === "" ? "" : `\n\nWhy, in its words: ${why}`;
  ask(draft, {
    matter: {
      kind: "permission",
      session: wanted.session,
      agent: member.id,
      tool,
      about,
      turn: wanted.turn,
      ...(exact === undefined ? {} : { exact }),
      ...(waits === undefined ? {} : { waits }),
    },
    // The first line is also what HQ and the pinned message say.
    text: `🔐 **${member.name} wants to use \`${tool}\`**${forWhat}: ${about === "" ? "" : code(about, 100)}\n\n${exactly(details)}${reason}`,
    options: [
      { id: "approve", key: "✅", label: "this once" },
      {
        id: "always",
        key: "♾️",
        label: `always, ${exact === undefined ? "exactly this" : anything(tool)}, by this agent, in this room`,
      },
      { id: "deny", key: "❌", label: "no" },
    ],
    timeout: "deny",
    ...(session === undefined ? {} : inThread(session)),
  });
}

/** Of an agent's reason: enough to say it, and too little to bury what it is for. */
const whyChars = 300;

/** What an answer for always lets in beside what was shown. */
function anything(tool: string): string {
  return tool === networkTool ? "whatever command reaches for it" : "whatever it contains";
}

/** Of what is asked about. A message that gets too long with it is sent as a file. */
const shownChars = 30_000;

/** A person must see exactly what it is, or be told that it is more. */
function exactly(text: string): string {
  const more = text.length - shownChars;
  if (more <= 0) return fenced(text, "");
  return `${fenced(text.slice(0, shownChars), "")}\n\n**${more} more characters are not shown.**`;
}

/** A person said whether an agent may (or nobody did: then it may not). @returns What the agent is told, if it must be. */
export function permissionJudged(draft: Draft, matter: PermissionAsk["matter"], answer: Answer): string | undefined {
  const { agent, tool, about, exact, waits } = matter;
  const isYes = answer.by !== undefined && (answer.option === "approve" || answer.option === "always");
  if (waits !== undefined) {
    const given = !isYes ? "no" : answer.option === "always" ? "always" : "once";
    draft.fleeting.push({ kind: "leaveGiven", call: waits.call, given });
    // The runtime hears it by itself; only what holds from now on is kept.
    if (given !== "always") return undefined;
  }
  if (isYes && answer.by !== undefined) {
    const once = answer.option === "approve";
    const only = once && exact !== undefined ? { exact } : {};
    addGrant(draft, { agent, tool, about, ...only, once, by: answer.by });
    if (waits !== undefined) return undefined;
    return `${answer.by} allows it${once ? " this once" : " from now on"}: \`${tool}\` with ${code(about, 80)}. Do it now.`;
  }
  const why = answer.why === "" ? "" : ` ${answer.why}`;
  const who = answer.by === undefined ? "Nobody answered in time" : `${answer.by} said no`;
  return `${who}: \`${tool}\` with ${code(about, 80)} is not done.${why} Find another way, or say that you are blocked.`;
}

/** A runtime with tools of its own asks whether it may. Its turn waits, so the question ends with the turn. */
export function leaveWanted(draft: Draft, input: Extract<OwnInput, { kind: "leaveWanted" }>): void {
  const session = sessionOfTurn(draft, input.session, input.turn);
  const member = session && memberById(draft.world, session.agent);
  if (session === undefined || member === undefined) {
    draft.reply = "deny";
    return;
  }
  const { call, title, turn } = input;
  const wanted = { session: input.session, turn, call, tool: runtimeTool, about: title };
  const decision = judgeUse(draft, { member, tool: runtimeTool, about: title });
  if (decision.do !== "ask") {
    write(draft, decision.do === "deny" ? "refusal" : "tool", wanted, member, decision);
    draft.reply = decision.do;
    return;
  }
  const open = openAsks(draft, member.id);
  const known = open.find(
    ({ matter }) => matter.waits?.turn === turn && matter.tool === runtimeTool && matter.about === title,
  );
  if (known === undefined && open.length >= openOfAgent) {
    write(draft, "refusal", wanted, member, { because: `${openOfAgent} open questions` });
    draft.reply = "deny";
    return;
  }
  draft.reply = leaveAsked;
  if (known === undefined) {
    askFor(draft, wanted, member, { turn, call });
    return;
  }
  // The turn runs again after a crash: the answer goes to who waits now.
  const asks = (draft.state.asks ?? []).map((one) =>
    one === known ? { ...one, matter: { ...known.matter, waits: { turn, call } } } : one,
  );
  draft.set({ asks });
}

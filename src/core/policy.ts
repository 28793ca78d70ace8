/**
 * What agents may do with their tools: allow, ask a person, or deny, by agent, role, tool and what it is about. The first
 * rule that fits decides; what a person let in, in this room, comes before the config's rules, except where those deny.
 *
 *   tool call ──▶ denied by a rule ────────────────▶ Not done
 *                 ├─ let in before, or allowed ─────▶ done
 *                 └─ ask ─▶ a person ─✅ once, ♾️ always─▶ the agent is told, and does it
 *                                    └─❌, silence──────▶ the agent is told why not
 */
import { type Answer, ask, type AskMatter, withdraw } from "./asks.ts";
import type { Draft } from "./draft.ts";
import type { AgentId, EffectId, TurnId, UserId } from "./ids.ts";
import { leaveAsked, type OwnInput } from "./input.ts";
import { inThread } from "./placement.ts";
import { putSession, sessionOfTurn } from "./turns.ts";
import { type CrewMember, memberById, type World } from "./world.ts";

export const verdicts = ["allow", "ask", "deny"] as const;
export type PolicyVerdict = (typeof verdicts)[number];

/** `policy` of the config. What is left out fits everything. */
export interface PolicyRule {
  readonly agent?: string;
  readonly role?: string;
  /** Name of a tool, with `*` for any characters. */
  readonly tool?: string;
  /** What it is about (the command, the path, the host), with `*` for any characters. */
  readonly about?: string;
  readonly do: PolicyVerdict;
}

/** What a person let in. */
export interface Grant {
  /** Short, for `!crew revoke <id>`: `g1`, `g2`, … in its room. */
  readonly id: string;
  readonly agent: AgentId;
  readonly tool: string;
  /** Exactly this. */
  readonly about: string;
  readonly once: boolean;
  readonly by: UserId;
  readonly ts: number;
}

/** More are not kept for one room; the oldest go first. */
export const grantsKept = 200;

export interface Use {
  readonly member: CrewMember;
  readonly tool: string;
  readonly about: string;
}

/** Whether a text is what a pattern with `*` means. Everything else in it stands for itself. */
export function fits(pattern: string | undefined, text: string): boolean {
  if (pattern === undefined) return true;
  // By hand: a regular expression made of `*a*a*a*…` takes for ever on a hostile text.
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return text === pattern;
  const last = rest.pop() ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

function ruleFits(rule: PolicyRule, { member, tool, about }: Use): boolean {
  return (
    (rule.agent === undefined || rule.agent === member.id) &&
    (rule.role === undefined || member.roles.includes(rule.role)) &&
    fits(rule.tool, tool) &&
    fits(rule.about, about)
  );
}

/** Whether the config has a rule that may speak of a tool. */
export function hasRuleFor({ policy }: Pick<World, "policy">, tool: string): boolean {
  return policy.some((rule) => fits(rule.tool, tool));
}

export interface PolicyDecision {
  readonly do: PolicyVerdict;
  /** Which rule decided, for the audit and for people: `policy 3`, `grant g1`, `default`. */
  readonly because: string;
  readonly grant?: Grant;
}

/** What the config and this room's people say of a use. */
export function judgeUse({ world, state }: Pick<Draft, "world" | "state">, use: Use): PolicyDecision {
  const index = world.policy.findIndex((rule) => ruleFits(rule, use));
  const rule = world.policy[index];
  const because = rule === undefined ? "default" : `policy ${index + 1}`;
  if (rule?.do === "deny") return { do: "deny", because };
  const grant = (state.grants ?? []).find(
    ({ agent, tool, about }) => agent === use.member.id && tool === use.tool && about === use.about,
  );
  if (grant !== undefined) return { do: "allow", because: `grant ${grant.id}`, grant };
  return { do: rule?.do ?? "allow", because };
}

type Permit = Extract<OwnInput, { kind: "permit" }>;

/** The reply to a tool that may go on; any other is what its agent reads. */
export const permitted = "permitted";

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
export type Wanted = Pick<Permit, "session" | "call" | "tool" | "about" | "details" | "large">;

/** Decides about one use, and writes it down. @returns {@link permitted}, or what the agent reads. */
export function mayUse(draft: Draft, wanted: Wanted, member: CrewMember): string {
  const { tool, about, call } = wanted;
  const decision = judgeUse(draft, { member, tool, about });
  const facts = {
    what: tool,
    by: member.id,
    detail: about,
    because: decision.because,
    call,
    ...subtaskOf(draft, wanted),
  };
  if (decision.do === "deny") {
    draft.audit({ kind: "refusal", ...facts });
    return `Not done: ${tool} is not allowed to you here (${decision.because}).`;
  }
  // What is large asks even where a rule allows it; a person's grant counts for it.
  const asks = decision.do === "ask" || (wanted.large === true && decision.grant === undefined);
  if (!asks) {
    if (decision.grant?.once === true) dropGrant(draft, decision.grant.id);
    draft.audit({ kind: "tool", ...facts });
    return permitted;
  }
  const open = (draft.state.asks ?? []).find(
    ({ matter }) =>
      matter.kind === "permission" && matter.agent === member.id && matter.tool === tool && matter.about === about,
  );
  if (open === undefined) askFor(draft, wanted, member);
  return `Not done yet: a person is asked whether you may. Do other work or end your turn; you are told the answer, and then do it again.`;
}

/** The subtask in whose thread it is wanted. */
function subtaskOf(draft: Draft, { session: key }: Pick<Wanted, "session">): { readonly subtask?: string } {
  const thread = draft.state.sessions[key]?.thread;
  const found = Object.values(draft.state.task?.subtasks ?? {}).find((one) => one.thread === thread);
  return thread === undefined || found === undefined ? {} : { subtask: found.id };
}

function askFor(
  draft: Draft,
  wanted: Pick<Wanted, "session" | "tool" | "about" | "details">,
  member: CrewMember,
  waits?: { readonly turn: TurnId; readonly call: EffectId },
): void {
  const { tool, about, details } = wanted;
  const session = draft.state.sessions[wanted.session];
  const { subtask } = subtaskOf(draft, wanted);
  const why = subtask === undefined ? "" : ` for \`${subtask}\``;
  ask(draft, {
    matter: {
      kind: "permission",
      session: wanted.session,
      agent: member.id,
      tool,
      about,
      ...(waits === undefined ? {} : { waits }),
    },
    // The first line is also what HQ and the pinned message say.
    text: `🔐 **${member.name} wants to use \`${tool}\`**${why}: ${inline(shortened(about))}\n\n${fenced(details ?? about)}`,
    options: [
      { id: "approve", key: "✅", label: "this once" },
      { id: "always", key: "♾️", label: "always, exactly this, by this agent, in this room" },
      { id: "deny", key: "❌", label: "no" },
    ],
    timeout: "deny",
    ...(session === undefined ? {} : inThread(session)),
  });
}

/** In one line of code, whatever backticks and line breaks it has. */
function inline(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  const pad = line.startsWith("`") || line.endsWith("`") ? " " : "";
  return line === "" ? "" : `${fence}${pad}${line}${pad}${fence}`;
}

/** A person must see exactly what it is: a fence that its content cannot close. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

/** A person said whether an agent may (or nobody did: then it may not). @returns What the agent is told, if it must be. */
export function permissionJudged(
  draft: Draft,
  matter: Extract<AskMatter, { kind: "permission" }>,
  answer: Answer,
): string | undefined {
  const { agent, tool, about, waits } = matter;
  const isYes = answer.by !== undefined && (answer.option === "approve" || answer.option === "always");
  if (waits !== undefined) {
    const given = !isYes ? "no" : answer.option === "always" ? "always" : "once";
    draft.fleeting.push({ kind: "leaveGiven", call: waits.call, given });
    // The runtime hears it by itself; only what holds from now on is kept.
    if (given !== "always") return undefined;
  }
  if (isYes && answer.by !== undefined) {
    const once = answer.option === "approve";
    const { grants = [], granted = 0 } = draft.state;
    const grant: Grant = { id: `g${granted + 1}`, agent, tool, about, once, by: answer.by, ts: draft.now };
    draft.set({ grants: [...grants, grant].slice(-grantsKept), granted: granted + 1 });
    if (waits !== undefined) return undefined;
    return `${answer.by} allows it${once ? " this once" : " from now on"}: \`${tool}\` with \`${shortened(about)}\`. Do it now.`;
  }
  const why = answer.why === "" ? "" : ` ${answer.why}`;
  const who = answer.by === undefined ? "Nobody answered in time" : `${answer.by} said no`;
  return `${who}: \`${tool}\` with \`${shortened(about)}\` is not done.${why} Find another way, or say that you are blocked.`;
}

export function dropGrant(draft: Draft, id: string): Grant | undefined {
  const grant = draft.state.grants?.find((one) => one.id === id);
  if (grant !== undefined) draft.set({ grants: (draft.state.grants ?? []).filter((one) => one.id !== id) });
  return grant;
}

/** The name under which rules speak of what runtimes ask for by themselves (ACP's session/request_permission). */
export const runtimeTool = "permission";

/** A runtime with tools of its own asks whether it may. Its turn waits, so the question ends with the turn. */
export function leaveWanted(draft: Draft, input: Extract<OwnInput, { kind: "leaveWanted" }>): void {
  const session = sessionOfTurn(draft, input.session, input.turn);
  const member = session && memberById(draft.world, session.agent);
  if (session === undefined || member === undefined) {
    draft.reply = "deny";
    return;
  }
  const { call, title, turn } = input;
  const wanted = { session: input.session, call, tool: runtimeTool, about: title };
  const rule = draft.world.policy.find((one) => ruleFits(one, { member, tool: runtimeTool, about: title }));
  const decision = judgeUse(draft, { member, tool: runtimeTool, about: title });
  // Whoever asks by itself is asked about, unless a rule or a person has said otherwise.
  const verdict = rule === undefined && decision.grant === undefined ? "ask" : decision.do;
  const facts = {
    what: runtimeTool,
    by: member.id,
    detail: title,
    because: decision.because,
    call,
    ...subtaskOf(draft, wanted),
  };
  if (verdict === "deny") {
    draft.audit({ kind: "refusal", ...facts });
    draft.reply = "deny";
    return;
  }
  if (verdict === "allow") {
    draft.audit({ kind: "tool", ...facts });
    draft.reply = "allow";
    return;
  }
  draft.reply = leaveAsked;
  const open = (draft.state.asks ?? []).find(
    ({ matter }) =>
      matter.kind === "permission" &&
      matter.waits?.turn === turn &&
      matter.tool === runtimeTool &&
      matter.about === title,
  );
  if (open === undefined) {
    askFor(draft, wanted, member, { turn, call });
    return;
  }
  // The turn runs again after a crash: the answer goes to who waits now.
  const asks = (draft.state.asks ?? []).map((one) =>
    one === open && one.matter.kind === "permission"
      ? { ...one, matter: { ...one.matter, waits: { turn, call } } }
      : one,
  );
  draft.set({ asks });
}

/** A turn is over: nobody waits any more for what it asked. */
export function leaveNotNeeded(draft: Draft, turn: TurnId): void {
  for (const { id, matter } of draft.state.asks ?? [])
    if (matter.kind === "permission" && matter.waits?.turn === turn)
      withdraw(draft, id, "The turn that asked is over.");
}

function shortened(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

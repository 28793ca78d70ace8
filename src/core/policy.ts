/**
 * What the config and people say of agents' tools: allow, ask a person, or deny, by agent, role, tool and what it is about.
 * The first rule that fits decides; what a person let in, in this room, comes before it, except where it denies.
 * `permits.ts` asks people.
 */
import type { Draft } from "./draft.ts";
import type { AgentId, UserId } from "./ids.ts";
import type { CrewMember, World } from "./world.ts";

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
  /** The part of the config that it comes from, where that is not `policy`. */
  readonly from?: string;
}

/** The name under which rules speak of hosts that commands reach, each as `name:port`. */
export const networkTool = "network";
/** The name under which rules speak of what runtimes ask for by themselves (ACP's session/request_permission). */
export const runtimeTool = "permission";

/** What holds where nobody has said anything. */
const unruled: Readonly<Record<string, PolicyVerdict>> = { [networkTool]: "deny", [runtimeTool]: "ask" };

/** What a person let in. */
export interface Grant {
  /** Short, for `!crew revoke <id>`: `g1`, `g2`, … in its room. */
  readonly id: string;
  readonly agent: AgentId;
  readonly tool: string;
  /** Exactly this. */
  readonly about: string;
  /** {@link Use.exact} of what the person was shown. Without: whatever it is. */
  readonly exact?: string;
  readonly once: boolean;
  readonly by: UserId;
  readonly ts: number;
}

export interface Use {
  readonly member: CrewMember;
  readonly tool: string;
  readonly about: string;
  /** A digest of all else that it does, where {@link about} does not say everything: the content that is written. */
  readonly exact?: string;
}

/** Whether a text is what a pattern with `*` means. Everything else in it stands for itself. */
export function fits(pattern: string | undefined, text: string): boolean {
  return pattern === undefined || starsIn(pattern, text) !== undefined;
}

/** What each `*` of a pattern stands for in a text that it fits. */
function starsIn(pattern: string, text: string): readonly string[] | undefined {
  // By hand: a regular expression made of `*a*a*a*…` takes for ever on a hostile text.
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return text === pattern ? [] : undefined;
  const last = rest.pop() ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return undefined;
  const stars: string[] = [];
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return undefined;
    stars.push(text.slice(at, found));
    at = found + piece.length;
  }
  return [...stars, text.slice(at, end)];
}

/** By which a shell begins another command in one, reads or writes a file, or puts something in its place. */
const shellSigns = /[;&|<>$`()\n\r]/;

/**
 * What a rule says of commands that begin like this it says of no second one behind it: `npm test*` would else let in
 * `npm test; curl …`.
 */
function saysOf({ tool, about }: Pick<Use, "tool" | "about">, rule: PolicyRule): boolean {
  if (rule.about === undefined) return true;
  const stars = starsIn(rule.about, about);
  const isAnything = /^\*+$/.test(rule.about);
  if (stars === undefined || tool !== "run_command" || rule.do !== "allow" || isAnything) return stars !== undefined;
  return !stars.some((star) => shellSigns.test(star));
}

function ruleFits(rule: PolicyRule, { member, tool, about }: Use): boolean {
  return (
    (rule.agent === undefined || rule.agent === member.id) &&
    (rule.role === undefined || member.roles.includes(rule.role)) &&
    speaksOf(rule, tool) &&
    saysOf({ tool, about }, rule)
  );
}

/** A way out is opened only by a rule that names it, never by one about all tools. */
function speaksOf(rule: PolicyRule, tool: string): boolean {
  return tool === networkTool && rule.do !== "deny" ? rule.tool === networkTool : fits(rule.tool, tool);
}

/** Whether the config has a rule that may speak of a tool. */
export function hasRuleFor({ policy }: Pick<World, "policy">, tool: string): boolean {
  return policy.some((rule) => fits(rule.tool, tool));
}

/** Whether commands can reach anything, if only when a person says so. */
export function hasWayOut(policy: readonly PolicyRule[]): boolean {
  return policy.some((rule) => rule.do !== "deny" && speaksOf(rule, networkTool));
}

export interface PolicyDecision {
  readonly do: PolicyVerdict;
  /** What decided, for the audit and for people: `policy 3`, `sandbox.network`, `grant g1`, `default`. */
  readonly because: string;
  readonly grant?: Grant;
}

/** What the config and this room's people say of a use. */
export function judgeUse(draft: Pick<Draft, "world" | "state" | "now">, use: Use): PolicyDecision {
  const { world } = draft;
  const index = world.policy.findIndex((rule) => ruleFits(rule, use));
  const rule = world.policy[index];
  const because = rule === undefined ? "default" : (rule.from ?? `policy ${index + 1}`);
  const verdict = rule?.do ?? unruled[use.tool] ?? "allow";
  // Also where no rule asks any more: what people were asked under one does not outlive it.
  if (verdict === "deny") return { do: "deny", because };
  const grant = grantsNow(draft).find((one) => lets(one, use));
  if (grant !== undefined) return { do: "allow", because: `grant ${grant.id}`, grant };
  return { do: verdict, because };
}

function lets({ agent, tool, about, exact }: Grant, use: Use): boolean {
  const isThis = agent === use.member.id && tool === use.tool && about === use.about;
  return isThis && (exact === undefined || exact === use.exact);
}

/** Leave for once is for what waits for it now: after the time that a question waits it is over. */
export function grantsNow({ world, state, now }: Pick<Draft, "world" | "state" | "now">): readonly Grant[] {
  const since = now - world.tasks.ask_hours * 3_600_000;
  return (state.grants ?? []).filter(({ once, ts }) => !once || ts > since);
}

/** More are not kept for one room; the oldest go first. */
const grantsKept = 200;

export function addGrant(draft: Draft, given: Omit<Grant, "id" | "ts">): void {
  const { granted = 0 } = draft.state;
  const grant: Grant = { ...given, id: `g${granted + 1}`, ts: draft.now };
  draft.set({ grants: [...grantsNow(draft), grant].slice(-grantsKept), granted: granted + 1 });
}

/** An agent was removed: what it was to do once is not waited for any more. What was let in for always stays. */
export function dropOnceOf(draft: Draft, agent: AgentId): void {
  const { grants = [] } = draft.state;
  const kept = grants.filter((grant) => !grant.once || grant.agent !== agent);
  if (kept.length < grants.length) draft.set({ grants: kept });
}

export function dropGrant(draft: Draft, id: string): Grant | undefined {
  const grant = draft.state.grants?.find((one) => one.id === id);
  if (grant !== undefined) draft.set({ grants: (draft.state.grants ?? []).filter((one) => one.id !== id) });
  return grant;
}

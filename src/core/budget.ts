/**
 * What turns cost: tokens, and money where a model has a price. Every call of a model is counted in the lane of its room,
 * with the day's sums of that room; the sums over all rooms are the roster's. Money is in whole millionths of a dollar.
 *
 *   within ──80 %──▶ a note ──100 %──▶ held: no turn begins ──a person, or 00:00 UTC──▶ within
 *                                        └─150 %, in a turn that still runs─▶ that turn is stopped
 *
 * This is the limit of an agent, and of the whole crew, for a day. That of a task is in `tasks/budget.ts`.
 */
import { type Answer, ask, type AskMatter, eventOf } from "./asks.ts";
import type { Draft } from "./draft.ts";
import type { AgentId, EffectId } from "./ids.ts";
import type { OwnInput } from "./input.ts";
import {
  amounts,
  type Extra,
  type Limits,
  type ModelUsage,
  nextExtra,
  noExtra,
  nothing,
  plus,
  raisedBy,
  shareOf,
  type Spent,
  spentOn,
  sumOf,
  usd,
  usedText,
} from "./spent.ts";
import { memberById, type World } from "./world.ts";

/** From here on a limit is told, holds what would begin, and stops what runs. In percent. */
export const shares = { told: 80, held: 100, stopped: 150 } as const;

/** Whose limit: an agent's for the day, or everybody's. */
export type DayScope = AgentId | typeof everybody;
export const everybody = "*";

/** What a room's record keeps of the day in which something was used here last. */
export interface RoomSpending {
  /** Whole days since 1970, UTC. */
  readonly day: number;
  readonly agents: Readonly<Record<AgentId, Spent>>;
  /** What people added to limits for that day. Only in HQ. */
  readonly raised: Readonly<Record<string, Extra>>;
  /** What was told or asked here that day. */
  readonly told: readonly string[];
  /** Turns are held back here until then, in milliseconds since the epoch. */
  readonly heldUntil?: number;
}

const dayMs = 86_400_000;

export function dayOf(ts: number): number {
  return Math.floor(ts / dayMs);
}

/** The room's sums of today: none where the last ones are of another day. */
export function today({ state, now }: Pick<Draft, "state" | "now">): RoomSpending {
  const day = dayOf(now);
  const { spending } = state;
  if (spending?.day === day) return spending;
  const { heldUntil } = spending ?? {};
  return { day, agents: {}, raised: {}, told: [], ...(heldUntil === undefined ? {} : { heldUntil }) };
}

type Looking = Pick<Draft, "world" | "state" | "now">;

/** What an agent (or everybody) used today, in all rooms. */
export function spentToday(draft: Looking, scope: DayScope): Spent {
  const { day, agents } = today(draft);
  const here = scope === everybody ? sumOf(agents) : (agents[scope] ?? nothing);
  return plus(here, draft.world.roster.spentElsewhere(draft.state.room, day, scope));
}

/** A limit of today, with what people have added to it. */
export function limitToday(draft: Looking, scope: DayScope): Limits {
  const { day, raised } = today(draft);
  const elsewhere = draft.world.roster.raisedElsewhere(draft.state.room, day, scope);
  return raisedBy(raisedBy(ofConfig(draft, scope), elsewhere), raised[scope] ?? noExtra);
}

function ofConfig({ world }: Pick<Draft, "world">, scope: DayScope): Limits {
  return scope === everybody ? world.budgets.day : world.budgets.agent_day;
}

/** What a person's yes adds. */
function extraToday(draft: Looking, scope: DayScope): Extra {
  return nextExtra(spentToday(draft, scope), ofConfig(draft, scope), limitToday(draft, scope));
}

/** Counts what a turn used. `ending`: key of the session whose turn is over, so that nothing of it is left to stop. */
export function countUsage(draft: Draft, agent: AgentId, usage: readonly ModelUsage[], ending?: string): void {
  const { budgets } = draft.world;
  const spent = spentOn(budgets.prices, usage);
  if (spent.tokens === 0 && spent.microusd === 0) return;
  const before = new Map([agent, everybody].map((scope) => [scope, spentToday(draft, scope as DayScope)]));
  const now = today(draft);
  const agents = { ...now.agents, [agent]: plus(now.agents[agent] ?? nothing, spent) };
  draft.set({ spending: { ...now, agents } });
  countRate(draft, spent);
  const { task } = draft.state;
  if (task !== undefined) {
    // The version stays: nobody acts on these figures, and an agent's plan must not count as outdated for them.
    const sums = { ...task.spent, [agent]: plus(task.spent[agent] ?? nothing, spent) };
    draft.set({ task: { ...task, spent: sums } });
  }
  for (const scope of [agent, everybody] as const)
    crossed(draft, scope, shareOf(before.get(scope) ?? nothing, limitToday(draft, scope)), ending);
}

/** A share of a limit was reached: the room whose turn reached it tells, and nobody else. */
function crossed(draft: Draft, scope: DayScope, before: number, ending: string | undefined): void {
  const limit = limitToday(draft, scope);
  const share = shareOf(spentToday(draft, scope), limit);
  const reaches = (percent: number): boolean => before < percent && share >= percent;
  if (reaches(shares.held)) {
    askHeadquarters(draft, scope);
    tellHeld(draft, scope);
  } else if (reaches(shares.told)) {
    const told = `${dayWords(draft, scope)} (${share} %).`;
    draft.notice(dayId(draft, scope, `note:${amounts(limit)}`), `🪙 ${told}`);
    draft.audit({ kind: "budget", what: "note", by: draft.world.bot, detail: told, ...about(scope) });
  }
  if (share < shares.stopped) return;
  const reason = `${dayWords(draft, scope)}, which is more than half above the limit`;
  stopRunning(draft, reason, ending, scope === everybody ? undefined : scope);
}

/** Stops turns that run here, as a person's 🛑 does. */
export function stopRunning(draft: Draft, reason: string, ending?: string, only?: AgentId): void {
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    const { running, agent } = session;
    if (running === undefined || running.stoppedBy !== undefined || key === ending) continue;
    if (only !== undefined && agent !== only) continue;
    const stopped = { ...session, running: { ...running, stoppedBy: draft.world.bot, stoppedFor: reason } };
    draft.set({ sessions: { ...draft.state.sessions, [key]: stopped } });
    draft.fleeting.push({ kind: "abort", turn: running.id });
    draft.audit({ kind: "budget", what: "stop", by: draft.world.bot, agent, detail: reason });
  }
}

/** The limit for a day that is used up for an agent, if one is. */
function reached(draft: Looking, agent: AgentId): DayScope | undefined {
  return [agent, everybody as typeof everybody].find(
    (scope) => shareOf(spentToday(draft, scope), limitToday(draft, scope)) >= shares.held,
  );
}

/** Whether an agent has used up a limit of today. */
export function isHeld(draft: Looking, agent: AgentId): boolean {
  return reached(draft, agent) !== undefined;
}

/** Whether a turn of an agent must wait because a limit is used up. Then the room is told, once. */
export function heldBack(draft: Draft, agent: AgentId): boolean {
  if (isUsedUp(draft)) return true;
  const scope = reached(draft, agent);
  if (scope === undefined) return false;
  const now = today(draft);
  const heldUntil = (now.day + 1) * dayMs;
  if (now.heldUntil !== heldUntil) draft.set({ spending: { ...now, heldUntil } });
  askHeadquarters(draft, scope);
  tellHeld(draft, scope);
  return true;
}

/** What a task may use: what people gave it, else what the config gives to every task. */
export function taskLimits({ world, state }: Pick<Draft, "world" | "state">): Limits {
  return state.task?.budget?.now ?? world.budgets.task;
}

/** Whether the open task of this room has used up its budget. */
export function isUsedUp(draft: Draft): boolean {
  const { task } = draft.state;
  if (task === undefined || task.finished !== undefined || task.cancelled !== undefined) return false;
  return shareOf(sumOf(task.spent), taskLimits(draft)) >= shares.held;
}

/**
 * It is another day, or a person let a limit go on: turns that were held back begin, by way of `begin`.
 */
export function letGo(draft: Draft, begin: (key: string) => void): void {
  if (draft.state.spending?.heldUntil === undefined) return;
  for (const key of Object.keys(draft.state.sessions)) begin(key);
  const { spending } = draft.state;
  const waits = Object.values(draft.state.sessions).some(
    ({ running, queue, agent }) =>
      running === undefined && queue.some(({ quiet }) => quiet !== true) && isHeld(draft, agent),
  );
  if (waits || spending === undefined) return;
  const { heldUntil: _over, ...rest } = spending;
  draft.set({ spending: rest });
}

function tellOnce(draft: Draft, mark: string): boolean {
  const now = today(draft);
  if (now.told.includes(mark)) return false;
  draft.set({ spending: { ...now, told: [...now.told, mark] } });
  return true;
}

function tellHeld(draft: Draft, scope: DayScope): void {
  const limit = amounts(limitToday(draft, scope));
  if (!tellOnce(draft, `held:${scope}:${limit}`)) return;
  const who = scope === everybody ? "nobody begins a turn" : `${nameOf(draft.world, scope)} begins no turn`;
  const text = `${dayWords(draft, scope)}, so ${who} until 00:00 UTC, or until a person lets it go on (HQ is asked). What is said meanwhile waits.`;
  draft.notice(dayId(draft, scope, `held:${limit}`), `🪙 ${text}`);
  draft.audit({ kind: "budget", what: "pause", by: draft.world.bot, detail: text, ...about(scope) });
}

/** Every room asks once for each limit; HQ shows the first of the same question. */
function askHeadquarters(draft: Draft, scope: DayScope): void {
  const limit = amounts(limitToday(draft, scope));
  if (!tellOnce(draft, `asked:${scope}:${limit}`)) return;
  const { day } = today(draft);
  const text = `${dayWords(draft, scope)}.`;
  const id = dayId(draft, scope, `ask:${limit}`) as EffectId;
  draft.emit({ kind: "announce", id, text, budget: { scope, day, limit } });
}

type Announced = Extract<OwnInput, { kind: "announce" }>;

/** HQ hears that a limit for the day is used up, and asks. */
export function askedForDay(draft: Draft, { text, budget }: Announced): void {
  const now = today(draft);
  // The day may be over before HQ hears of it; and of several rooms that ask, the first is enough.
  if (budget === undefined || budget.day !== now.day) return;
  const { scope, limit } = budget;
  if (amounts(limitToday(draft, scope)) !== limit || !tellOnce(draft, `question:${scope}:${limit}`)) return;
  const more = amounts(raisedBy(limitToday(draft, scope), extraToday(draft, scope)));
  ask(draft, {
    matter: { kind: "budget", scope, day: budget.day },
    text: `🪙 **The budget of today is used up:** ${text} Go on, up to ${more} for today?`,
    timeout: "deny",
    hours: ((now.day + 1) * dayMs - draft.now) / 3_600_000,
  });
}

/** A person said whether a limit for a day goes on. Other rooms learn it from the roster. */
export function dayJudged(draft: Draft, matter: Extract<AskMatter, { kind: "budget" }>, answer: Answer): void {
  const { scope, day } = matter;
  const now = today(draft);
  if (scope === undefined) return;
  const isYes = answer.option === "approve" && answer.by !== undefined;
  const what = isYes ? "approve" : "deny";
  const detail = `${scope === everybody ? "everybody" : scope} for today${answer.why === "" ? "" : `: ${answer.why}`}`;
  draft.audit({ kind: "budget", what, by: answer.by ?? draft.world.bot, detail, ...about(scope), ...eventOf(answer) });
  if (!isYes || day !== now.day) return;
  const [before = noExtra, more] = [now.raised[scope], extraToday(draft, scope)];
  const extra = { tokens: before.tokens + more.tokens, microusd: before.microusd + more.microusd };
  draft.set({ spending: { ...now, raised: { ...now.raised, [scope]: extra } } });
}

// Cost rate

/** Money of one stretch of the breaker's window. */
export interface Cost {
  readonly ts: number;
  readonly microusd: number;
}

/** So many stretches has the window: the record keeps no more entries than that. */
const stretches = 20;

function countRate(draft: Draft, { microusd }: Spent): void {
  const { breaker } = draft.state;
  if (draft.world.budgets.rate_microusd_per_hour === undefined || microusd === 0) return;
  const windowMs = draft.world.limits.breaker_window_seconds * 1_000;
  const kept = (breaker.costs ?? []).filter(({ ts }) => ts > draft.now - windowMs);
  const last = kept.at(-1);
  const joins = last !== undefined && draft.now - last.ts < windowMs / stretches;
  const costs =
    last !== undefined && joins
      ? [...kept.slice(0, -1), { ts: last.ts, microusd: last.microusd + microusd }]
      : [...kept, { ts: draft.now, microusd }];
  draft.set({ breaker: { ...breaker, costs } });
}

/** Why the room costs too much for its time, in words; `undefined` while it does not. */
export function rateExceeded({ state, world, now }: Pick<Draft, "state" | "world" | "now">): string | undefined {
  const limit = world.budgets.rate_microusd_per_hour;
  if (limit === undefined) return undefined;
  const seconds = world.limits.breaker_window_seconds;
  const recent = (state.breaker.costs ?? []).filter(({ ts }) => ts > now - seconds * 1_000);
  const microusd = recent.reduce((sum, cost) => sum + cost.microusd, 0);
  if (microusd * 3_600 <= limit * seconds) return undefined;
  const within = `within ${Math.max(1, Math.round(seconds / 60))} min`;
  return `turns here cost ${usd(microusd)} ${within}, which is more than ${usd(limit)} an hour`;
}

function dayWords(draft: Looking, scope: DayScope): string {
  const who = scope === everybody ? "The crew" : nameOf(draft.world, scope);
  return `${who} used ${usedText(spentToday(draft, scope), limitToday(draft, scope))} today`;
}

function nameOf(world: World, agent: AgentId): string {
  return memberById(world, agent)?.name ?? agent;
}

function about(scope: DayScope): { readonly agent?: AgentId } {
  return scope === everybody ? {} : { agent: scope };
}

function dayId(draft: Draft, scope: DayScope, what: string): string {
  return `${draft.state.room}:budget:${today(draft).day}:${scope}:${what}`;
}

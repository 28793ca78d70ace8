/**
 * A task's budget: what its agents may use together.
 *
 *   within ──80 %──▶ a note ──100 %──▶ no turn begins ──those that run are over──▶ paused ──a person──▶ within
 *                                        └─150 %──▶ those that run are stopped
 */
import { type Answer, ask, type Ask, eventOf, withdraw } from "../asks.ts";
import { shares, stopRunning, taskLimits } from "../budget.ts";
import { amounts, type Limits, nextExtra, raisedBy, shareOf, sumOf, usedText } from "../spent.ts";
import type { Draft } from "../draft.ts";
import type { Message } from "../input.ts";
import { beginAll } from "../turns.ts";
import { code } from "../verbatim.ts";
import { askForPlan } from "./advance.ts";
import { isClosed, taskStateOf } from "./derive.ts";
import { clearTask, patrolled, putTask } from "./ledger.ts";
import { isPausedByPerson, pauseTask } from "./rest.ts";
import type { Task } from "./task.ts";

/** After every change: how much of the budget is used? */
export function budget(draft: Draft): void {
  const { task } = draft.state;
  if (task === undefined || isClosed(task) || task.paused !== undefined) return;
  const limits = taskLimits(draft);
  const share = shareOf(sumOf(task.spent), limits);
  if (share < shares.told) return;
  const used = `${usedText(sumOf(task.spent), limits)} are used (${share} %)`;
  if (share >= shares.held) usedUp(draft, share, used);
  else if (task.budgetTold < shares.told) tell(draft, shares.told, used);
}

/** @param share The one of {@link shares} that is told. */
function tell(draft: Draft, share: number, detail: string): void {
  putTask(draft, { budgetTold: share });
  patrolled(draft, { kind: "budget", severity: "warning", did: "told the room" });
  draft.notice(`${draft.state.room}:budget:${share}:${amounts(taskLimits(draft))}`, `🪙 ${detail}.`);
  draft.audit({ kind: "budget", what: "note", by: draft.world.bot, detail });
}

function usedUp(draft: Draft, share: number, used: string): void {
  if (share >= shares.stopped) stopRunning(draft, `${used}, which is more than half above the limit`);
  // A turn that runs may still hand in what it was paid for.
  const runs = Object.values(draft.state.sessions).some(({ running }) => running !== undefined);
  const { task } = draft.state;
  // All is done but a person's word, which costs nothing; one that is not enough makes it go on, and then it pauses.
  const isDone = task !== undefined && taskStateOf(task) === "approval" && task.denied === undefined;
  if (runs || isDone) {
    const what = isDone ? used : `${used}; it pauses when the turns that run are over`;
    if ((task?.budgetTold ?? 0) < shares.held) tell(draft, shares.held, what);
    return;
  }
  patrolled(draft, { kind: "budget", severity: "critical", did: "paused the task" });
  pauseTask(draft, used);
  draft.audit({ kind: "budget", what: "pause", by: draft.world.bot, detail: used });
  askForMore(draft, used);
}

function askForMore(draft: Draft, used: string): void {
  const { id } = ask(draft, {
    matter: { kind: "budget" },
    text: `🪙 **The budget is used up:** ${used}. Go on, up to ${amounts(enlarged(draft).now)}?`,
    timeout: "none",
  });
  putTask(draft, { budgetTold: shares.held, ask: id });
}

/** The task goes on in another room, or from the room's state: if it rests because its budget is used up, that is asked. */
export function askedForMore(draft: Draft): void {
  const { task } = draft.state;
  if (task?.paused === undefined || isPausedByPerson(task.paused)) return;
  const limits = taskLimits(draft);
  const share = shareOf(sumOf(task.spent), limits);
  if (share >= shares.held) askForMore(draft, `${usedText(sumOf(task.spent), limits)} are used (${share} %)`);
}

/** The open question whether the task goes on above its budget. */
export function openBudgetAsk({ state }: Pick<Draft, "state">): Ask | undefined {
  return (state.asks ?? []).find(({ matter }) => matter.kind === "budget" && matter.scope === undefined);
}

/** What the task may use when a person lets it go on. */
function enlarged({ world, state }: Draft): NonNullable<Task["budget"]> {
  const { each, now } = state.task?.budget ?? { each: world.budgets.task, now: world.budgets.task };
  return { each, now: raisedBy(now, nextExtra(sumOf(state.task?.spent ?? {}), each, now)) };
}

/** A person said whether the task goes on, or nobody did: then it stays paused. */
export function budgetJudged(draft: Draft, answer: Answer): void {
  clearTask(draft, "ask");
  const { task } = draft.state;
  const isYes = answer.by !== undefined && answer.option === "approve";
  const by = answer.by ?? draft.world.bot;
  draft.audit({ kind: "budget", what: isYes ? "approve" : "deny", by, detail: answer.why, ...eventOf(answer) });
  if (!isYes || task === undefined) return;
  goOn(draft, enlarged(draft));
}

function goOn(draft: Draft, next: NonNullable<Task["budget"]>): void {
  const share = shareOf(sumOf(draft.state.task?.spent ?? {}), next.now);
  putTask(draft, { budget: next, budgetTold: share < shares.told ? 0 : shares.told, lastAct: draft.now });
  clearTask(draft, "paused");
  const { task } = draft.state;
  if (task === undefined) return;
  beginAll(draft);
  if (!task.planned && task.proposal === undefined && task.ask === undefined)
    askForPlan(draft, "The task goes on. Make the plan with plan_task.");
}

type Wish = Pick<Message, "sender" | "event">;

/** A person sets one of the task's limits. Returns the answer. */
export function setBudget(draft: Draft, { sender: by, event }: Wish, limit: Limits): string {
  const { task } = draft.state;
  if (task === undefined || isClosed(task)) return "There is no open task here.";
  const { priced, unpriced } = modelsOf(draft);
  // The same in the config does not pass its check.
  if (limit.microusd !== undefined && priced.length === 0)
    return "Money is not counted here: no model of the crew has a price in the config. Set tokens, like `!crew budget 500000 tokens`.";
  const each = { ...taskLimits(draft), ...limit };
  draft.audit({ kind: "budget", what: "set", by, detail: amounts(each), event });
  const open = openBudgetAsk(draft);
  const isEnough = shareOf(sumOf(task.spent), each) < shares.held;
  if (open === undefined || !isEnough) {
    putTask(draft, { budget: { each, now: each }, budgetTold: 0 });
    if (isEnough) beginAll(draft);
  } else {
    withdraw(draft, open.id, `${by} set the budget to ${amounts(each)}.`);
    clearTask(draft, "ask");
    goOn(draft, { each, now: each });
  }
  const left = isEnough ? "" : " That is used up already.";
  const free = limit.microusd === undefined || unpriced.length === 0 ? "" : ` ${notCounted(unpriced)}`;
  return `The budget of this task is now ${amounts(each)}.${left}${free}`;
}

function notCounted(models: readonly string[]): string {
  return `What these models use is not in it, since they have no price: ${models.map((model) => code(model)).join(", ")}.`;
}

/** The models of the crew, with and without a price. */
function modelsOf({ world }: Pick<Draft, "world">): { readonly priced: string[]; readonly unpriced: string[] } {
  const models = [...new Set([...world.crew.values()].map(({ model }) => model))];
  const hasPrice = (model: string): boolean => Object.hasOwn(world.budgets.prices, model);
  return { priced: models.filter(hasPrice), unpriced: models.filter((model) => !hasPrice(model)) };
}

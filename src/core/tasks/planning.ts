/**
 * Plans: checked, approved where the policy says so, put in force, and changed while the work goes on.
 *
 *   planner's turn ──plan_task──▶ problems told ──3 times──▶ a person is asked
 *                        └──▶ proposal ──✅──▶ in force ──revise_plan──▶ proposal or in force
 *                                └──❌, or words──▶ the planner revises it
 */
import { ask, withdraw } from "../asks.ts";
import type { Draft } from "../draft.ts";
import { inOneLine } from "../verbatim.ts";
import { memberById, nameIn } from "../world.ts";
import type { Acting } from "./acting.ts";
import type { Action } from "./actions.ts";
import { endTurn, takeReview, tell, endTurnsOn } from "./give.ts";
import { clearTask, moveSubtask, putSubtask, putTask, without } from "./ledger.ts";
import { type PlanLimits, planProblems, revise, specOf } from "./plan.ts";
import { planList } from "./show.ts";
import type { Proposal, Subtask, SubtaskSpec, Task } from "./task.ts";
import { knownCapabilities } from "./team.ts";

/** Failed plans after which a person is asked. */
export const planTries = 3;

function limitsOf(draft: Draft): PlanLimits {
  return { max_subtasks: draft.world.tasks.max_subtasks, capabilities: knownCapabilities(draft) };
}

export function planned(draft: Draft, acting: Acting, action: Extract<Action, { kind: "plan" }>): string {
  const { task, input } = acting;
  const refusal = notPlanner(acting);
  if (refusal !== undefined) return refusal;
  if (task.planned || task.proposal !== undefined)
    return `Not done: there is a plan already${task.planned ? "" : ", which waits for a person"}. Change it with revise_plan.`;
  if (input.version !== undefined && input.version < task.version)
    return `Not done: you saw version ${input.version} of the task, and it is at ${task.version} now. Look with get_task.`;
  const problems = planProblems(action.subtasks, limitsOf(draft));
  if (problems.length > 0) return refused(draft, acting, problems);
  return propose(draft, acting, action.subtasks, [], "");
}

export function revised(draft: Draft, acting: Acting, action: Extract<Action, { kind: "revise" }>): string {
  const { task, input } = acting;
  const refusal = notPlanner(acting);
  if (refusal !== undefined) return refusal;
  if (
    !task.planned &&
    task.proposal === undefined &&
    task.planFailures === 0 &&
    Object.keys(task.subtasks).length === 0
  )
    return "Not done: there is no plan yet. Make one with plan_task.";
  if (input.version !== undefined && input.version < task.version)
    return `Not done: you saw version ${input.version} of the task, and it is at ${task.version} now. Look with get_task.`;
  if (action.subtasks.length === 0) return "Not done: list the subtasks that are to be added, changed or dropped.";
  const { specs, dropped, problems } = revise(task, action.subtasks, limitsOf(draft));
  if (problems.length > 0) return refused(draft, acting, problems);
  return propose(draft, acting, specs, dropped, action.reason);
}

function notPlanner({ task, member }: Acting): string | undefined {
  return task.planner === member.id
    ? undefined
    : `Not done: ${task.planner ?? "nobody"} plans this task. Tell them with send_message.`;
}

function refused(draft: Draft, { task }: Acting, problems: readonly string[]): string {
  const failures = task.planFailures + 1;
  putTask(draft, { planFailures: failures });
  const told = `Not done: ${problems.join("; ")}.`;
  if (failures < planTries) return told;
  planFailed(draft, failureText(task, problems));
  return `${told} That was the ${failures}. time, so a person was asked. End your turn.`;
}

/** The planner does not get on: a person is asked, once. */
export function planFailed(draft: Draft, text: string): void {
  const { task } = draft.state;
  if (task === undefined || task.ask !== undefined) return;
  const asked = ask(draft, {
    matter: { kind: "planner" },
    text,
    options: [
      { id: "retry", key: "🔁", label: "let it try again (say what it should do differently)" },
      { id: "cancel", key: "🗑️", label: "cancel the task" },
    ],
    timeout: "none",
  });
  putTask(draft, { ask: asked.id });
}

/** What is said of a planner that failed. */
export function failureText(task: Task, problems: readonly string[]): string {
  const list = problems.map((problem) => `\n- ${problem}`).join("");
  return `⚠️ **${task.planner ?? "The planner"} made no plan that can be carried out, ${planTries} times.**${list === "" ? "" : `\n${list}`}`;
}

function needsApproval(draft: Draft, specs: readonly SubtaskSpec[]): boolean {
  const policy = draft.world.tasks.plan_approval;
  if (policy === "always") return true;
  if (policy === "never") return false;
  return specs.length > policy.over;
}

function propose(
  draft: Draft,
  { member, task }: Acting,
  specs: readonly SubtaskSpec[],
  dropped: readonly string[],
  reason: string,
): string {
  if (task.proposal !== undefined) withdraw(draft, task.proposal.ask, "Replaced by a new plan below.");
  if (task.ask !== undefined) withdraw(draft, task.ask, "There is a plan now.");
  clearTask(draft, "proposal", "ask");
  putTask(draft, { planFailures: 0 });
  const proposal = { specs, dropped, reason, by: member.id };
  if (!needsApproval(draft, specs)) {
    draft.say(`${draft.state.room}:plan:${draft.state.task?.version ?? 0}`, {
      as: draft.world.bot,
      text: proposalText(draft, proposal),
      action: { kind: "plan", subtasks: specs.map(({ id }) => id), dropped },
    });
    putInForce(draft, specs, dropped);
    return "The plan is in force. End your turn; you are told when you are needed.";
  }
  askAboutPlan(draft, proposal);
  return "The plan waits for a person. End your turn; you are told what they say.";
}

function proposalText(draft: Draft, { specs, dropped, reason, by }: Omit<Proposal, "ask">): string {
  const name = nameIn(draft.world)(by);
  const title =
    draft.state.task?.planned === true
      ? `📋 **${name} changes the plan:** ${inOneLine(reason)}`
      : `📋 **${name}'s plan**`;
  const gone = dropped.length === 0 ? "" : `\n\nDropped: ${dropped.map((id) => `\`${id}\``).join(", ")}`;
  return `${title}\n\n${planList(specs)}${gone}`;
}

/** A plan waits for a person. */
export function askAboutPlan(draft: Draft, { specs, dropped, reason, by }: Omit<Proposal, "ask">): void {
  const proposal = { specs, dropped, reason, by };
  const asked = ask(draft, { matter: { kind: "plan" }, text: proposalText(draft, proposal), timeout: "deny" });
  putTask(draft, { proposal: { ...proposal, ask: asked.id } });
}

/** Takes a plan over: new subtasks are added, changed ones changed, dropped ones cancelled. */
export function putInForce(draft: Draft, specs: readonly SubtaskSpec[], dropped: readonly string[]): void {
  for (const id of dropped) cancelSubtask(draft, id);
  for (const spec of specs) {
    const { task } = draft.state;
    const old = task?.subtasks[spec.id];
    if (old === undefined) putSubtask(draft, newSubtask(draft, spec));
    else if (old.state !== "done" && old.state !== "cancelled") change(draft, old, spec);
  }
  clearTask(draft, "proposal", "denied");
  putTask(draft, { planned: true, planFailures: 0 });
}

function newSubtask(draft: Draft, spec: SubtaskSpec): Subtask {
  return {
    ...spec,
    state: "waiting",
    version: 0,
    epoch: 0,
    since: draft.now,
    rework: 0,
    reviews: [],
    tries: 0,
    reviewTries: 0,
    passed: [],
    reviewPassed: [],
    scores: [],
    checked: [],
  };
}

function change(draft: Draft, old: Subtask, spec: SubtaskSpec): void {
  if (JSON.stringify(specOf(old)) === JSON.stringify(spec)) return;
  const bare = { ...old };
  delete (bare as { capability?: string }).capability;
  delete (bare as { estimate_minutes?: number }).estimate_minutes;
  const changed = putSubtask(draft, { ...bare, ...spec });
  const told = `The plan has changed. \`${spec.id}\` is now: ${spec.title}\nDeliverable: ${spec.deliverable}\nAcceptance:\n${spec.acceptance.map((one, index) => `${index + 1}. ${one}`).join("\n")}`;
  const { lease, reviewLease } = changed;
  const worker = lease === undefined ? undefined : memberById(draft.world, lease.agent);
  if (worker !== undefined) tell(draft, worker, changed.thread, `${spec.id}:changed:${changed.version}`, told);
  if (reviewLease !== undefined) {
    // What was handed in was made for other criteria.
    endTurn(draft, reviewLease.agent, changed.thread);
    takeReview(draft, changed, "taken");
  }
  const now = draft.state.task?.subtasks[spec.id];
  if (now?.state === "review") {
    const review = {
      reviewer: draft.world.bot,
      submission: now.submission?.id ?? "",
      verdict: "reject" as const,
      score: 2,
      issues: ["The plan has changed since this was handed in: check it against the new criteria."],
      comment: "",
      ts: draft.now,
    };
    moveSubtask(draft, now, "reject", { reviews: [...now.reviews, review] });
  }
}

export function cancelSubtask(draft: Draft, id: string): void {
  const subtask = draft.state.task?.subtasks[id];
  if (subtask === undefined) return;
  endTurnsOn(draft, subtask);
  if (subtask.ask !== undefined) withdraw(draft, subtask.ask, "The subtask was dropped.");
  const now = draft.state.task?.subtasks[id];
  if (now !== undefined)
    moveSubtask(draft, without(now, "lease", "reviewLease", "ask", "assigned", "progress"), "cancel");
}

export function planOf(task: Task): readonly SubtaskSpec[] {
  return task.proposal?.specs ?? Object.values(task.subtasks).map(specOf);
}

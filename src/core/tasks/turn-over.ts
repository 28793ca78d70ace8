/** A turn has ended: was there a result? If not, its agent is prompted again, a few times, and then somebody else. */
import type { Draft } from "../draft.ts";
import { idFrom } from "../draft.ts";
import type { OwnInput } from "../input.ts";
import type { RunningTurn, Session } from "../room.ts";
import { askForPlan } from "./advance.ts";
import { isClosed, subtasksOf } from "./derive.ts";
import { blockFor, tellThread } from "./escalate.ts";
import { remind, takeReview, takeWork } from "./give.ts";
import { clearTask, patrolled, putTask, touchSubtask } from "./ledger.ts";
import { failureText, planFailed, planTries } from "./planning.ts";
import type { Lease, Subtask } from "./task.ts";

type Ended = Extract<OwnInput, { kind: "turnEnded" }>;

/** Turns without a result before the lease ends. */
export const lapseLimit = 3;
/** Wait before the next try after a turn that failed (a model that is overloaded, say), by number of failures. */
const failureWaits = [30_000, 120_000] as const;

/** @param session As it was while the turn ran. */
export function turnOver(draft: Draft, session: Session, running: RunningTurn, input: Ended): void {
  const { task } = draft.state;
  if (task === undefined) return;
  if (isClosed(task)) return;
  if (session.agent === task.planner && session.thread === undefined) plannerOver(draft, running, input);
  for (const { id } of subtasksOf(task)) {
    const subtask = draft.state.task?.subtasks[id];
    if (subtask === undefined || subtask.thread !== session.thread) continue;
    const { lease, reviewLease } = subtask;
    if (lease?.agent === session.agent) over(draft, subtask, lease, "work", session, running, input);
    else if (reviewLease?.agent === session.agent) over(draft, subtask, reviewLease, "review", session, running, input);
  }
}

function waitsForAnswer(draft: Draft, session: string): boolean {
  const of = draft.state.sessions[session];
  return (draft.state.asks ?? []).some(
    ({ matter, thread }) =>
      ((matter.kind === "question" || matter.kind === "permission") && matter.session === session) ||
      (matter.kind === "secret" && matter.agent === of?.agent && thread === of.thread),
  );
}

/** It heard more meanwhile, maybe what this is about (a rejection of what it has just handed in): its next turn counts. */
function goesOn(draft: Draft, key: string): boolean {
  const session = draft.state.sessions[key];
  return session?.running !== undefined || (session?.queue ?? []).some(({ quiet }) => quiet !== true);
}

function plannerOver(draft: Draft, running: RunningTurn, input: Ended): void {
  const { task } = draft.state;
  if (task === undefined || task.proposal !== undefined || task.ask !== undefined) return;
  // Who was stopped, or asked a question, is waited for by a person's own wish.
  const byPerson = running.stoppedBy !== undefined && running.stoppedFor === undefined;
  if (byPerson || waitsForAnswer(draft, input.session)) return;
  if (goesOn(draft, input.session)) return;
  // It added nothing to what was denied: the person is asked again, and can say more.
  if (task.denied !== undefined) clearTask(draft, "denied");
  if (task.planned) return;
  const failures = task.planFailures + 1;
  putTask(draft, { planFailures: failures });
  if (failures < planTries)
    askForPlan(draft, "There is no plan yet. Make one with plan_task, or ask a person with ask_human.");
  else planFailed(draft, failureText(task, []));
}

function over(
  draft: Draft,
  subtask: Subtask,
  lease: Lease,
  part: "work" | "review",
  session: Session,
  running: RunningTurn,
  input: Ended,
): void {
  const { outcome } = input;
  const take = part === "work" ? takeWork : takeReview;
  if (running.stoppedFor !== undefined) {
    // Nobody's fault: who has budget left may take it.
    take(draft, subtask, "taken");
    return;
  }
  if (running.stoppedBy !== undefined) {
    if (part === "work")
      blockFor(draft, subtask, `stopped by ${running.stoppedBy}; \`!crew unblock ${subtask.id}\` lets it go on`);
    else takeReview(draft, subtask, "released");
    return;
  }
  if (waitsForAnswer(draft, input.session)) return;
  if (goesOn(draft, input.session)) return;
  const said = [...lease.said, idFrom(outcome.text.trim())].slice(-draft.world.patrol.identical_answers);
  const lapsed: Lease = { ...lease, lapses: lease.lapses + 1, said };
  const circles =
    outcome.text.trim() !== "" && said.length >= draft.world.patrol.identical_answers && new Set(said).size === 1;
  const agent = session.agent;
  if (circles || lapsed.lapses >= lapseLimit) {
    const kind = circles ? "identical" : "no_result";
    const what = circles
      ? `${agent} gave the same answer ${said.length} times`
      : `${lapsed.lapses} turns of ${agent} ended without a result`;
    patrolled(draft, { kind, severity: "warning", subtask: subtask.id, agent, did: `${what}; offered to others` });
    tellThread(draft, subtask, `${kind}:${lease.epoch}`, `${what}, so \`${subtask.id}\` is offered to others.`);
    take(draft, subtask, "expired");
    return;
  }
  const wait = outcome.kind === "failed" ? failureWaits[Math.min(lease.lapses, failureWaits.length - 1)] : undefined;
  const next = wait === undefined ? lapsed : { ...lapsed, retryAt: draft.now + wait };
  touchSubtask(draft, part === "work" ? { ...subtask, lease: next } : { ...subtask, reviewLease: next });
  const now = draft.state.task?.subtasks[subtask.id];
  if (wait === undefined && now !== undefined) remind(draft, now, next, part);
}

/** The holder in this session shows life: its lease begins anew. */
export function renew(draft: Draft, session: Session): void {
  const { task } = draft.state;
  if (task === undefined) return;
  const { lease_seconds: work, review_lease_seconds: review } = draft.world.tasks;
  for (const subtask of subtasksOf(task)) {
    const { lease, reviewLease } = subtask;
    if (subtask.thread !== session.thread) continue;
    if (lease?.agent === session.agent)
      touchSubtask(draft, { ...subtask, lease: { ...lease, until: draft.now + work * 1_000 } });
    if (reviewLease?.agent === session.agent)
      touchSubtask(draft, { ...subtask, reviewLease: { ...reviewLease, until: draft.now + review * 1_000 } });
  }
}

/**
 * What goes on by itself in a task, after every input: ready work is given out, what was handed in gets a reviewer, and
 * what has changed is shown. Done again it changes nothing.
 */
import { ask, withdraw } from "../asks.ts";
import type { Draft } from "../draft.ts";
import type { AgentId, UserId } from "../ids.ts";
import { quoted } from "../verbatim.ts";
import { memberById, nameIn } from "../world.ts";
import { isClosed, isUnlocked, progressOf, subtasksOf, taskStateOf } from "./derive.ts";
import { askAboutSubtask, blockFor } from "./escalate.ts";
import { filesJob, filesOf } from "./files.ts";
import { endTurn, giveReview, giveWork, takeReview, takeWork, tell, endTurnsOn } from "./give.ts";
import { clearTask, moveSubtask, patrolled, putTask, without } from "./ledger.ts";
import { mirror } from "./mirror.ts";
import { planFailed } from "./planning.ts";
import { planPrompt } from "./prompts.ts";
import { bestPlanner, bestReviewer, bestWorker, membersWith, reviewersFor, workersFor, plannerOf } from "./team.ts";

export function advance(draft: Draft): void {
  const { task } = draft.state;
  if (task === undefined || draft.state.replacedBy !== undefined) return;
  if (!isClosed(task)) {
    if (task.paused === undefined && draft.state.lock === undefined) goOn(draft);
    if (draft.state.lock === undefined) finish(draft);
  }
  mirror(draft);
}

function goOn(draft: Draft): void {
  plan(draft);
  for (const id of Object.keys(draft.state.task?.subtasks ?? {})) {
    unlock(draft, id);
    dropLost(draft, id);
    offer(draft, id);
    review(draft, id);
  }
}

/** A task has a planner from the start; one that was removed is replaced. Without any, a person must know. */
function plan(draft: Draft): void {
  const { task } = draft.state;
  if (task === undefined) return;
  const now = plannerOf(draft);
  const place = now === undefined ? undefined : draft.state.seats[now.user]?.place;
  if (now !== undefined && place !== "banned" && place !== "left") return;
  const planner = bestPlanner(draft);
  if (planner !== undefined) {
    putTask(draft, { planner: planner.id });
    if (!task.planned && task.proposal === undefined) askForPlan(draft);
    return;
  }
  if (task.planner !== undefined) clearTask(draft, "planner");
  // What it was to add to the result it will not add now.
  if (task.denied !== undefined) clearTask(draft, "denied");
  if (!task.planned && task.proposal === undefined)
    planFailed(draft, "🟡 **Nobody plans this task:** no planner may work in this room. Invite one, then try again.");
}

/** @param again What to say instead of the whole task, to a planner who knows it. */
export function askForPlan(draft: Draft, again?: string): void {
  const { task } = draft.state;
  const planner = plannerOf(draft);
  if (task === undefined || planner === undefined) return;
  tell(draft, planner, undefined, `plan:${task.version}`, planPrompt(task, again));
}

function unlock(draft: Draft, id: string): void {
  const { task } = draft.state;
  const subtask = task?.subtasks[id];
  if (task === undefined || subtask === undefined) return;
  if (subtask.state === "waiting" && isUnlocked(task, subtask)) moveSubtask(draft, subtask, "unlock");
  if (subtask.state === "ready" && !isUnlocked(task, subtask)) moveSubtask(draft, subtask, "lock");
}

/** Somebody who is no longer in the crew cannot go on. */
function dropLost(draft: Draft, id: string): void {
  const subtask = draft.state.task?.subtasks[id];
  if (subtask === undefined) return;
  const lost = (agent: Parameters<typeof memberById>[1] | undefined): boolean =>
    agent !== undefined && memberById(draft.world, agent) === undefined;
  if (lost(subtask.lease?.agent)) {
    takeWork(draft, subtask, "taken");
    patrolled(draft, {
      kind: "agent_gone",
      severity: "warning",
      subtask: id,
      did: "its worker is no longer in the crew; offered again",
    });
  } else if (lost(subtask.reviewLease?.agent)) {
    takeReview(draft, subtask, "taken");
    patrolled(draft, {
      kind: "agent_gone",
      severity: "warning",
      subtask: id,
      did: "its reviewer is no longer in the crew; another is asked",
    });
  }
}

function offer(draft: Draft, id: string): void {
  const subtask = draft.state.task?.subtasks[id];
  if (subtask === undefined || subtask.thread === undefined || subtask.ask !== undefined) return;
  if (subtask.state !== "ready" && subtask.state !== "rework") return;
  if (subtask.tries >= draft.world.tasks.max_tries) {
    blockFor(draft, subtask, `${subtask.tries} leases ended without a result`);
    const now = draft.state.task?.subtasks[id];
    if (now !== undefined)
      askAboutSubtask(
        draft,
        now,
        "blocked",
        `🚧 **\`${id}\` does not get done:** ${subtask.tries} leases ended without a result.`,
      );
    return;
  }
  const able = workersFor(draft, subtask);
  if (able.length === 0) {
    const what = subtask.capability === undefined ? "" : ` with the capability “${subtask.capability}”`;
    askAboutSubtask(
      draft,
      subtask,
      "worker",
      `🟡 **Nobody of the crew can do \`${id}\`:** there is no executor${what} who may work in this room.`,
    );
    return;
  }
  if (draft.world.tasks.dispatch === "claim" && subtask.assigned === undefined && subtask.state === "ready") return;
  const worker = bestWorker(draft, subtask);
  if (worker !== undefined) giveWork(draft, subtask, worker);
}

function review(draft: Draft, id: string): void {
  const subtask = draft.state.task?.subtasks[id];
  if (subtask?.state !== "review" || subtask.reviewLease !== undefined || subtask.ask !== undefined) return;
  if (subtask.merging !== undefined) return;
  const able = reviewersFor(draft, subtask);
  if (able.length === 0 || subtask.reviewTries >= draft.world.tasks.max_tries) {
    const why = able.length === 0 ? "no other agent may review it" : `${subtask.reviewTries} reviews came to no end`;
    askAboutSubtask(
      draft,
      subtask,
      "reviewer",
      `🔍 **\`${id}\` needs your review:** ${why}.\n\nHanded in by ${subtask.submission?.by ?? "?"}:\n\n${quoted(subtask.submission?.summary ?? "")}`,
    );
    return;
  }
  const reviewer = bestReviewer(draft, subtask);
  if (reviewer !== undefined) giveReview(draft, subtask, reviewer);
}

/** All is done: a person has the last word, unless the policy says otherwise. */
function finish(draft: Draft): void {
  const { task } = draft.state;
  if (task === undefined) return;
  if (taskStateOf(task) !== "approval") {
    if (task.finalAsk !== undefined && task.paused === undefined) {
      withdraw(draft, task.finalAsk, "There is more to do first.");
      clearTask(draft, "finalAsk");
    }
    return;
  }
  const nobodyAsked = task.finalAsk === undefined && task.proposal === undefined && task.denied === undefined;
  if (nobodyAsked) handOver(draft);
  if (draft.world.tasks.final_approval === "none") {
    close(draft, draft.world.bot);
    return;
  }
  if (!nobodyAsked) return;
  const delivered = subtasksOf(task)
    .filter(({ state }) => state === "done")
    .map(({ id, submission, reviews }) => {
      const last = reviews.at(-1);
      const nameOf = nameIn(draft.world);
      const by =
        last === undefined || last.reviewer.startsWith("@") ? last?.reviewer : nameOf(last.reviewer as AgentId);
      const judged = last === undefined ? "" : ` — approved by ${by} (${last.score} of 5)`;
      return `**\`${id}\`** by ${submission === undefined ? "?" : nameOf(submission.by)}${judged}\n\n${quoted(submission?.summary ?? "")}`;
    })
    .join("\n\n");
  const asked = ask(draft, {
    matter: { kind: "final" },
    text: `✋ **All subtasks are done. Do you take the result?**\n\n${delivered}`,
    timeout: "none",
  });
  putTask(draft, { finalAsk: asked.id });
}

/** All files of the task, for whoever is to judge them. */
function handOver(draft: Draft): void {
  const { main } = filesOf(draft.state).heads;
  if (main !== undefined) filesJob(draft, `${draft.state.room}:archive:${main}`, { kind: "archive", commit: main });
}

export function close(draft: Draft, by: UserId): void {
  const { task } = draft.state;
  if (task === undefined) return;
  clearTask(draft, "finalAsk");
  putTask(draft, { finished: { by, ts: draft.now } });
  withdrawAll(draft, "The task is done.");
  const who = by === draft.world.bot ? "" : `, says ${by}`;
  const { done, total } = progressOf(task);
  draft.say(`${draft.state.room}:finished:${task.version}`, {
    as: draft.world.bot,
    text: `✅ **#${task.number} ${task.title} is done**${who}: ${done} of ${total} subtasks.`,
    action: { kind: "finished", task: task.number },
  });
  draft.announce(`${draft.state.room}:finished`, `✅ #${task.number} ${task.title} is done${who}.`);
}

export function withdrawAll(draft: Draft, text: string): void {
  for (const { id } of draft.state.asks ?? []) withdraw(draft, id, text);
}

/** Everybody's turns for the task end; nothing of it is open any more. */
export function cancelTask(draft: Draft, by: UserId, why: string): void {
  const { task } = draft.state;
  if (task === undefined) return;
  for (const subtask of subtasksOf(task)) {
    endTurnsOn(draft, subtask);
    const now = draft.state.task?.subtasks[subtask.id];
    if (now !== undefined) moveSubtask(draft, without(now, "lease", "reviewLease", "ask", "progress"), "cancel");
  }
  if (task.planner !== undefined) endTurn(draft, task.planner, undefined);
  withdrawAll(draft, "The task is cancelled.");
  clearTask(draft, "finalAsk", "proposal", "ask", "paused", "denied");
  putTask(draft, { cancelled: { by, why } });
  draft.say(`${draft.state.room}:cancelled:${task.version}`, {
    as: draft.world.bot,
    text: `❌ **#${task.number} ${task.title} is cancelled** by ${by}.${why === "" ? "" : ` ${why}`}`,
    action: { kind: "cancelled", task: task.number },
  });
}

export function nobodyPlans(draft: Draft): string | undefined {
  const missing = (["planner", "executor", "reviewer"] as const).filter(
    (role) => membersWith(draft, role).length === 0,
  );
  if (missing.includes("planner")) return "no agent of the crew has the role planner";
  if (missing.includes("executor")) return "no agent of the crew has the role executor";
  return undefined;
}

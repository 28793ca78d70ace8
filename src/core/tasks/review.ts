/** Reviews: bound to what was handed in, by another agent than the worker, or by a person. */
import { inThread, markOf } from "../placement.ts";
import type { Draft } from "../draft.ts";
import type { UserId } from "../ids.ts";
import { inOneLine } from "../verbatim.ts";
import { type Acting, epochOf, notNow } from "./acting.ts";
import type { Action } from "./actions.ts";
import { askAboutSubtask } from "./escalate.ts";
import { moveSubtask, putSubtask, score, without } from "./ledger.ts";
import { after } from "./subtask-states.ts";
import { approve } from "./merging.ts";
import type { Review, Subtask, SubtaskId, Verdict } from "./task.ts";
import { reviewersFor } from "./team.ts";

type ReviewAction = Extract<Action, { kind: "review" }>;

export function judge(draft: Draft, acting: Acting, subtask: Subtask, action: ReviewAction): string {
  const { member, session, input } = acting;
  const refusal = notReviewer(draft, acting, subtask) ?? problemOf(action);
  if (refusal !== undefined) return `Not done: ${refusal}`;
  const { submission } = subtask;
  if (submission === undefined) return `Not done: ${notNow(subtask, "approve")}`;
  const { verdict, score: points, comment } = action;
  const issues = action.issues.map((issue) => issue.trim()).filter((issue) => issue !== "");
  const review: Review = {
    reviewer: member.id,
    submission: submission.id,
    verdict,
    score: points,
    issues,
    comment,
    ts: draft.now,
  };
  const list = issues.map((issue) => `\n- ${issue}`).join("");
  const head = verdict === "approve" ? "✅ **Approved" : "🔁 **Rejected";
  draft.say(input.call, {
    as: member.user,
    text: `${head} \`${subtask.id}\`** (${points} of 5). ${comment}${list === "" ? "" : `\n${list}`}`,
    ...inThread(subtask),
    turn: markOf(session),
    action: {
      kind: "review",
      subtask: subtask.id,
      verdict,
      score: points,
      issues,
      submission: submission.id,
      ...(submission.commit === undefined ? {} : { commit: submission.commit }),
    },
  });
  score(draft, subtask.id, member.id, "review_done");
  conclude(draft, subtask.id, review);
  return verdict === "approve" ? "Approved. End your turn." : "Rejected; its worker is told. End your turn.";
}

function notReviewer(draft: Draft, { member, session }: Acting, subtask: Subtask): string | undefined {
  if (subtask.submission?.by === member.id || subtask.worker === member.id)
    return `you worked on \`${subtask.id}\` yourself; somebody else reviews it.`;
  if (after(subtask.state, "approve") === undefined) return notNow(subtask, "approve");
  if (subtask.merging !== undefined) return `\`${subtask.id}\` is approved already, and is being merged.`;
  if (subtask.ask !== undefined) return `a person is asked about \`${subtask.id}\`.`;
  const { reviewLease } = subtask;
  if (reviewLease === undefined)
    return reviewersFor(draft, subtask).includes(member) ? undefined : `you may not review \`${subtask.id}\`.`;
  if (reviewLease.agent !== member.id) return `\`${subtask.id}\` is being reviewed by ${reviewLease.agent}.`;
  const epoch = epochOf(session.running, subtask.id, "review");
  return epoch !== undefined && epoch < reviewLease.epoch
    ? `your review of \`${subtask.id}\` (epoch ${epoch}) has ended; look at what was handed in since.`
    : undefined;
}

function problemOf({ verdict, score: points, issues }: ReviewAction): string | undefined {
  if (!Number.isInteger(points) || points < 1 || points > 5) return "the score is a whole number from 1 to 5.";
  if (verdict === "approve" && points < 3) return "approve goes with a score of 3 to 5; with 1 or 2, reject.";
  if (verdict === "reject" && points > 2) return "reject goes with a score of 1 or 2; with 3 to 5, approve.";
  if (verdict === "reject" && issues.every((issue) => issue.trim() === ""))
    return "reject needs issues: name each place and what would satisfy you.";
  return undefined;
}

/** What follows from a review. */
function conclude(draft: Draft, id: SubtaskId, review: Review): void {
  // Read again: the reviewer has its score by now.
  const subtask = draft.state.task?.subtasks[id];
  if (subtask === undefined) return;
  if (review.verdict === "approve") approve(draft, subtask, review);
  else reject(draft, subtask, review);
}

export function reject(draft: Draft, subtask: Subtask, review: Review): void {
  const { submission } = subtask;
  const rework = subtask.rework + 1;
  const moved = moveSubtask(draft, without(subtask, "reviewLease", "ask", "reason"), "reject", {
    rework,
    reviews: [...subtask.reviews, review],
  });
  if (moved === undefined) return;
  if (submission !== undefined) score(draft, subtask.id, submission.by, "rework");
  const now = draft.state.task?.subtasks[subtask.id];
  if (now === undefined || rework < draft.world.tasks.max_rework) return;
  const issues = review.issues.map((issue) => `- ${inOneLine(issue)}`).join("\n");
  const text = `🔁 **\`${now.id}\` was rejected ${rework} times.** How should it go on?\n\n${issues}`;
  askAboutSubtask(draft, now, "rework", text);
}

/** A person judges, or turns a review around: their word counts, and the reviewer's score tells of it. */
export function overturn(draft: Draft, user: UserId, subtask: Subtask, verdict: Verdict, why: string): string {
  const last = subtask.reviews.at(-1);
  if (subtask.submission === undefined) return `Nothing of \`${subtask.id}\` was handed in yet.`;
  const review: Review = {
    reviewer: user,
    submission: subtask.submission.id,
    verdict,
    score: verdict === "approve" ? 3 : 2,
    issues: verdict === "approve" ? [] : [why],
    comment: verdict === "approve" ? why : "",
    ts: draft.now,
  };
  if (subtask.state === "review") {
    if (verdict === "approve") approve(draft, subtask, review);
    else reject(draft, subtask, review);
    return verdict === "approve" ? `\`${subtask.id}\` is approved.` : `\`${subtask.id}\` goes back to its worker.`;
  }
  if (last === undefined || last.overturned !== undefined || last.verdict === verdict)
    return `There is no review of \`${subtask.id}\` that says otherwise.`;
  const marked = subtask.reviews.map((one) => (one === last ? { ...one, overturned: user } : one));
  const by = [...draft.world.crew.values()].find(({ id }) => id === last.reviewer)?.id;
  if (verdict === "reject" && subtask.state === "done") {
    const worker = subtask.submission.by;
    const redo = moveSubtask(draft, { ...subtask, reviews: [...marked, review] }, "retry", {
      rework: subtask.rework + 1,
    });
    if (redo === undefined) return `\`${subtask.id}\` is ${subtask.state}.`;
    score(draft, subtask.id, worker, "overturned_work");
  } else if (verdict === "approve" && ["rework", "working", "ready", "blocked"].includes(subtask.state)) {
    const judged = putSubtask(draft, {
      ...without(subtask, "lease", "reviewLease", "ask", "reason", "progress", "conflict"),
      state: "review",
      since: draft.now,
      reviews: marked,
    });
    approve(draft, judged, review);
  } else {
    return `\`${subtask.id}\` is ${subtask.state}; its review cannot be turned around now.`;
  }
  if (by !== undefined) score(draft, subtask.id, by, "review_overturned");
  return verdict === "approve"
    ? `The rejection of \`${subtask.id}\` is overturned: it is done.`
    : `The approval of \`${subtask.id}\` is overturned: it is done anew.`;
}

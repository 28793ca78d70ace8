/**
 * Approved work is merged into `main` before it counts as done. Where both sides changed the same, the subtask goes back to
 * its worker: nothing is overwritten.
 */
import { inThread } from "../placement.ts";
import type { Draft } from "../draft.ts";
import type { FilesResult } from "../files.ts";
import { memberById } from "../world.ts";
import type { OwnInput } from "../input.ts";
import { askAboutSubtask } from "./escalate.ts";
import { conflictLine, filesJob, filesTold, orphaned, toMerge } from "./files.ts";
import { moveSubtask, putSubtask, score, without } from "./ledger.ts";
import type { Review, Subtask } from "./task.ts";

/** What was handed in is good. It is done now, or as soon as its files are merged. */
export function approve(draft: Draft, subtask: Subtask, review: Review): void {
  const commit = toMerge(draft, subtask);
  if (commit === undefined) {
    finish(draft, subtask, review);
    return;
  }
  const waits = putSubtask(draft, { ...without(subtask, "reviewLease", "ask", "reason"), merging: review });
  filesJob(
    draft,
    `${draft.state.room}:merge:${subtask.id}:${waits.version}`,
    { kind: "merge", subtask: subtask.id, commit },
    inThread(subtask),
  );
}

function finish(draft: Draft, subtask: Subtask, review: Review): void {
  const { submission, rework, started, estimate_minutes: minutes } = subtask;
  const moved = moveSubtask(draft, without(subtask, "reviewLease", "ask", "reason", "merging"), "approve", {
    reviews: [...subtask.reviews, review],
  });
  // What a person approves is nobody's score but the worker's.
  if (moved === undefined || submission === undefined) return;
  score(draft, subtask.id, submission.by, rework === 0 ? "first_pass" : "after_rework");
  const took = submission.ts - (started ?? submission.ts);
  if (minutes !== undefined && rework === 0 && took <= minutes * 60_000)
    score(draft, subtask.id, submission.by, "on_time");
}

export function filesDone(draft: Draft, input: Extract<OwnInput, { kind: "filesDone" }>): void {
  const effect = draft.outbox.find(({ id }) => id === input.effect);
  if (effect?.kind !== "files") {
    orphaned(draft, input);
    return;
  }
  const { job } = effect;
  if (job.kind === "merge") merged(draft, job.subtask, job.commit, input.result);
  else filesTold(draft, effect, input.result);
}

function merged(draft: Draft, id: string, commit: string, result: FilesResult): void {
  const subtask = draft.state.task?.subtasks[id];
  // Dropped or done anew meanwhile: then nobody waits for this merge.
  if (subtask?.merging === undefined || subtask.submission?.commit !== commit) return;
  if (result.kind === "merged") finish(draft, subtask, subtask.merging);
  else if (result.kind === "conflict") collide(draft, subtask, subtask.merging, result);
}

function collide(
  draft: Draft,
  subtask: Subtask,
  approved: Review,
  { main, conflicts }: Extract<FilesResult, { kind: "conflict" }>,
): void {
  const issues = conflicts.map(conflictLine);
  const rework = subtask.rework + 1;
  const verdict: Review = {
    reviewer: draft.world.bot,
    submission: approved.submission,
    verdict: "reject",
    score: 2,
    issues,
    comment: "What was approved does not go together with what is on main by now.",
    ts: draft.now,
  };
  const moved = moveSubtask(draft, without(subtask, "merging"), "reject", {
    rework,
    reviews: [...subtask.reviews, approved, verdict],
    conflict: { main, conflicts },
  });
  if (moved === undefined) return;
  const list = issues.map((issue) => `\n- ${issue}`).join("");
  const worker = subtask.worker === undefined ? undefined : memberById(draft.world, subtask.worker);
  draft.notice(
    `${draft.state.room}:conflict:${subtask.id}:${moved.version}`,
    `🔀 **\`${subtask.id}\` cannot be merged:** both sides changed the same.${list}\n\nNothing was overwritten; ${worker?.name ?? "its worker"} brings them together.`,
    {
      ...inThread(subtask),
      action: { kind: "conflict", subtask: subtask.id, main, paths: conflicts.map(({ path }) => path) },
    },
  );
  const now = draft.state.task?.subtasks[subtask.id];
  if (now !== undefined && rework >= draft.world.tasks.max_rework)
    askAboutSubtask(draft, now, "rework", `🔀 **\`${subtask.id}\` still does not go together with main.**${list}`);
}

/** The merge itself did not work (a full disk): a person is asked, and may try again. */
export function mergeFailed(draft: Draft, id: string, sentence: string): void {
  const subtask = draft.state.task?.subtasks[id];
  if (subtask?.merging === undefined) return;
  const open = putSubtask(draft, without(subtask, "merging"));
  askAboutSubtask(draft, open, "merge", `🔀 **\`${id}\` is approved but could not be merged.** ${sentence}`);
}

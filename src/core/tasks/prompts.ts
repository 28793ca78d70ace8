/** What agents are told when they are woken for a task: only what they do not know yet. */
import { taskStateOf } from "./derive.ts";
import type { Subtask, Task } from "./task.ts";

function criteria(subtask: Pick<Subtask, "acceptance">): string {
  return subtask.acceptance.map((criterion, index) => `${index + 1}. ${criterion}`).join("\n");
}

/** The task, for who has not heard of it. */
function introduction(task: Task): string {
  const rules = task.rules === "" ? "" : `\nRules of this task: ${task.rules}`;
  return `Task #${task.number}: ${task.title}${task.brief === "" ? "" : `\n${task.brief}`}${rules}`;
}

export function planPrompt(task: Task, again: string | undefined): string {
  if (again !== undefined) return again;
  return `${introduction(task)}\n\nAsked for by ${task.asker}. Plan it with plan_task.`;
}

export function workPrompt(task: Task, subtask: Subtask): string {
  const results = subtask.depends_on.flatMap((id) => {
    const needed = task.subtasks[id];
    return needed?.submission === undefined
      ? []
      : [`- \`${id}\` by ${needed.submission.by}: ${needed.submission.summary}`];
  });
  return [
    introduction(task),
    `Your subtask \`${subtask.id}\`: ${subtask.title}\nDeliverable: ${subtask.deliverable}\nAcceptance:\n${criteria(subtask)}`,
    ...(results.length === 0 ? [] : [`It builds on:\n${results.join("\n")}`]),
    `Do it and hand it in with submit_work. If you cannot: report_blocked or release_subtask.`,
  ].join("\n\n");
}

export function reworkPrompt(subtask: Subtask): string {
  const last = subtask.reviews.at(-1);
  const issues = (last?.issues ?? []).map((issue) => `- ${issue}`).join("\n");
  const comment = last === undefined || last.comment === "" ? "" : `\n${last.comment}`;
  if (subtask.conflict !== undefined)
    return `\`${subtask.id}\` was approved, but does not go together with what others changed on main meanwhile:\n${issues}\n\nYour files show both sides (<<<<<<< to >>>>>>>). Bring them together so that neither is lost, then hand in again with submit_work.`;
  return `\`${subtask.id}\` was rejected by ${last?.reviewer ?? "a person"} (score ${last?.score ?? "–"}). To mend:\n${issues}${comment}\n\nThen hand it in again with submit_work.`;
}

/** For another agent than the one that did the work so far. */
export function takeOverPrompt(task: Task, subtask: Subtask): string {
  const before = subtask.submission === undefined ? "" : `\n\nHanded in before: ${subtask.submission.summary}`;
  const review = subtask.reviews.length === 0 ? "" : `\n\n${reworkPrompt(subtask)}`;
  return `${workPrompt(task, subtask)}${before}${review}`;
}

export function reviewPrompt(task: Task, subtask: Subtask): string {
  const { submission } = subtask;
  const commit = submission?.commit === undefined ? "" : ` (commit ${submission.commit})`;
  const before = subtask.reviews.filter(({ overturned }) => overturned === undefined).at(-1);
  const issues =
    before === undefined ? [] : [`Issues of the last round:\n${before.issues.map((issue) => `- ${issue}`).join("\n")}`];
  return [
    introduction(task),
    `Review \`${subtask.id}\`: ${subtask.title}\nDeliverable: ${subtask.deliverable}\nAcceptance:\n${criteria(subtask)}`,
    ...issues,
    `Handed in by ${submission?.by ?? "?"}${commit}:\n${submission?.summary ?? ""}`,
    `Judge it with review_work.`,
  ].join("\n\n");
}

export function nudge(subtask: Subtask, part: "work" | "review"): string {
  return part === "work"
    ? `Your turn ended, but \`${subtask.id}\` is still yours: hand it in with submit_work, or use report_blocked or release_subtask.`
    : `Your turn ended, but the review of \`${subtask.id}\` is still yours: judge it with review_work.`;
}

/** What `get_task` answers. */
export function lookText(task: Task, now: number): string {
  const lines = Object.values(task.subtasks).map((subtask) => {
    const { id, state, version, lease, reviewLease, depends_on: needs } = subtask;
    const holder = lease?.agent ?? reviewLease?.agent;
    const until = lease?.until ?? reviewLease?.until;
    const held =
      holder === undefined
        ? ""
        : `, ${reviewLease === undefined ? "worked on" : "reviewed"} by ${holder} (epoch ${subtask.epoch}, ${Math.max(0, Math.round(((until ?? now) - now) / 1_000))} s left)`;
    const waits = needs.length === 0 ? "" : `, after ${needs.join(", ")}`;
    const why = subtask.reason === undefined ? "" : `, because: ${subtask.reason}`;
    return `- \`${id}\` (version ${version}) ${state}${held}${waits}${why}: ${subtask.title}. Deliverable: ${subtask.deliverable} Acceptance: ${subtask.acceptance.join("; ")}`;
  });
  const proposed =
    task.proposal === undefined ? [] : [`A plan of ${task.proposal.specs.length} subtasks waits for a person.`];
  return [introduction(task), `State: ${taskStateOf(task)}.`, ...proposed, ...lines].join("\n");
}

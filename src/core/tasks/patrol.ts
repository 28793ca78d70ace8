/**
 * The patrol: the bridge's own watch over leases, waits and budgets. It looks when a deadline comes, never in between, and
 * calls no model: what can be mended mechanically it mends, and a person or the planner is asked for judgement.
 */
import { dueAsks } from "../answers.ts";
import { isHeld, letGo } from "../budget.ts";
import type { Draft } from "../draft.ts";
import { isClosed, taskStateOf } from "./derive.ts";
import { askAboutSubtask, tellThread } from "./escalate.ts";
import { endTurn, remind, takeReview, takeWork, tell, type Why } from "./give.ts";
import { patrolled, putTask, touchSubtask } from "./ledger.ts";
import type { Lease, Subtask } from "./task.ts";
import { membersWith } from "./team.ts";
import { begin } from "../turns.ts";

export interface PatrolRule {
  readonly kind: string;
  readonly when: string;
  readonly does: string;
}

/** For `docs/tasks.md`. */
export const patrolTable: readonly PatrolRule[] = [
  {
    kind: "expired",
    when: "a lease of work or of a review ran out without a sign of life (`tasks.lease_seconds`, `tasks.review_lease_seconds`)",
    does: "ends the turn, and offers it to another agent with a new epoch; after `tasks.max_tries` leases a person is asked",
  },
  {
    kind: "no_result",
    when: "three turns of a holder ended without a result; after a failed turn it waits 30 s, then 2 min",
    does: "reminds the agent after each, then offers it to another",
  },
  {
    kind: "identical",
    when: "a holder gave the same answer `patrol.identical_answers` times",
    does: "offers it to another agent",
  },
  {
    kind: "unclaimed",
    when: "a subtask is ready for `patrol.unclaimed_minutes` and nobody took it",
    does: "tells the room, once",
  },
  {
    kind: "review_waits",
    when: "handed-in work waits for a reviewer for `patrol.review_wait_minutes`",
    does: "tells the room, once",
  },
  {
    kind: "rework",
    when: "a subtask was rejected `tasks.max_rework` times",
    does: "asks a person: take it, try once more, or drop it",
  },
  {
    kind: "blocked",
    when: "a subtask is blocked for `patrol.blocked_minutes`, and the planner found no way",
    does: "asks a person",
  },
  {
    kind: "silence",
    when: "nothing at all happened in an open task for `patrol.silence_minutes`, and no person is being asked",
    does: "tells HQ, once for each silence",
  },
  {
    kind: "budget",
    when: "80 % and 100 % of the task's budget are used (`budgets.task`, or `!crew budget`)",
    does: "a note; then the task pauses when the turns that run are over, and a person is asked",
  },
  {
    kind: "agent_gone",
    when: "a holder is no longer in the crew, or was removed from the room",
    does: "offers its work to others",
  },
  {
    kind: "checkpoint",
    when: "half of the estimate, or all of it, is over, or work was rejected twice (`patrol.checkpoints`)",
    does: "calls a patrol agent, if the crew has one, to compare the work with its acceptance criteria",
  },
  {
    kind: "concern",
    when: "a patrol agent raises a concern",
    does: "tells worker and planner; a critical one asks a person",
  },
];

export function tick(draft: Draft): void {
  dueAsks(draft);
  letGo(draft, (key) => begin(draft, key));
  const { task } = draft.state;
  if (task === undefined || isClosed(task) || task.paused !== undefined) return;
  for (const id of Object.keys(task.subtasks)) {
    check(draft, id, leases);
    check(draft, id, retries);
    check(draft, id, waits);
    check(draft, id, checkpoints);
  }
  silence(draft);
}

function check(draft: Draft, id: string, rule: (draft: Draft, subtask: Subtask) => void): void {
  const subtask = draft.state.task?.subtasks[id];
  if (subtask !== undefined) rule(draft, subtask);
}

function leases(draft: Draft, subtask: Subtask): void {
  const { lease, reviewLease, id } = subtask;
  const ended = [lease, reviewLease].find((one) => one !== undefined && one.until <= draft.now);
  if (ended === undefined) return;
  const { agent, epoch } = ended;
  const asked = (draft.state.asks ?? []).some(({ matter }) => "agent" in matter && matter.agent === agent);
  if (asked) {
    // It waits for a person's answer, which has a deadline of its own.
    const until = draft.now + draft.world.tasks.lease_seconds * 1_000;
    touchSubtask(
      draft,
      ended === lease ? { ...subtask, lease: { ...ended, until } } : { ...subtask, reviewLease: { ...ended, until } },
    );
    return;
  }
  const what = ended === lease ? "work" : "review";
  // Who is held back by a limit gives no sign of life, and is not to blame.
  const isOut = isHeld(draft, agent);
  const why: Why = isOut ? "taken" : "expired";
  const saw = isOut ? `${agent} has used up a limit of today` : `${agent} gave no sign of life`;
  const did = `${saw}; its ${what} is offered to others`;
  patrolled(draft, { kind: "expired", severity: "warning", subtask: id, agent, did });
  tellThread(draft, subtask, `expired:${epoch}`, `${saw}, so its ${what} of \`${id}\` is offered to others.`);
  const now = draft.state.task?.subtasks[id] ?? subtask;
  if (ended === lease) takeWork(draft, now, why);
  else takeReview(draft, now, why);
  // Only now: the end of a turn is no lapse of a lease that has ended.
  endTurn(draft, agent, subtask.thread);
}

function retries(draft: Draft, subtask: Subtask): void {
  const again = (lease: Lease | undefined, part: "work" | "review"): void => {
    if (lease?.retryAt === undefined || lease.retryAt > draft.now) return;
    const { retryAt: _done, ...next } = lease;
    const touched = part === "work" ? { ...subtask, lease: next } : { ...subtask, reviewLease: next };
    touchSubtask(draft, touched);
    remind(draft, touched, next, part);
  };
  again(subtask.lease, "work");
  again(subtask.reviewLease, "review");
}

interface Wait {
  readonly kind: "unclaimed" | "review_waits" | "blocked";
  readonly minutes: number;
}

/** What a subtask waits for in its state, and how long that may take. */
export function waitOf(draft: Pick<Draft, "world">, subtask: Subtask): Wait | undefined {
  const { patrol } = draft.world;
  if (subtask.ask !== undefined) return undefined;
  if (subtask.state === "ready") return { kind: "unclaimed", minutes: patrol.unclaimed_minutes };
  if (subtask.state === "review" && subtask.reviewLease === undefined && subtask.merging === undefined)
    return { kind: "review_waits", minutes: patrol.review_wait_minutes };
  if (subtask.state === "blocked") return { kind: "blocked", minutes: patrol.blocked_minutes };
  return undefined;
}

/** The mark that a wait was told of: once for each time that the subtask came into its state. */
export function waitMark(wait: Wait, subtask: Subtask): string {
  return `${wait.kind}:${subtask.since}`;
}

function waits(draft: Draft, subtask: Subtask): void {
  const wait = waitOf(draft, subtask);
  if (wait === undefined || draft.now < subtask.since + wait.minutes * 60_000) return;
  const mark = waitMark(wait, subtask);
  if (subtask.checked.includes(mark)) return;
  touchSubtask(draft, { ...subtask, checked: [...subtask.checked, mark] });
  const { id } = subtask;
  if (wait.kind === "blocked") {
    patrolled(draft, { kind: "blocked", severity: "warning", subtask: id, did: "asked a person" });
    const now = draft.state.task?.subtasks[id] ?? subtask;
    askAboutSubtask(draft, now, "blocked", `🚧 **\`${id}\` is still blocked:** ${subtask.reason ?? ""}`);
    return;
  }
  const text =
    wait.kind === "unclaimed"
      ? `\`${id}\` is ready and nobody has taken it yet: all who could are busy. \`!crew assign ${id} <agent>\` decides who gets it.`
      : `\`${id}\` still waits for a reviewer: all who could are busy. \`!crew overturn ${id} approve\` takes your word for it.`;
  patrolled(draft, { kind: wait.kind, severity: "warning", subtask: id, did: "told the room" });
  tellThread(draft, subtask, mark, text);
}

/** When a checkpoint of a subtask that is worked on is due, by name. */
export function checkpointsOf(draft: Pick<Draft, "world">, subtask: Subtask): readonly (readonly [string, number])[] {
  const { checkpoints: wanted } = draft.world.patrol;
  const { estimate_minutes: minutes, lease, rework } = subtask;
  if (lease === undefined) return [];
  const due: (readonly [string, number])[] = [];
  if (minutes !== undefined) {
    if (wanted.includes("half_estimate")) due.push([`half_estimate:${lease.epoch}`, lease.since + minutes * 30_000]);
    if (wanted.includes("estimate")) due.push([`estimate:${lease.epoch}`, lease.since + minutes * 60_000]);
  }
  if (wanted.includes("rework") && rework >= 2) due.push([`rework:${rework}`, lease.since]);
  return due.filter(([mark]) => !subtask.checked.includes(mark));
}

function checkpoints(draft: Draft, subtask: Subtask): void {
  const due = checkpointsOf(draft, subtask).filter(([, at]) => at <= draft.now);
  const [first] = due;
  if (first === undefined) return;
  touchSubtask(draft, { ...subtask, checked: [...subtask.checked, ...due.map(([mark]) => mark)] });
  const watcher = membersWith(draft, "patrol").find(
    (member) => member.id !== subtask.lease?.agent && draft.state.seats[member.user]?.place !== "banned",
  );
  if (watcher === undefined) return;
  const progress = subtask.progress === undefined ? "nothing reported yet" : subtask.progress.text;
  const criteria = subtask.acceptance.map((criterion) => `- ${criterion}`).join("\n");
  patrolled(draft, {
    kind: "checkpoint",
    severity: "info",
    subtask: subtask.id,
    agent: watcher.id,
    did: `called ${watcher.id}`,
  });
  tell(
    draft,
    watcher,
    subtask.thread,
    `${subtask.id}:checkpoint:${first[0]}`,
    `Compare \`${subtask.id}\` (${subtask.title}) with its acceptance criteria. It is with ${subtask.lease?.agent ?? "nobody"}, round ${subtask.rework + 1}.\n${criteria}\nReported: ${progress}\nUse raise_concern only if it drifts from them.`,
  );
}

/** Something that should go on by itself does not. */
function silence(draft: Draft): void {
  const { task, asks } = draft.state;
  if (task === undefined || (asks ?? []).length > 0 || task.silent === true) return;
  if (draft.now < task.lastAct + draft.world.patrol.silence_minutes * 60_000) return;
  const text = `Nothing has happened in #${task.number} ${task.title} for ${draft.world.patrol.silence_minutes} min; it is ${taskStateOf(task)}. \`!crew status\` there tells more.`;
  patrolled(draft, { kind: "silence", severity: "critical", did: "told HQ" });
  draft.announce(`${draft.state.room}:silence:${draft.now}`, text);
  draft.notice(`${draft.state.room}:silence:${draft.now}`, `🛰️ ${text}`);
  putTask(draft, { silent: true });
}

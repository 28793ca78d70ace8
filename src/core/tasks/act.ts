/**
 * Actions of agents on the task (their tools). Each is checked here, in code: the role, the ownership, the state, the
 * epoch of the lease, the version. A refusal says what would be allowed.
 */
import { inThread, markOf } from "../placement.ts";
import { ask } from "../asks.ts";
import type { Draft } from "../draft.ts";
import { idFrom } from "../draft.ts";
import { mayUse, permitted } from "../permits.ts";
import { hasRuleFor } from "../policy.ts";
import { putSession, sessionOfTurn } from "../turns.ts";
import { spoken } from "../verbatim.ts";
import { type CrewMember, memberById } from "../world.ts";
import { written } from "./act-audit.ts";
import { type Act, type Acting, epochOf, known, notNow } from "./acting.ts";
import { type Action, toolOf } from "./actions.ts";
import { assignTo } from "./assign.ts";
import { isClosed, openNeeds, taskStateOf } from "./derive.ts";
import { askAboutSubtask, blockFor } from "./escalate.ts";
import { giveWork, takeWork, tell } from "./give.ts";
import { keepNote, moveSubtask, patrolled, touchSubtask, without } from "./ledger.ts";
import { planned, revised } from "./planning.ts";
import { lookText } from "./prompts.ts";
import { judge } from "./review.ts";
import { after } from "./subtask-states.ts";
import type { Submission, Subtask } from "./task.ts";
import { hasRole, isFree, type Role, workersFor, plannerOf } from "./team.ts";

export function act(draft: Draft, input: Act): void {
  const session = sessionOfTurn(draft, input.session, input.turn);
  const member = session && memberById(draft.world, session.agent);
  if (session === undefined || member === undefined) {
    draft.reply = "Not done: this turn is over.";
    lateWords(draft, input);
    return;
  }
  const before = session.running.replies?.[input.call];
  if (before !== undefined) {
    draft.reply = before;
    return;
  }
  const refusal = notPermitted(draft, input, member);
  const reply = refusal ?? decideAction(draft, input, member, session);
  draft.reply = reply;
  if (input.action.kind === "look") return;
  if (refusal === undefined) written(draft, input, session, member, reply);
  // Read again: the action may have changed the session, or ended it.
  const now = draft.state.sessions[input.session];
  if (now?.running?.id !== input.turn) return;
  const { running } = now;
  putSession(draft, input.session, {
    ...now,
    running: {
      ...running,
      calls: [...running.calls, input.call],
      replies: { ...running.replies, [input.call]: reply },
    },
  });
}

/** What the policy says against it. What nobody has made a rule for is left to the rules of tasks. */
function notPermitted(draft: Draft, { session, turn, call, action }: Act, member: CrewMember): string | undefined {
  const tool = toolOf[action.kind];
  if (!hasRuleFor(draft.world, tool)) return undefined;
  const about = "subtask" in action ? action.subtask : "";
  const { kind: _kind, ...rest } = action;
  const details = JSON.stringify(rest, undefined, 2);
  const reply = mayUse(draft, { session, turn, call, tool, about, details, exact: idFrom(details) }, member);
  return reply === permitted ? undefined : reply;
}

/** What a worker hands in after its lease went to somebody else is not lost: it stays as a note. */
function lateWords(draft: Draft, input: Act): void {
  const { action } = input;
  const { task } = draft.state;
  if (action.kind !== "submit" || task?.subtasks[action.subtask] === undefined) return;
  if (task.notes.some(({ text }) => text === action.summary)) return;
  keepNote(draft, action.subtask, action.summary);
}

function decideAction(draft: Draft, input: Act, member: CrewMember, session: Acting["session"]): string {
  const { action } = input;
  if (action.kind === "ask") return askHuman(draft, input, member, session);
  const { task } = draft.state;
  if (task === undefined) {
    return action.kind === "look"
      ? "There is no task in this room. You are here to talk."
      : "Not done: there is no task in this room.";
  }
  if (action.kind === "look") return lookText(task, draft.now);
  if (isClosed(task)) return `Not done: the task is ${taskStateOf(task)}. End your turn.`;
  const acting: Acting = { input, member, session, task };
  if (action.kind === "progress") return progress(draft, acting, action);
  const role = roleFor(action);
  if (!hasRole(member, role)) return `Not done: this is for a ${role}; you are ${member.roles.join(", ")}.`;
  if (action.kind === "plan") return planned(draft, acting, action);
  if (action.kind === "revise") return revised(draft, acting, action);

  const subtask = task.subtasks[action.subtask];
  if (subtask === undefined) return `Not done: there is no subtask \`${action.subtask}\`. ${known(task)}`;
  if (input.version !== undefined && input.version < subtask.version) {
    return `Not done: you saw version ${input.version} of \`${subtask.id}\`, and it is at ${subtask.version} now. Look with get_task.`;
  }
  if (task.paused !== undefined && action.kind !== "concern")
    return `Not done: the task is paused (${task.paused}). End your turn; you are told when it goes on.`;
  switch (action.kind) {
    case "assign":
      return assign(draft, acting, subtask, action);
    case "claim":
      return claim(draft, acting, subtask);
    case "submit":
      return submit(draft, acting, subtask, action);
    case "block":
      return block(draft, acting, subtask, action.reason);
    case "release":
      return release(draft, acting, subtask);
    case "review":
      return judge(draft, acting, subtask, action);
    case "concern":
      return concern(draft, acting, subtask, action);
  }
}

function roleFor(action: Exclude<Action, { kind: "ask" | "look" | "progress" }>): Role {
  switch (action.kind) {
    case "plan":
    case "revise":
    case "assign":
      return "planner";
    case "review":
      return "reviewer";
    case "concern":
      return "patrol";
    case "claim":
    case "submit":
    case "block":
    case "release":
      return "executor";
  }
}

/** Why a worker may not act on a subtask as its holder; `undefined` when it may. */
function notHolder({ member, session }: Acting, subtask: Subtask): string | undefined {
  const { lease } = subtask;
  if (lease === undefined) {
    const hint = after(subtask.state, "lease") === undefined ? "" : " Get it with claim_subtask.";
    return `\`${subtask.id}\` is ${subtask.state} and not leased to you.${hint}`;
  }
  if (lease.agent !== member.id) return `\`${subtask.id}\` is leased to ${lease.agent}, not to you.`;
  const epoch = epochOf(session.running, subtask.id, "work");
  if (epoch !== undefined && epoch < lease.epoch)
    return `your lease of \`${subtask.id}\` (epoch ${epoch}) has ended; it was given out again with epoch ${lease.epoch}.`;
  return undefined;
}

function assign(
  draft: Draft,
  { member }: Acting,
  subtask: Subtask,
  action: Extract<Action, { kind: "assign" }>,
): string {
  const refusal =
    subtask.ask === undefined
      ? assignTo(draft, subtask, action.agent)
      : `a person is asked how \`${subtask.id}\` goes on.`;
  return refusal === undefined
    ? `\`${subtask.id}\` goes to ${action.agent} as soon as they are free${action.agent === member.id ? " (that is you)" : ""}.`
    : `Not done: ${refusal}`;
}

function claim(draft: Draft, acting: Acting, subtask: Subtask): string {
  const { member, task } = acting;
  if (subtask.lease?.agent === member.id)
    return `Yours already: \`${subtask.id}\`, epoch ${subtask.lease.epoch}. Hand it in with submit_work.`;
  if (after(subtask.state, "lease") === undefined) {
    const holder = subtask.lease === undefined ? "" : ` It is leased to ${subtask.lease.agent}.`;
    const needs = openNeeds(task, subtask);
    const waits = needs.length === 0 ? "" : ` It waits for ${needs.join(", ")}.`;
    return `Not done: ${notNow(subtask, "lease")}${holder}${waits}`;
  }
  if (subtask.ask !== undefined) return `Not done: a person is asked how \`${subtask.id}\` goes on.`;
  if (!workersFor(draft, subtask).includes(member)) {
    return subtask.assigned === undefined
      ? `Not done: \`${subtask.id}\` needs the capability “${subtask.capability}”.`
      : `Not done: \`${subtask.id}\` is assigned to ${subtask.assigned}.`;
  }
  if (!isFree(draft, member))
    return `Not done: you hold ${member.parallel} already, which is all that you may. Finish or release that first.`;
  const given = giveWork(draft, subtask, member, false);
  if (given === undefined) return `Not done: ${notNow(subtask, "lease")}`;
  return `Yours: \`${subtask.id}\`, epoch ${given.epoch}. Deliverable: ${subtask.deliverable} Acceptance: ${subtask.acceptance.join("; ")}`;
}

function submit(
  draft: Draft,
  acting: Acting,
  subtask: Subtask,
  { summary, commit }: Extract<Action, { kind: "submit" }>,
): string {
  const { member, session, input } = acting;
  const refusal = notHolder(acting, subtask);
  if (refusal !== undefined) {
    keepNote(draft, subtask.id, `${member.id}: ${summary}`);
    return `Not done: ${refusal} What you handed in is kept as a note.`;
  }
  const { epoch } = subtask;
  const submission: Submission = {
    id: idFrom("submission", draft.state.room, subtask.id, epoch, subtask.rework, summary, commit ?? ""),
    by: member.id,
    epoch,
    summary,
    ts: draft.now,
    ...(commit === undefined ? {} : { commit }),
  };
  const moved = moveSubtask(draft, without(subtask, "lease", "progress", "conflict"), "submit", {
    submission,
    tries: 0,
    reviewTries: 0,
    passed: [],
    reviewPassed: [],
  });
  if (moved === undefined) return `Not done: ${notNow(subtask, "submit")}`;
  draft.say(input.call, {
    as: member.user,
    text: `📦 **Handed in \`${subtask.id}\`**${commit === undefined ? "" : ` at \`${commit.slice(0, 7)}\``}\n\n${summary}`,
    ...inThread(subtask),
    turn: markOf(session),
    action: {
      kind: "submit",
      subtask: subtask.id,
      epoch,
      submission: submission.id,
      version: moved.version,
      ...(commit === undefined ? {} : { commit }),
    },
  });
  return `Handed in. \`${subtask.id}\` is in review now; you are told of the outcome. End your turn.`;
}

function block(draft: Draft, acting: Acting, subtask: Subtask, reason: string): string {
  const { member, input, session } = acting;
  const refusal = notHolder(acting, subtask);
  if (refusal !== undefined) return `Not done: ${refusal}`;
  // It counts as a try: planner and worker could otherwise hand it back and forth without end.
  blockFor(draft, { ...subtask, tries: subtask.tries + 1 }, reason);
  draft.say(input.call, {
    as: member.user,
    text: `🚧 **\`${subtask.id}\` is blocked.** ${reason}`,
    ...inThread(subtask),
    turn: markOf(session),
    action: { kind: "block", subtask: subtask.id, reason },
  });
  return "Noted; the planner is told. End your turn.";
}

function release(draft: Draft, acting: Acting, subtask: Subtask): string {
  const refusal = notHolder(acting, subtask);
  if (refusal !== undefined) return `Not done: ${refusal}`;
  takeWork(draft, subtask, "released");
  return `Released. \`${subtask.id}\` is offered to others. End your turn.`;
}

function progress(draft: Draft, acting: Acting, action: Extract<Action, { kind: "progress" }>): string {
  const { member, session, task, input } = acting;
  const held = Object.values(task.subtasks).find(
    ({ lease, thread }) => lease?.agent === member.id && thread === session.thread,
  );
  if (held !== undefined) {
    const { text, percent } = action;
    touchSubtask(draft, { ...held, progress: { text, ...(percent === undefined ? {} : { percent }), ts: draft.now } });
  }
  const share = action.percent === undefined ? "" : ` (${action.percent} %)`;
  draft.say(input.call, {
    as: member.user,
    text: `⏳ ${action.text}${share}`,
    style: "notice",
    ...inThread(session),
    turn: markOf(session),
  });
  return "Noted. Go on.";
}

function concern(draft: Draft, acting: Acting, subtask: Subtask, action: Extract<Action, { kind: "concern" }>): string {
  const { member, input, session } = acting;
  const sign = { info: "ℹ️", warning: "⚠️", critical: "🚨" }[action.severity];
  draft.say(input.call, {
    as: member.user,
    text: `${sign} **Concern about \`${subtask.id}\`** ${action.note}`,
    ...inThread(subtask),
    turn: markOf(session),
    action: { kind: "concern", subtask: subtask.id, severity: action.severity },
  });
  keepNote(draft, subtask.id, `concern of ${member.id}: ${action.note}`);
  const did =
    action.severity === "info"
      ? "noted"
      : action.severity === "warning"
        ? "told its worker and the planner"
        : "asked a person";
  patrolled(draft, { kind: "concern", severity: action.severity, subtask: subtask.id, agent: member.id, did });
  if (action.severity === "info") return "Noted.";
  const worker = subtask.lease === undefined ? undefined : memberById(draft.world, subtask.lease.agent);
  const note = `${member.id} raises a concern about \`${subtask.id}\`: ${action.note}`;
  if (worker !== undefined) tell(draft, worker, subtask.thread, `${input.call}:worker`, note);
  const planner = plannerOf(draft);
  if (planner !== undefined) tell(draft, planner, undefined, `${input.call}:planner`, note);
  const now = draft.state.task?.subtasks[subtask.id];
  if (action.severity === "critical" && now !== undefined && now.ask === undefined && now.state !== "done") {
    askAboutSubtask(
      draft,
      now,
      "concern",
      spoken(`🚨 ${member.id} raises a critical concern about \`${subtask.id}\`:`, action.note),
    );
  }
  return "Raised.";
}

function askHuman(draft: Draft, input: Act, member: CrewMember, session: Acting["session"]): string {
  const { action } = input;
  if (action.kind !== "ask") return "Not done.";
  if ((draft.state.asks ?? []).some(({ matter }) => matter.kind === "question" && matter.session === input.session))
    return "Not done: a question of yours is still open here. End your turn; the answer wakes you.";
  if (action.options.length > 9) return "Not done: give at most 9 options.";
  ask(draft, {
    matter: { kind: "question", session: input.session, agent: member.id, turn: input.turn },
    text: spoken(`❓ **${member.name} asks:**`, action.question),
    options: action.options.map((label, index) => ({ id: `${index + 1}`, key: `${index + 1}\uFE0F\u20E3`, label })),
    timeout: "none",
    ...inThread(session),
  });
  return "Asked. End your turn now: the answer wakes you.";
}

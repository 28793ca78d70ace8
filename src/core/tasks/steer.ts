/** What people do to a task by commands. Every function returns the answer, in Markdown; who may is checked here. */
import { plannerOf } from "./team.ts";
import { inThread } from "../placement.ts";
import { headlineOf } from "../ask-text.ts";
import { withdraw } from "../asks.ts";
import { isUsedUp } from "../budget.ts";
import type { Draft } from "../draft.ts";
import type { AgentId, EffectId, UserId } from "../ids.ts";
import type { Message } from "../input.ts";
import { maySteer } from "../steering.ts";
import { memberById, nameIn } from "../world.ts";
import { known } from "./acting.ts";
import { assignTo } from "./assign.ts";
import { blockFor } from "./escalate.ts";
import { askForPlan, cancelTask, close, nobodyPlans } from "./advance.ts";
import { isClosed, subtasksOf, taskStateOf } from "./derive.ts";
import { openBudgetAsk } from "./budget.ts";
import { bring, endTurn, endTurnsOn, tell } from "./give.ts";
import { clearTask, moveSubtask, putTask, without } from "./ledger.ts";
import { pausedBy, pauseTask } from "./rest.ts";
import { cancelSubtask, planOf } from "./planning.ts";
import { overturn } from "./review.ts";
import { again } from "./settle.ts";
import { planList, statusLines } from "./show.ts";
import type { Subtask, SubtaskId, Task, Verdict } from "./task.ts";

const titleLimit = 200;
const noTask = "This is no task room. `!crew tasks` lists the tasks, `!crew new <title>` opens one.";
const notAllowed =
  "That needs power level 50 in this room, and the permission `supervise` (or `task`, for who asked for the task).";

export function openNew(draft: Draft, message: Message, title: string, brief: string): string {
  const lacking = nobodyPlans(draft);
  if (lacking !== undefined) return `I cannot open a task: ${lacking}. The operator sets \`roles\` under \`agents\`.`;
  const name = title.replace(/[\s\p{C}]+/gu, " ").trim();
  if (name === "") return "Give the task a title: `!crew new Build a CSV parser — with tests`.";
  if (name.length > titleLimit) return `The title has more than ${titleLimit} characters; put the rest behind a —.`;
  draft.emit({
    kind: "openTask",
    id: `${message.event}:task` as EffectId,
    title: name,
    brief: brief.trim(),
    asker: message.sender,
    cause: message.event,
    ...inThread(message),
  });
  // The answer is the room itself, as soon as it is there.
  return "";
}

export function tasksText(draft: Draft): string {
  const tasks = draft.world.roster.tasks();
  if (tasks.length === 0) return "There are no tasks. `!crew new <title>` opens one.";
  return tasks
    .map(({ number, title, state, done, total, room, waitsForPerson }) => {
      const waits = waitsForPerson ? ", **waits for a person**" : "";
      return `- [#${number}](https://matrix.to/#/${encodeURIComponent(room)}) ${title}: ${state}, ${done} of ${total} done${waits}`;
    })
    .join("\n");
}

export function statusText(draft: Draft): string {
  const { task, asks = [] } = draft.state;
  if (task === undefined) return noTask;
  const open = asks.map((ask) => `- ✋ \`${ask.id}\` ${headlineOf(ask)}`);
  const seen = task.patrol
    .slice(-3)
    .map(({ kind, subtask, did }) => `- 🛰️ ${kind}${subtask === undefined ? "" : ` \`${subtask}\``}: ${did}`);
  return [statusLines(task, nameIn(draft.world)), ...open, ...seen].join("\n");
}

export function planText(draft: Draft): string {
  const { task } = draft.state;
  if (task === undefined) return noTask;
  const specs = planOf(task);
  if (specs.length === 0) return "There is no plan yet.";
  const waits = task.proposal === undefined ? "" : "This plan waits for a person.\n\n";
  return `${waits}${planList(specs)}`;
}

export function scoresText(draft: Draft): string {
  const lines = [...draft.world.crew.values()].flatMap(({ id, name }) => {
    const { points, entries } = draft.world.roster.scoreOf(id);
    if (entries === 0) return [];
    const reasons = Object.entries(draft.world.roster.scoresByReason(id)).map(
      ([reason, count]) => `${reason} ${count}`,
    );
    return [{ points, line: `- **${name}** ${points} points: ${reasons.join(", ")}` }];
  });
  if (lines.length === 0) return "Nobody has a score yet.";
  return lines
    .toSorted((a, b) => b.points - a.points)
    .map(({ line }) => line)
    .join("\n");
}

/** The open task, for somebody who may steer it; else why not. */
function steered(draft: Draft, user: UserId): Task | string {
  const { task } = draft.state;
  if (task === undefined) return noTask;
  if (!maySteer(draft, user)) return notAllowed;
  return isClosed(task) ? `The task is ${taskStateOf(task)}.` : task;
}

function subtaskFor(draft: Draft, user: UserId, id: SubtaskId): Subtask | string {
  const task = steered(draft, user);
  if (typeof task === "string") return task;
  return task.subtasks[id] ?? `There is no subtask \`${id}\`. ${known(task)}`;
}

export function assignBy(draft: Draft, user: UserId, id: SubtaskId, agent: AgentId): string {
  const subtask = subtaskFor(draft, user, id);
  if (typeof subtask === "string") return subtask;
  if (subtask.ask !== undefined) withdraw(draft, subtask.ask, `${user} assigned it.`);
  let open = subtask;
  if (subtask.state === "working" && subtask.lease?.agent !== agent) {
    const released = moveSubtask(draft, without(subtask, "lease", "progress"), "release");
    endTurnsOn(draft, subtask);
    open = released ?? subtask;
  }
  const refusal = assignTo(draft, { ...open, tries: 0 }, agent);
  const member = memberById(draft.world, agent);
  if (refusal === undefined && member !== undefined) bring(draft, member, true);
  return refusal === undefined ? `\`${id}\` goes to ${agent} as soon as they are free.` : `Not done: ${refusal}`;
}

export function blockBy(draft: Draft, user: UserId, id: SubtaskId, why: string): string {
  const subtask = subtaskFor(draft, user, id);
  if (typeof subtask === "string") return subtask;
  if (["done", "cancelled", "blocked"].includes(subtask.state)) return `\`${id}\` is ${subtask.state}.`;
  blockFor(draft, subtask, why === "" ? `blocked by ${user}` : why);
  endTurnsOn(draft, subtask);
  return `\`${id}\` is blocked. \`!crew unblock ${id}\` lets it go on.`;
}

export function unblockBy(draft: Draft, user: UserId, id: SubtaskId): string {
  const subtask = subtaskFor(draft, user, id);
  if (typeof subtask === "string") return subtask;
  if (subtask.state !== "blocked") return `\`${id}\` is not blocked, but ${subtask.state}.`;
  if (subtask.ask !== undefined) withdraw(draft, subtask.ask, `${user} unblocked it.`);
  again(draft, subtask);
  return `\`${id}\` is offered again.`;
}

export function retryBy(draft: Draft, user: UserId, id: SubtaskId): string {
  const subtask = subtaskFor(draft, user, id);
  if (typeof subtask === "string") return subtask;
  if (subtask.ask !== undefined) withdraw(draft, subtask.ask, `${user} has it tried again.`);
  const fresh = { tries: 0, reviewTries: 0, passed: [], reviewPassed: [] };
  const ready = moveSubtask(
    draft,
    without(subtask, "lease", "reviewLease", "ask", "reason", "progress", "assigned"),
    "retry",
    fresh,
  );
  if (ready === undefined) return `\`${id}\` is ${subtask.state}; there is nothing to try again.`;
  endTurnsOn(draft, subtask);
  return `\`${id}\` is done anew.`;
}

export function pauseBy(draft: Draft, user: UserId, why: string): string {
  const task = steered(draft, user);
  if (typeof task === "string") return task;
  if (task.paused !== undefined) return `The task is paused already: ${task.paused}`;
  pauseTask(draft, pausedBy(user, why));
  return "Paused: nothing is worked on until `!crew resume`.";
}

export function resumeBy(draft: Draft, user: UserId): string {
  const task = steered(draft, user);
  if (typeof task === "string") return task;
  if (task.paused === undefined) return "The task is not paused.";
  const asked = openBudgetAsk(draft);
  if (asked !== undefined && isUsedUp(draft))
    return `The budget is used up, and \`${asked.id}\` asks whether the task goes on. \`!crew budget\` shows it, and sets another.`;
  clearTask(draft, "paused");
  putTask(draft, { lastAct: draft.now });
  // What follows asks a person again.
  if (isUsedUp(draft)) return "The budget is used up: you are asked whether the task goes on.";
  if (!task.planned && task.proposal === undefined && task.ask === undefined)
    askForPlan(draft, "The task goes on. Make the plan with plan_task.");
  return "The task goes on.";
}

export function cancelBy(draft: Draft, user: UserId, why: string): string {
  const task = steered(draft, user);
  if (typeof task === "string") return task;
  cancelTask(draft, user, why);
  return "Cancelled.";
}

/** A person's word that it is enough: what is open is dropped. */
export function doneBy(draft: Draft, user: UserId): string {
  const task = steered(draft, user);
  if (typeof task === "string") return task;
  const open = subtasksOf(task).filter(({ state }) => state !== "done" && state !== "cancelled");
  for (const { id } of open) cancelSubtask(draft, id);
  if (task.planner !== undefined) endTurn(draft, task.planner, undefined);
  clearTask(draft, "paused", "proposal");
  close(draft, user);
  return open.length === 0 ? "Done." : `Done; dropped: ${open.map(({ id }) => `\`${id}\``).join(", ")}.`;
}

/** Shows the rules of the task, or sets them; its agents hear of it with their next prompt. */
export function rulesBy(draft: Draft, user: UserId, text: string): string {
  const { task } = draft.state;
  if (task === undefined) return noTask;
  if (text === "") return task.rules === "" ? "The task has no rules of its own." : task.rules;
  const open = steered(draft, user);
  if (typeof open === "string") return open;
  putTask(draft, { rules: text });
  const told = `The rules of this task are now: ${text}`;
  for (const { lease, reviewLease, thread } of subtasksOf(open))
    for (const one of [lease, reviewLease]) {
      const member = one === undefined ? undefined : memberById(draft.world, one.agent);
      if (member !== undefined) tell(draft, member, thread, `rules:${open.version}:${member.id}`, told);
    }
  const planner = plannerOf(draft);
  if (planner !== undefined) tell(draft, planner, undefined, `rules:${open.version}`, told);
  return "The rules are set.";
}

export function overturnBy(draft: Draft, user: UserId, id: SubtaskId, verdict: Verdict, why: string): string {
  const subtask = subtaskFor(draft, user, id);
  if (typeof subtask === "string") return subtask;
  if (subtask.ask !== undefined) withdraw(draft, subtask.ask, `${user} decided.`);
  const told = overturn(draft, user, subtask, verdict, why === "" ? `${user} decided so` : why);
  endTurnsOn(draft, subtask);
  return told;
}

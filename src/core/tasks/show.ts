/** What people see of a task: texts of its messages, the room's name and topic. */
import { spentText, sumOf } from "../spent.ts";
import type { AgentId } from "../ids.ts";
import { openNeeds, progressOf, taskStateOf } from "./derive.ts";
import type { Subtask, SubtaskSpec, SubtaskState, Task, TaskState } from "./task.ts";
import { inOneLine } from "../verbatim.ts";

export const taskSigns: Readonly<Record<TaskState, string>> = {
  planning: "📝",
  active: "⏳",
  approval: "✋",
  paused: "⏸️",
  done: "✅",
  cancelled: "❌",
};

const subtaskSigns: Readonly<Record<SubtaskState, string>> = {
  waiting: "💤",
  ready: "🟡",
  working: "🔨",
  review: "🔍",
  rework: "🔁",
  blocked: "🚧",
  done: "✅",
  cancelled: "❌",
};

const nameLimit = 100;
const segmenter = new Intl.Segmenter();

export function roomName(task: Task): string {
  const name = `${taskSigns[taskStateOf(task)]} #${task.number} ${task.title}`;
  // By what people see as characters: half an emoji is no JSON that a homeserver takes.
  const characters = Array.from(segmenter.segment(name), ({ segment }) => segment);
  return characters.length <= nameLimit ? name : `${characters.slice(0, nameLimit - 1).join("")}…`;
}

export function roomTopic(task: Task): string {
  const state = taskStateOf(task);
  const { done, total } = progressOf(task);
  if (state === "planning") return task.proposal === undefined ? "planning" : "planning · the plan waits for a person";
  const waits = state === "approval" ? " · waits for a person's approval" : "";
  const why = state === "paused" ? ` · ${task.paused ?? ""}` : "";
  return `${state} · ${done} of ${total} done${waits}${why}`;
}

/** What people call an agent. */
export type NameOf = (agent: AgentId) => string;

/** Who does what now, in a few words. */
export function statusOf(task: Task, subtask: Subtask, nameOf: NameOf): string {
  const { state, lease, reviewLease, rework, reason, worker } = subtask;
  const called = (agent: AgentId | undefined, otherwise: string): string =>
    agent === undefined ? otherwise : nameOf(agent);
  const round = rework > 0 ? `, round ${rework + 1}` : "";
  switch (state) {
    case "waiting":
      return `waits for ${openNeeds(task, subtask)
        .map((id) => `\`${id}\``)
        .join(", ")}`;
    case "ready":
      return subtask.assigned === undefined ? "waits for a worker" : `waits for ${nameOf(subtask.assigned)}`;
    case "working":
      return `${called(lease?.agent, "somebody")} works on it${round}`;
    case "review":
      if (subtask.merging !== undefined) return "approved, is being merged";
      return reviewLease === undefined ? "waits for a reviewer" : `${nameOf(reviewLease.agent)} reviews it${round}`;
    case "rework":
      return subtask.ask === undefined
        ? `goes back to ${called(worker, "a worker")}${round}`
        : "waits for a person's decision";
    case "blocked":
      return `blocked: ${reason ?? "no reason given"}`;
    case "done":
      return `done by ${called(subtask.submission?.by ?? worker, "somebody")}${rework > 0 ? ` after ${rework} rework` : ""}`;
    case "cancelled":
      return "dropped";
  }
}

/** The root message of a subtask's thread. */
export function rootText(task: Task, subtask: Subtask, nameOf: NameOf): string {
  const list = subtask.acceptance.map((criterion) => `\n- ${criterion}`).join("");
  return `${subtaskSigns[subtask.state]} **\`${subtask.id}\` ${subtask.title}** — ${statusOf(task, subtask, nameOf)}\n\n${subtask.deliverable}\n${list}`;
}

export function planList(specs: readonly SubtaskSpec[]): string {
  return specs
    .map((spec, index) => {
      const needs =
        spec.depends_on.length === 0 ? "" : `, after ${spec.depends_on.map((id) => `\`${id}\``).join(", ")}`;
      const minutes = spec.estimate_minutes === undefined ? "" : `, about ${spec.estimate_minutes} min`;
      const who = spec.capability === undefined ? "" : `, for ${spec.capability}`;
      // Each in a line of its own: nothing of one subtask can read as another, or stay unseen.
      const criteria = spec.acceptance.map((criterion) => `\n   - ${inOneLine(criterion)}`).join("");
      return `${index + 1}. **\`${spec.id}\` ${inOneLine(spec.title)}**${needs}${who}${minutes}: ${inOneLine(spec.deliverable)}${criteria}`;
    })
    .join("\n");
}

export function statusLines(task: Task, nameOf: NameOf): string {
  const lines = Object.values(task.subtasks).map((subtask) => {
    const { id, title, state, progress } = subtask;
    const share = progress?.percent === undefined ? "" : `, ${progress.percent} %`;
    return `- ${subtaskSigns[state]} \`${id}\` ${title}: ${statusOf(task, subtask, nameOf)}${share}`;
  });
  const { done, total } = progressOf(task);
  const spent = sumOf(task.spent);
  const used = spent.tokens === 0 ? "" : ` Used: ${spentText(spent)}.`;
  return [
    `**#${task.number} ${task.title}** is ${taskStateOf(task)}${task.paused === undefined ? "" : ` (${task.paused})`}: ${done} of ${total} done.${used}`,
    ...lines,
  ].join("\n");
}

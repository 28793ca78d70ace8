/**
 * The pinned message of a task's room: where it stands, and what waits for a person. It is the room's first message, edited
 * when what it says changes. How far each subtask is stands in their own messages and in the topic.
 */
import { headlineOf } from "../ask-text.ts";
import { taskLimits } from "../budget.ts";
import type { Draft } from "../draft.ts";
import { idFrom } from "../draft.ts";
import type { EffectId, EventId } from "../ids.ts";
import { amounts, shareOf, sumOf } from "../spent.ts";
import { taskStateOf } from "./derive.ts";
import { remember } from "./ledger.ts";
import { taskSigns } from "./show.ts";
import type { Task } from "./task.ts";

/** The message that opens a task's room, and after a rebuild or an upgrade the one that stands in for it. */
export function statusEffect(draft: Draft): EffectId {
  return `${draft.state.room}:opened` as EffectId;
}

export function sayStatus(draft: Draft): void {
  const { task } = draft.state;
  if (task === undefined) return;
  const text = statusText(draft, task);
  const brief = briefText(draft, task);
  draft.say(statusEffect(draft), { as: draft.world.bot, text, brief, action: { kind: "opened", task: task.number } });
  remember(draft, "status", text);
}

/** It is in the room: from now on people find it among the pinned messages. */
export function statusSaid(draft: Draft, event: EventId): void {
  const { task, room } = draft.state;
  if (task === undefined || task.status === event) return;
  draft.set({ task: { ...task, status: event } });
  draft.emit({
    kind: "state",
    id: `${room}:pinned:${event}` as EffectId,
    type: "m.room.pinned_events",
    key: "",
    content: { pinned: [event] },
  });
}

/** Edits it when it no longer says what is so. */
export function mirrorStatus(draft: Draft): void {
  const { task } = draft.state;
  if (task?.status === undefined) return;
  const text = statusText(draft, task);
  if (task.shown["status"] === idFrom(text)) return;
  const prefix = `${statusEffect(draft)}:v`;
  draft.drop((effect) => effect.kind === "say" && effect.id.startsWith(prefix));
  remember(draft, "status", text);
  draft.say(`${prefix}${draft.state.task?.version ?? 0}`, {
    as: draft.world.bot,
    text,
    brief: briefText(draft, task),
    replaces: { event: task.status },
    action: { kind: "opened", task: task.number },
  });
}

/** Without what the task was opened with, which may be a whole document. */
function briefText(draft: Draft, task: Task): string {
  return statusText(draft, { ...task, brief: "" });
}

/** More open questions than this are counted; `!crew status` lists all. */
const listed = 20;

function statusText(draft: Draft, task: Task): string {
  const { state } = draft;
  const { number, title, asker, brief, paused } = task;
  const is = taskStateOf(task);
  const why = is === "paused" && paused !== undefined ? ` (${paused})` : "";
  const { asks = [] } = state;
  const shown = asks.slice(0, listed).map((ask) => `- \`${ask.id}\` ${headlineOf(ask)}`);
  const open = asks.length > listed ? [...shown, `- … and ${asks.length - listed} more`] : shown;
  const waits = open.length === 0 ? [] : [`✋ **Waits for a person:**\n${open.join("\n")}`];
  return [
    `${taskSigns[is]} **#${number} ${title}**, asked for by ${asker}: ${is}${why}`,
    ...(brief === "" ? [] : [brief]),
    ...waits,
    ...budgetLine(draft, task),
    "What you say here reaches the planner. `!crew status` shows where it stands, `!crew help` what you can do.",
  ].join("\n\n");
}

/** In steps of so many percent: every one that is shown costs an edit. */
const budgetStep = 20;

function budgetLine(draft: Draft, task: Task): readonly string[] {
  const limits = taskLimits(draft);
  if (limits.tokens === undefined && limits.microusd === undefined) return [];
  const step = Math.floor(shareOf(sumOf(task.spent), limits) / budgetStep) * budgetStep;
  const used = step === 0 ? `less than ${budgetStep} % of it is` : `${step} % of it or more are`;
  return [`💸 Budget: ${amounts(limits)}; ${used} used. \`!crew budget\` tells more.`];
}

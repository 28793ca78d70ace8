/** Where the life of a room touches its task: who comes and goes, what is said, what has been sent. */
import { plannerOf } from "./team.ts";
import type { Draft } from "../draft.ts";
import type { Effect } from "../effect.ts";
import type { EffectId, EventId, UserId } from "../ids.ts";
import type { Message, Snapshot } from "../input.ts";
import { maySteer } from "../steering.ts";
import { memberById } from "../world.ts";
import { askForPlan } from "./advance.ts";
import { askedForMore } from "./budget.ts";
import { isClosed, subtasksOf } from "./derive.ts";
import { filesJob } from "./files.ts";
import { takeReview, takeWork } from "./give.ts";
import { patrolled, putSubtask } from "./ledger.ts";
import { bringCrew } from "./open.ts";
import { askAboutPlan } from "./planning.ts";
import { movedTask, rebuildsOf, rebuiltTask } from "./rebuild.ts";
import { sayStatus, statusEffect, statusSaid } from "./status.ts";
import { rootEffect, type Task } from "./task.ts";

/** A message of the bot is in the room: if it is the root of a subtask's thread, work on it can begin. */
export function taskSaid(draft: Draft, effect: Effect, event: EventId): void {
  const { task } = draft.state;
  if (task === undefined) return;
  if (effect.id === statusEffect(draft)) statusSaid(draft, event);
  const subtask = subtasksOf(task).find(({ id }) => rootEffect(task.number, id) === effect.id);
  if (subtask !== undefined) putSubtask(draft, { ...subtask, thread: event });
}

/** An agent was removed, or left: its leases end. Its turns have been ended already. */
export function agentGone(draft: Draft, user: UserId): void {
  const { task } = draft.state;
  const agent = draft.world.crew.get(user)?.id;
  if (task === undefined || agent === undefined || isClosed(task)) return;
  for (const { id } of subtasksOf(task)) {
    const subtask = draft.state.task?.subtasks[id];
    if (subtask === undefined) continue;
    const works = subtask.lease?.agent === agent;
    if (!works && subtask.reviewLease?.agent !== agent) continue;
    // Whoever removed it does not want it back at once: others come first.
    if (works) takeWork(draft, { ...subtask, passed: [...new Set([...subtask.passed, agent])] }, "taken");
    else takeReview(draft, { ...subtask, reviewPassed: [...new Set([...subtask.reviewPassed, agent])] }, "taken");
    const did = `${agent} was removed; its ${works ? "work" : "review"} is offered to others`;
    patrolled(draft, { kind: "agent_gone", severity: "warning", subtask: id, agent, did });
  }
}

/** The last person who could decide here has left: supervisors elsewhere should know. */
export function personGone(draft: Draft, user: UserId): void {
  const { task, people, crowd } = draft.state;
  if (task === undefined || isClosed(task) || crowd || people.some((one) => maySteer(draft, one))) return;
  draft.announce(
    `${draft.state.room}:alone:${user}:${draft.now}`,
    `${user} has left the room of #${task.number} ${task.title}, and nobody who may steer the task is there. It goes on; what needs a person is told here.`,
  );
}

/**
 * Words that are addressed to nobody: in a subtask's thread they are for who works on it now, elsewhere a supervisor's
 * are for the planner. `true` when somebody hears them.
 */
export function wordsForTask(
  draft: Draft,
  message: Message,
): { readonly user: UserId; readonly thread?: EventId; readonly prefix: string } | undefined {
  const { task } = draft.state;
  if (task === undefined || message.mentions.length > 0) return undefined;
  const subtask =
    message.thread === undefined ? undefined : subtasksOf(task).find(({ thread }) => thread === message.thread);
  const holder = subtask?.lease?.agent ?? subtask?.reviewLease?.agent;
  const member = holder === undefined ? undefined : memberById(draft.world, holder);
  if (member !== undefined && subtask?.thread !== undefined)
    return { user: member.user, thread: subtask.thread, prefix: "" };
  if (!maySteer(draft, message.sender)) return undefined;
  const planner = plannerOf(draft);
  if (planner === undefined) return undefined;
  return { user: planner.user, prefix: subtask === undefined ? "" : `(About \`${subtask.id}\`:) ` };
}

/**
 * One of ours has read what the room is. A task that moved here with an upgrade goes on here; one that the store does
 * not know is learnt from the room's state.
 */
export function taskRead(draft: Draft, snapshot: Snapshot, moved: Task | undefined): void {
  if (draft.state.task !== undefined) return;
  const task =
    moved === undefined ? rebuiltTask(draft.world, snapshot.crewroom ?? [], draft.now) : movedTask(moved, draft.now);
  if (task === undefined) return;
  // A command may still name a question of before: its id must not be another one's now.
  draft.set({ task, ...(moved === undefined ? { asked: rebuildsOf(task) * idsBetween } : {}) });
  if (moved !== undefined) markRoom(draft, task);
  if (isClosed(task)) return;
  const text =
    moved === undefined
      ? "♻️ I lost my notes and read this task from the room. What was being worked on is offered again; what you were asked I ask again."
      : "♻️ The task goes on in this room. What was being worked on is offered again; what you were asked I ask again.";
  draft.notice(`${draft.state.room}:rebuilt:${draft.now}`, text);
  if (moved !== undefined) sayStatus(draft);
  if (moved !== undefined && task.files !== undefined)
    filesJob(draft, `${draft.state.room}:republish`, { kind: "republish" });
  bringCrew(draft);
  // What was asked about the task itself is asked here: the questions stay behind in the other room, or are lost.
  if (moved?.proposal !== undefined) askAboutPlan(draft, moved.proposal);
  else if (!task.planned && task.planner !== undefined && task.paused === undefined) askForPlan(draft);
  askedForMore(draft);
}

/** More questions than a room has between two losses of the store. */
const idsBetween = 1_000;

/** Says whose room this is, as its creation did in the one before: from that, others know whose messages count. */
function markRoom(draft: Draft, { number }: Task): void {
  draft.emit({
    kind: "state",
    id: `${draft.state.room}:mark` as EffectId,
    type: "dev.crewroom.room",
    key: "",
    content: { kind: "task", task: number, coordinator: draft.world.bot, v: 1 },
  });
}

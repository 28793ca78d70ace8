/**
 * The room as the record: what people and other bridges see of the task, and what a lost store is rebuilt from. Only
 * what differs from what was shown last goes out; of several changes that wait, only the newest.
 */
import { sumOf } from "../spent.ts";
import { inThread } from "../placement.ts";
import type { Draft } from "../draft.ts";
import { idFrom } from "../draft.ts";
import type { AgentId, EffectId } from "../ids.ts";
import { agentUserId } from "../ids.ts";
import { maySpeak } from "../power.ts";
import { type CrewMember, nameIn } from "../world.ts";
import { progressOf, taskStateOf } from "./derive.ts";
import { remember } from "./ledger.ts";
import { mirrorStatus } from "./status.ts";
import { roomName, roomTopic, rootText } from "./show.ts";
import { type Lease, rootEffect, type Subtask, type Task } from "./task.ts";

export function mirror(draft: Draft): void {
  if (draft.state.task === undefined) return;
  for (const { id } of Object.values(draft.state.task.subtasks)) mirrorSubtask(draft, id);
  const { task } = draft.state;
  // Read before anything is remembered: the version is a part of what is shown.
  const topic = { topic: roomTopic(task) };
  state(
    draft,
    "task",
    "dev.crewroom.task",
    "",
    taskContent(draft, task),
    taskContent(draft, { ...task, version: 0, spent: {} }),
  );
  const { head } = task.files ?? {};
  if (head !== undefined) state(draft, "head", "dev.crewroom.head", "", headContent(task), head);
  for (const member of draft.world.crew.values()) mirrorAgent(draft, member);
  state(draft, "name", "m.room.name", "", { name: roomName(task) });
  state(draft, "topic", "m.room.topic", "", topic);
  mirrorStatus(draft);
}

function headContent({ files }: Task): Readonly<Record<string, unknown>> {
  return { v: 1, ...files?.head, branches: files?.heads };
}

/**
 * Who of the crew takes part, for other bridges and clients. The key is the user's id without its @: a state key that
 * begins with one may only be written by that user (Matrix spec, authorization rules).
 */
function mirrorAgent(draft: Draft, member: CrewMember): void {
  const place = draft.state.seats[member.user]?.place;
  const shown = `agent/${member.id}`;
  const isHere = place === "joined";
  if (!isHere && (draft.state.task?.shown[shown] === undefined || place === "invited")) return;
  const { roles, runtime } = member;
  const is = isHere ? (maySpeak(draft.state, member.user) ? "active" : "muted") : "removed";
  state(draft, shown, "dev.crewroom.agent", member.user.slice(1), { v: 1, roles, runtime, state: is });
}

function mirrorSubtask(draft: Draft, id: string): void {
  const { task } = draft.state;
  const subtask = task?.subtasks[id];
  if (task === undefined || subtask === undefined) return;
  // What has not changed is shown already. One that waits also tells of others.
  const isShown = task.shown[`subtask/${id}`] !== undefined || subtask.thread === undefined;
  if (isShown && subtask === draft.before.task?.subtasks[id] && subtask.state !== "waiting") return;
  const text = rootText(task, subtask, nameIn(draft.world));
  if (task.shown[`root/${id}`] === undefined) {
    draft.say(rootEffect(task.number, id), { as: draft.world.bot, text, action: { kind: "subtask", subtask: id } });
    remember(draft, `root/${id}`, text);
  } else if (subtask.thread !== undefined && task.shown[`root/${id}`] !== idFrom(text)) {
    const { thread } = subtask;
    const prefix = `${rootEffect(task.number, id)}:v`;
    draft.drop((effect) => effect.kind === "say" && effect.id.startsWith(prefix));
    draft.say(`${prefix}${task.version}`, {
      as: draft.world.bot,
      text,
      replaces: { event: thread },
      action: { kind: "subtask", subtask: id },
    });
    remember(draft, `root/${id}`, text);
  }
  // Without its thread it is not complete, and follows as soon as that is known.
  if (subtask.thread === undefined) return;
  const content = subtaskContent(draft, subtask);
  // A lease is renewed all the time; that is worth an event when half of it is over.
  const half = (lease: Lease | undefined, seconds: number): unknown =>
    lease === undefined ? undefined : Math.floor(lease.until / (seconds * 500));
  const { lease_seconds: work, review_lease_seconds: review } = draft.world.tasks;
  const compared = {
    ...subtaskContent(draft, { ...subtask, version: 0 }),
    lease: [subtask.lease?.epoch, half(subtask.lease, work)],
    review: { ...content.review, expires_ts: half(subtask.reviewLease, review) },
  };
  state(draft, `subtask/${id}`, "dev.crewroom.subtask", id, content, compared);
}

/** @param compared What decides whether it has changed. Default: the content. */
function state(
  draft: Draft,
  shown: string,
  type: string,
  key: string,
  content: Readonly<Record<string, unknown>>,
  compared: unknown = content,
): void {
  const { task, room } = draft.state;
  const text = JSON.stringify(compared);
  if (task === undefined || task.shown[shown] === idFrom(text)) return;
  draft.drop((effect) => effect.kind === "state" && effect.type === type && effect.key === key);
  const id = `${room}:state:${shown}:${task.version}` as EffectId;
  draft.emit({ kind: "state", id, type, key, content });
  remember(draft, shown, text);
}

/** What the room's creation has shown already. */
export function shownAtFirst(task: Task): Task["shown"] {
  return {
    name: idFrom(JSON.stringify({ name: roomName(task) })),
    topic: idFrom(JSON.stringify({ topic: roomTopic(task) })),
  };
}

export function taskContent(draft: Draft, task: Task): Readonly<Record<string, unknown>> {
  const { tasks } = draft.world;
  return {
    v: 1,
    id: task.number,
    title: task.title,
    brief: task.brief,
    state: taskStateOf(task),
    policy: { plan_approval: tasks.plan_approval, final_approval: tasks.final_approval, max_rework: tasks.max_rework },
    version: task.version,
    progress: progressOf(task),
    asker: task.asker,
    created: task.created,
    planned: task.planned,
    ...(task.rules === "" ? {} : { rules: task.rules }),
    ...(task.planner === undefined ? {} : { planner: task.planner }),
    ...(task.paused === undefined ? {} : { paused: task.paused }),
    ...(task.cancelled === undefined ? {} : { cancelled: task.cancelled }),
    ...(task.finished === undefined ? {} : { finished: task.finished }),
    spent: { ...sumOf(task.spent), by: task.spent },
    ...(task.budget === undefined ? {} : { budget: task.budget }),
    ...(task.status === undefined ? {} : { status: task.status }),
    order: Object.keys(task.subtasks),
  };
}

interface SubtaskContent extends Readonly<Record<string, unknown>> {
  readonly review: Readonly<Record<string, unknown>>;
}

export function subtaskContent(draft: Draft, subtask: Subtask): SubtaskContent {
  const mxid = (agent: AgentId): string => agentUserId(agent, draft.world.server);
  const { lease, reviewLease, submission, worker, scores, estimate_minutes: minutes } = subtask;
  const last = subtask.reviews.filter(({ overturned }) => overturned === undefined).at(-1);
  const holder = lease?.agent ?? (subtask.state === "ready" ? undefined : worker);
  return {
    v: 1,
    title: subtask.title,
    deliverable: subtask.deliverable,
    acceptance: subtask.acceptance,
    depends_on: subtask.depends_on,
    ...(subtask.capability === undefined ? {} : { capability: subtask.capability }),
    ...(minutes === undefined ? {} : { estimate_minutes: minutes }),
    state: subtask.state,
    since: subtask.since,
    ...(holder === undefined ? {} : { holder: mxid(holder) }),
    ...(lease === undefined ? {} : { lease: { epoch: lease.epoch, expires_ts: lease.until } }),
    epoch: subtask.epoch,
    rework: subtask.rework,
    ...(submission === undefined ? {} : { submission: { ...submission, by: mxid(submission.by) } }),
    ...(submission?.commit === undefined ? {} : { commit: submission.commit }),
    review: {
      ...(reviewLease === undefined
        ? {}
        : { reviewer: mxid(reviewLease.agent), epoch: reviewLease.epoch, expires_ts: reviewLease.until }),
      ...(reviewLease !== undefined || last === undefined
        ? {}
        : {
            reviewer: last.reviewer.startsWith("@") ? last.reviewer : mxid(last.reviewer as AgentId),
            verdict: last.verdict,
            score: last.score,
            issues: last.issues,
            submission: last.submission,
            ...(submission?.commit === undefined || last.submission !== submission.id
              ? {}
              : { commit: submission.commit }),
            comment: last.comment,
            ts: last.ts,
          }),
    },
    ...(subtask.reason === undefined ? {} : { reason: subtask.reason }),
    version: subtask.version,
    ...inThread(subtask),
    scores,
  };
}

/**
 * A task from its room's state events, when the store was lost. Leases are not taken over, since nobody works any more:
 * what ran is offered again under a new epoch, and what people were asked they are asked again.
 */
import type { Limits, Spent } from "../spent.ts";
import { branchOf, noFiles } from "../files.ts";
import { type AgentId, agentUserId, asAgentId, asCommitHash, asEventId, asUserId, type EventId } from "../ids.ts";
import type { CrewroomState } from "../input.ts";
import type { World } from "../world.ts";
import type { Review, ScoreEntry, Submission, Subtask, SubtaskState, Task } from "./task.ts";

type Json = Readonly<Record<string, unknown>>;

/** Far above what was in use: versions make ids of messages, and the homeserver remembers the old ones. */
const versionGap = 100_000;

/** How often a task was read from its room. */
export function rebuildsOf({ version }: Pick<Task, "version">): number {
  return Math.floor(version / versionGap);
}

const states: readonly SubtaskState[] = [
  "waiting",
  "ready",
  "working",
  "review",
  "rework",
  "blocked",
  "done",
  "cancelled",
];

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function object(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

/** `undefined` when the room is no task room, or its state cannot be read. */
export function rebuiltTask(world: World, events: readonly CrewroomState[], now: number): Task | undefined {
  const content = events.find(({ type, key }) => type === "dev.crewroom.task" && key === "")?.content;
  const asker = asUserId(content?.["asker"]);
  if (content === undefined || asker === undefined || typeof content["id"] !== "number") return undefined;
  const subtasks = events.filter(({ type }) => type === "dev.crewroom.subtask");
  const order = texts(content["order"]);
  const place = (id: string): number => (order.includes(id) ? order.indexOf(id) : order.length);
  const sorted = subtasks.toSorted((a, b) => place(a.key) - place(b.key));
  const finished = object(content["finished"]);
  const finisher = asUserId(finished?.["by"]);
  const cancelled = object(content["cancelled"]);
  const status = asEventId(content["status"]);
  const canceller = asUserId(cancelled?.["by"]);
  const planner = [...world.crew.values()].find(({ id }) => id === content["planner"])?.id;
  return {
    number: content["id"],
    title: text(content["title"]),
    brief: text(content["brief"]),
    rules: text(content["rules"]),
    asker,
    created: count(content["created"]),
    ...filesIn(events),
    version: count(content["version"]) + versionGap,
    subtasks: Object.fromEntries(sorted.map(({ key, content: own }) => [key, subtaskOf(world, key, own, now)])),
    planned: content["planned"] === true,
    planFailures: 0,
    ...(planner === undefined ? {} : { planner }),
    ...(typeof content["paused"] === "string" ? { paused: content["paused"] } : {}),
    ...(status === undefined ? {} : { status }),
    ...(canceller === undefined ? {} : { cancelled: { by: canceller, why: text(cancelled?.["why"]) } }),
    ...(finisher === undefined ? {} : { finished: { by: finisher, ts: count(finished?.["ts"]) } }),
    spent: spentIn(content["spent"]),
    ...budgetIn(content["budget"]),
    budgetTold: 0,
    lastAct: now,
    patrol: [],
    // Its root messages are there; all else is shown once more, which changes nothing where it is equal.
    shown: Object.fromEntries(
      sorted.filter(({ content: own }) => asEventId(own["thread"])).map(({ key }) => [`root/${key}`, ""]),
    ),
    notes: [],
  };
}

function whole(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** What its agents used. Of one that has left the crew as well: it was paid for. */
function spentIn(value: unknown): Task["spent"] {
  const by = Object.entries(object(object(value)?.["by"]) ?? {});
  return Object.fromEntries(
    by.flatMap(([name, own]) => {
      const agent = asAgentId(name);
      const { tokens, microusd, unpriced, estimated } = object(own) ?? {};
      if (agent === undefined) return [];
      const spent: Spent = {
        tokens: whole(tokens),
        microusd: whole(microusd),
        unpriced: whole(unpriced),
        estimated: whole(estimated),
      };
      return [[agent, spent] as const];
    }),
  );
}

function budgetIn(value: unknown): Pick<Task, "budget"> {
  const content = object(value);
  if (content === undefined) return {};
  return { budget: { now: limitsIn(content["now"]), each: limitsIn(content["each"]) } };
}

function limitsIn(value: unknown): Limits {
  const { tokens, microusd } = object(value) ?? {};
  return {
    ...(whole(tokens) === 0 ? {} : { tokens: whole(tokens) }),
    ...(whole(microusd) === 0 ? {} : { microusd: whole(microusd) }),
  };
}

/**
 * The heads of its branches as the room shows them. Where a repository is further than that, its newer commits are told
 * (again); where there is none any more, it is put together from the room.
 */
function filesIn(events: readonly CrewroomState[]): Pick<Task, "files"> {
  const content = events.find(({ type, key }) => type === "dev.crewroom.head" && key === "")?.content;
  const commit = asCommitHash(content?.["commit"]);
  const message = asEventId(content?.["message"]);
  const told = Object.entries(object(content?.["branches"]) ?? {});
  const handedIn = events
    .filter(({ type }) => type === "dev.crewroom.subtask")
    .map(({ key, content: own }) => [branchOf(key), own["commit"]] as const);
  const heads = [...told, ...handedIn].flatMap(([branch, head]) => {
    const hash = asCommitHash(head);
    return hash === undefined ? [] : [[branch, hash] as const];
  });
  if (heads.length === 0) return {};
  const head = commit === undefined || message === undefined ? {} : { head: { commit, message } };
  return { files: { ...noFiles, forgotten: true, heads: Object.fromEntries(heads), ...head } };
}

/** A task that goes on in the room that replaced its own: its threads and questions stay behind. */
export function movedTask(task: Task, now: number): Task {
  const { proposal: _plan, finalAsk: _final, ask: _ask, status: _status, ...kept } = task;
  const subtasks = Object.values(task.subtasks).map((subtask) => {
    const { thread: _thread, lease: _lease, reviewLease: _review, ask: _asked, ...rest } = subtask;
    const state = subtask.state === "working" ? (subtask.rework > 0 ? "rework" : "ready") : subtask.state;
    return [subtask.id, { ...rest, state, since: now }] as const;
  });
  return { ...kept, subtasks: Object.fromEntries(subtasks), shown: {}, lastAct: now };
}

function agentOf(world: World, user: unknown): AgentId | undefined {
  return [...world.crew.values()].find(({ id }) => agentUserId(id, world.server) === user)?.id;
}

function subtaskOf(world: World, id: string, content: Json, now: number): Subtask {
  const was = states.find((state) => state === content["state"]) ?? "waiting";
  const worker = agentOf(world, content["holder"]);
  const submission = submissionOf(world, content["submission"]);
  const review = reviewOf(world, content["review"], submission);
  const thread: EventId | undefined = asEventId(content["thread"]);
  const epoch = count(content["epoch"]);
  const state = was === "working" ? (count(content["rework"]) > 0 ? "rework" : "ready") : was;
  const capability = text(content["capability"]);
  const minutes = count(content["estimate_minutes"]);
  return {
    id,
    title: text(content["title"]),
    deliverable: text(content["deliverable"]),
    acceptance: texts(content["acceptance"]),
    depends_on: texts(content["depends_on"]),
    ...(capability === "" ? {} : { capability }),
    ...(minutes > 0 ? { estimate_minutes: minutes } : {}),
    state: state === "review" && submission === undefined ? "ready" : state,
    version: count(content["version"]) + versionGap,
    // Nobody who still works under an old lease may hand in.
    epoch: epoch + 1,
    since: now,
    ...(worker === undefined ? {} : { worker }),
    rework: count(content["rework"]),
    ...(submission === undefined ? {} : { submission }),
    reviews: review === undefined ? [] : [review],
    tries: 0,
    reviewTries: 0,
    passed: [],
    reviewPassed: [],
    ...(typeof content["reason"] === "string" ? { reason: content["reason"] } : {}),
    scores: scoresOf(world, content["scores"]),
    ...(thread === undefined ? {} : { thread }),
    checked: [],
  };
}

function submissionOf(world: World, value: unknown): Submission | undefined {
  const content = object(value);
  const by = agentOf(world, content?.["by"]);
  if (content === undefined || by === undefined) return undefined;
  const commit = asCommitHash(content["commit"]);
  return {
    id: text(content["id"]),
    by,
    epoch: count(content["epoch"]),
    summary: text(content["summary"]),
    ts: count(content["ts"]),
    ...(commit === undefined ? {} : { commit }),
  };
}

function reviewOf(world: World, value: unknown, submission: Submission | undefined): Review | undefined {
  const content = object(value);
  const verdict = content?.["verdict"];
  const reviewer = agentOf(world, content?.["reviewer"]) ?? asUserId(content?.["reviewer"]);
  if (content === undefined || reviewer === undefined || (verdict !== "approve" && verdict !== "reject"))
    return undefined;
  return {
    reviewer,
    submission: text(content["submission"]) || (submission?.id ?? ""),
    verdict,
    score: count(content["score"]),
    issues: texts(content["issues"]),
    comment: text(content["comment"]),
    ts: count(content["ts"]),
  };
}

function scoresOf(world: World, value: unknown): readonly ScoreEntry[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one: unknown) => {
    const entry = object(one);
    const agent = [...world.crew.values()].find(({ id }) => id === entry?.["agent"])?.id;
    if (entry === undefined || agent === undefined) return [];
    return [{ agent, reason: text(entry["reason"]), points: count(entry["points"]), ts: count(entry["ts"]) }];
  });
}

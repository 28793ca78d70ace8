/** Whether a plan can be carried out. All problems are told at once, in words that a planner can act on. */
import type { RevisedSpec } from "./actions.ts";
import type { Subtask, SubtaskId, SubtaskSpec, Task } from "./task.ts";

export interface PlanLimits {
  readonly max_subtasks: number;
  /** Roles and capabilities of the executors: what a subtask may ask for. */
  readonly capabilities: readonly string[];
}

const idPattern = /^[a-z0-9][a-z0-9_-]{0,39}$/;
const longest = { title: 200, deliverable: 2_000, criterion: 1_000, criteria: 30 };

/** Problems of a whole plan; empty when it can be carried out. */
export function planProblems(specs: readonly SubtaskSpec[], limits: PlanLimits): readonly string[] {
  if (specs.length === 0) return ["a plan needs at least one subtask"];
  if (specs.length > limits.max_subtasks) {
    return [`it has ${specs.length} subtasks; at most ${limits.max_subtasks} are allowed, so join small ones`];
  }
  const ids = specs.map(({ id }) => id);
  const known = new Set(ids);
  const doubles = [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];
  const problems = doubles.map((id) => `\`${id}\` stands there more than once`);
  for (const spec of specs) problems.push(...specProblems(spec, known, limits));
  const cycle = cycleOf(specs);
  if (cycle !== undefined) problems.push(`these wait for each other: ${cycle.map((id) => `\`${id}\``).join(" → ")}`);
  return problems;
}

function specProblems(spec: SubtaskSpec, known: ReadonlySet<SubtaskId>, limits: PlanLimits): string[] {
  const at = `\`${spec.id}\``;
  const problems: string[] = [];
  if (!idPattern.test(spec.id)) problems.push(`${at} is no id: use a-z, 0-9, - and _, at most 40 characters`);
  if (spec.title.trim() === "") problems.push(`${at} has no title`);
  if (spec.title.length > longest.title) problems.push(`${at}: its title has more than ${longest.title} characters`);
  if (spec.deliverable.trim() === "") problems.push(`${at} has no deliverable: say what is there when it is done`);
  if (spec.deliverable.length > longest.deliverable)
    problems.push(`${at}: its deliverable has more than ${longest.deliverable} characters`);
  const criteria = spec.acceptance.filter((criterion) => criterion.trim() !== "");
  if (criteria.length === 0) problems.push(`${at} has no acceptance criteria: give at least one that can be checked`);
  if (spec.acceptance.length > longest.criteria)
    problems.push(`${at} has more than ${longest.criteria} acceptance criteria`);
  if (spec.acceptance.some((criterion) => criterion.length > longest.criterion))
    problems.push(`${at}: an acceptance criterion has more than ${longest.criterion} characters`);
  for (const need of new Set(spec.depends_on)) {
    if (need === spec.id) problems.push(`${at} depends on itself`);
    else if (!known.has(need)) problems.push(`${at} depends on \`${need}\`, which is not in the plan`);
  }
  const { capability } = spec;
  if (capability !== undefined && !limits.capabilities.includes(capability)) {
    const there = limits.capabilities.length === 0 ? "" : ` Known: ${limits.capabilities.join(", ")}.`;
    problems.push(`${at} needs the capability “${capability}”, which no executor has.${there}`);
  }
  if (spec.estimate_minutes !== undefined && !(spec.estimate_minutes > 0))
    problems.push(`${at}: its estimate is not more than 0 minutes`);
  return problems;
}

/** One cycle of dependencies, its first id repeated at its end; `undefined` when there is none. */
export function cycleOf(specs: readonly Pick<SubtaskSpec, "id" | "depends_on">[]): readonly SubtaskId[] | undefined {
  const needs = new Map(specs.map(({ id, depends_on: on }) => [id, on]));
  const finished = new Set<SubtaskId>();
  const visit = (id: SubtaskId, path: readonly SubtaskId[]): readonly SubtaskId[] | undefined => {
    const start = path.indexOf(id);
    if (start >= 0) return [...path.slice(start), id];
    if (finished.has(id)) return undefined;
    for (const need of needs.get(id) ?? []) {
      if (need === id) continue; // told as “depends on itself”
      const cycle = visit(need, [...path, id]);
      if (cycle !== undefined) return cycle;
    }
    finished.add(id);
    return undefined;
  };
  for (const { id } of specs) {
    const cycle = visit(id, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

export interface Revision {
  /** The whole plan after it, without what is dropped. */
  readonly specs: readonly SubtaskSpec[];
  readonly dropped: readonly SubtaskId[];
  readonly problems: readonly string[];
}

export function specOf(subtask: Subtask): SubtaskSpec {
  const { id, title, deliverable, acceptance, depends_on, capability, estimate_minutes: minutes } = subtask;
  return {
    id,
    title,
    deliverable,
    acceptance,
    depends_on,
    ...(capability === undefined ? {} : { capability }),
    ...(minutes === undefined ? {} : { estimate_minutes: minutes }),
  };
}

/** Lays changes over the plan that is there (in force, or proposed). What is not listed stays as it is. */
export function revise(task: Task, changes: readonly RevisedSpec[], limits: PlanLimits): Revision {
  const base = new Map<SubtaskId, SubtaskSpec>(
    task.proposal !== undefined
      ? task.proposal.specs.map((spec) => [spec.id, spec])
      : Object.values(task.subtasks)
          .filter(({ state }) => state !== "cancelled")
          .map((subtask) => [subtask.id, specOf(subtask)]),
  );
  const problems: string[] = [];
  const dropped = new Set<SubtaskId>(task.proposal?.dropped);
  for (const { cancel, ...change } of changes) {
    const at = `\`${change.id}\``;
    const before = base.get(change.id);
    const now = task.subtasks[change.id]?.state;
    if (now === "done") {
      problems.push(`${at} is done and stays as it is; add another subtask for what is missing`);
    } else if (cancel === true) {
      if (before === undefined) problems.push(`${at} is not in the plan, so it cannot be dropped`);
      base.delete(change.id);
      dropped.add(change.id);
    } else if (now === "cancelled") {
      problems.push(`${at} was cancelled; use another id`);
    } else {
      const empty = { title: "", deliverable: "", acceptance: [], depends_on: [] };
      base.set(change.id, { ...(before ?? empty), ...change });
      dropped.delete(change.id);
    }
  }
  // What is dropped need not be waited for.
  const specs = [...base.values()].map((spec) => {
    const needs = spec.depends_on.filter((id) => !dropped.has(id));
    return needs.length === spec.depends_on.length ? spec : { ...spec, depends_on: needs };
  });
  const kept = specs.filter(({ id }) => task.subtasks[id]?.state !== "done");
  if (kept.length === 0 && changes.length > 0)
    problems.push("nothing would be left to do; ask a person to end the task");
  return { specs, dropped: [...dropped], problems: [...problems, ...planProblems(specs, limits)] };
}

/** Who of the crew can take which part of a task, and who is the best for it now. */
import { heldBack } from "../budget.ts";
import type { Draft } from "../draft.ts";
import type { AgentId } from "../ids.ts";
import { maySpeak } from "../power.ts";
import { type CrewMember, memberById } from "../world.ts";
import { standing } from "./scores.ts";
import { subtasksOf } from "./derive.ts";
import type { Subtask } from "./task.ts";

export type Role = "planner" | "executor" | "reviewer" | "patrol";

const roles: readonly string[] = ["planner", "executor", "reviewer", "patrol"] satisfies readonly Role[];

/** An agent with roles of its own only does work, too. */
export function hasRole(member: CrewMember, role: Role): boolean {
  if (member.roles.includes(role)) return true;
  return role === "executor" && !member.roles.some((own) => roles.includes(own));
}

/** The agent that plans this room's task and hears people's words; `undefined`: none, or it is no longer in the crew. */
export function plannerOf({ state, world }: Draft): CrewMember | undefined {
  return state.task?.planner === undefined ? undefined : memberById(world, state.task.planner);
}

export function membersWith(draft: Draft, role: Role): readonly CrewMember[] {
  return [...draft.world.crew.values()].filter((member) => hasRole(member, role));
}

export function capabilitiesOf(member: CrewMember): readonly string[] {
  return [...new Set([...member.roles, ...member.capabilities])];
}

/** What a subtask may ask for. */
export function knownCapabilities(draft: Draft): readonly string[] {
  return [...new Set(membersWith(draft, "executor").flatMap(capabilitiesOf))];
}

/** Whether an agent can be given work in this room at all: not removed, and not muted. Who was never in it is invited. */
function isAvailable(draft: Draft, member: CrewMember): boolean {
  const place = draft.state.seats[member.user]?.place;
  if (place === "banned" || place === "left") return false;
  return place !== "joined" || maySpeak(draft.state, member.user);
}

/** Subtasks and reviews that an agent holds in this room. */
export function loadHere(draft: Draft, agent: AgentId): number {
  const { task } = draft.state;
  if (task === undefined) return 0;
  return subtasksOf(task).filter(({ lease, reviewLease }) => lease?.agent === agent || reviewLease?.agent === agent)
    .length;
}

function load(draft: Draft, member: CrewMember): number {
  return loadHere(draft, member.id) + draft.world.roster.loadElsewhere(member.id, draft.state.room);
}

export function isFree(draft: Draft, member: CrewMember): boolean {
  return load(draft, member) < member.parallel;
}

/** Work for somebody whose turns are held back by a limit would only lie there. */
function mayBegin(draft: Draft, member: CrewMember): boolean {
  return isFree(draft, member) && !heldBack(draft, member.id);
}

/** All who could do the work now or later. */
export function workersFor(draft: Draft, subtask: Subtask): readonly CrewMember[] {
  const { capability, assigned } = subtask;
  return membersWith(draft, "executor").filter(
    (member) =>
      isAvailable(draft, member) &&
      (assigned === undefined || member.id === assigned) &&
      (capability === undefined || assigned !== undefined || capabilitiesOf(member).includes(capability)),
  );
}

/** All who could review: never who did the work. */
export function reviewersFor(draft: Draft, subtask: Subtask): readonly CrewMember[] {
  return membersWith(draft, "reviewer").filter(
    (member) => isAvailable(draft, member) && member.id !== subtask.submission?.by && member.id !== subtask.worker,
  );
}

/** Those who gave it back come last: when nobody else is left. */
function withoutPassed(members: readonly CrewMember[], passed: readonly AgentId[]): readonly CrewMember[] {
  const others = members.filter(({ id }) => !passed.includes(id));
  return others.length > 0 ? others : members;
}

/** The free one with the best standing and the least to do. Rework goes back to who knows the work. */
export function bestWorker(draft: Draft, subtask: Subtask): CrewMember | undefined {
  const able = withoutPassed(workersFor(draft, subtask), subtask.passed);
  const free = able.filter((member) => mayBegin(draft, member));
  const before = free.find(({ id }) => subtask.state === "rework" && id === subtask.worker);
  // A worker who is only busy for now is worth waiting for: somebody else would have to begin anew.
  const waits = subtask.state === "rework" && able.some(({ id }) => id === subtask.worker);
  return before ?? (waits ? undefined : best(draft, free));
}

export function bestReviewer(draft: Draft, subtask: Subtask): CrewMember | undefined {
  const able = withoutPassed(reviewersFor(draft, subtask), subtask.reviewPassed);
  return best(
    draft,
    able.filter((member) => mayBegin(draft, member)),
  );
}

/** The first of the config when they are equal. */
function best(draft: Draft, members: readonly CrewMember[]): CrewMember | undefined {
  const rank = (member: CrewMember): number => {
    const { points, entries } = draft.world.roster.scoreOf(member.id);
    return standing(points, entries) - load(draft, member);
  };
  return members.reduce<CrewMember | undefined>(
    (top, member) => (top === undefined || rank(member) > rank(top) ? member : top),
    undefined,
  );
}

export function bestPlanner(draft: Draft): CrewMember | undefined {
  return best(
    draft,
    membersWith(draft, "planner").filter((member) => isAvailable(draft, member)),
  );
}

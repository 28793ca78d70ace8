/** Giving work to agents, and taking it back. Every lease has a new epoch; what was asked under an older one is refused. */
import { withdrawLeave } from "../asks.ts";
import type { Draft } from "../draft.ts";
import type { Heard } from "../effect.ts";
import type { AgentId, EffectId, EventId } from "../ids.ts";
import { begin, conclude, hear, putSession, sessionKey } from "../turns.ts";
import { type CrewMember, memberById } from "../world.ts";
import { moveSubtask, putSubtask, score, without } from "./ledger.ts";
import { nudge, reviewPrompt, reworkPrompt, takeOverPrompt, workPrompt } from "./prompts.ts";
import type { Lease, Subtask, Work } from "./task.ts";

/**
 * Brings an agent into the room that was never in it. What it hears meanwhile waits until it has joined. Who was removed
 * stays away, unless a person wants it `back`.
 */
export function bring(draft: Draft, member: CrewMember, back = false): void {
  const seat = draft.state.seats[member.user];
  if (seat !== undefined && !(back && seat.place === "left")) return;
  const id = `${draft.state.room}:bring:${member.id}:${draft.state.task?.version ?? 0}` as EffectId;
  draft.set({ seats: { ...draft.state.seats, [member.user]: { place: "invited", direct: false } } });
  draft.emit({ kind: "invite", id, user: member.user, reason: "There is work for you in this task." });
}

/** Tells an agent something, as the bridge. `what` makes the id, so it must differ for every time that it is told. */
export function tell(
  draft: Draft,
  member: CrewMember,
  thread: EventId | undefined,
  what: string,
  text: string,
  work?: Work,
): void {
  bring(draft, member);
  const heard: Heard = {
    cause: `${draft.state.room}:${what}` as EffectId,
    from: draft.world.bot,
    text,
    hops: 0,
    ...(work === undefined ? {} : { work }),
  };
  hear(draft, member, thread, heard);
}

function leaseFor(draft: Draft, agent: AgentId, epoch: number, seconds: number): Lease {
  return { agent, epoch, since: draft.now, until: draft.now + seconds * 1_000, lapses: 0, said: [] };
}

/** @param prompt `false` for an agent that claimed it in a turn that runs: it knows. */
export function giveWork(draft: Draft, subtask: Subtask, member: CrewMember, prompt = true): Subtask | undefined {
  const { task } = draft.state;
  const epoch = subtask.epoch + 1;
  const lease = leaseFor(draft, member.id, epoch, draft.world.tasks.lease_seconds);
  const fresh = without(subtask, "assigned", "reason", "progress");
  const given = moveSubtask(draft, fresh, "lease", {
    epoch,
    lease,
    worker: member.id,
    started: subtask.started ?? draft.now,
  });
  if (given === undefined || task === undefined) return undefined;
  if (!prompt) return given;
  const isOwnRework = subtask.state === "rework" && subtask.worker === member.id;
  const text = isOwnRework
    ? reworkPrompt(subtask)
    : subtask.worker === undefined
      ? workPrompt(task, subtask)
      : takeOverPrompt(task, subtask);
  tell(draft, member, subtask.thread, `${subtask.id}:work:${epoch}`, text, {
    subtask: subtask.id,
    part: "work",
    epoch,
  });
  return given;
}

export function giveReview(draft: Draft, subtask: Subtask, member: CrewMember, prompt = true): void {
  const { task } = draft.state;
  if (task === undefined) return;
  const epoch = subtask.epoch + 1;
  const reviewLease = leaseFor(draft, member.id, epoch, draft.world.tasks.review_lease_seconds);
  putSubtask(draft, { ...subtask, epoch, reviewLease });
  if (!prompt) return;
  const work = { subtask: subtask.id, part: "review" as const, epoch };
  tell(draft, member, subtask.thread, `${subtask.id}:review:${epoch}`, reviewPrompt(task, subtask), work);
}

/** Prompts a holder again whose turn ended without a result. */
export function remind(draft: Draft, subtask: Subtask, lease: Lease, part: Work["part"]): void {
  const member = memberById(draft.world, lease.agent);
  if (member === undefined) return;
  const work = { subtask: subtask.id, part, epoch: lease.epoch };
  tell(
    draft,
    member,
    subtask.thread,
    `${subtask.id}:${part}:${lease.epoch}:${lease.lapses}`,
    nudge(subtask, part),
    work,
  );
}

/** Ends what an agent does in a subtask's thread: its turn, and what waits for it there from the bridge. */
export function endTurn(draft: Draft, agent: AgentId, thread: EventId | undefined): void {
  const key = sessionKey(agent, thread);
  withdrawLeave(draft, key);
  const session = draft.state.sessions[key];
  if (session === undefined) return;
  if (session.running !== undefined) {
    draft.fleeting.push({ kind: "abort", turn: session.running.id });
    conclude(draft, key);
  }
  const now = draft.state.sessions[key] ?? session;
  const queue = now.queue.filter((heard) => heard.work === undefined);
  putSession(draft, key, { ...now, queue });
  begin(draft, key);
}

/** Ends what its worker and its reviewer do in its thread. The leases themselves stay. */
export function endTurnsOn(draft: Draft, { lease, reviewLease, thread }: Subtask): void {
  for (const held of [lease, reviewLease]) if (held !== undefined) endTurn(draft, held.agent, thread);
}

export type Why = "released" | "expired" | "taken";

/**
 * Ends a lease of work without a result; the subtask is ready again. `expired` counts against the agent, `released` only
 * puts it last in line, and `taken` (a kick, a new plan) does neither.
 */
export function takeWork(draft: Draft, subtask: Subtask, why: Why): void {
  const { lease } = subtask;
  if (lease === undefined) return;
  const passed = why === "taken" ? subtask.passed : [...new Set([...subtask.passed, lease.agent])];
  const tries = why === "taken" ? subtask.tries : subtask.tries + 1;
  moveSubtask(draft, without(subtask, "lease", "progress"), "release", { passed, tries });
  if (why === "expired") score(draft, subtask.id, lease.agent, "lease_expired");
  if (why === "released") score(draft, subtask.id, lease.agent, "released");
}

export function takeReview(draft: Draft, subtask: Subtask, why: Why): void {
  const { reviewLease } = subtask;
  if (reviewLease === undefined) return;
  const reviewPassed =
    why === "taken" ? subtask.reviewPassed : [...new Set([...subtask.reviewPassed, reviewLease.agent])];
  const reviewTries = why === "taken" ? subtask.reviewTries : subtask.reviewTries + 1;
  putSubtask(draft, { ...without(subtask, "reviewLease"), reviewPassed, reviewTries });
  if (why === "expired") score(draft, subtask.id, reviewLease.agent, "review_expired");
}

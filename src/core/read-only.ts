/**
 * Rooms where the bridge can only read along. Work is only begun where its outcome can be shown; what is to be said waits
 * in the outbox until it can be, instead of failing for good.
 *
 *   at work ──the bot loses its power, or is removed; our server is denied──▶ locked ──all of that is over──▶ at work
 */
import type { Draft } from "./draft.ts";
import type { Effect } from "./effect.ts";
import type { EventId, UserId } from "./ids.ts";
import { mayInvite, maySend, maySpeak, mayWriteState } from "./power.ts";
import type { Lock, RoomState } from "./room.ts";
import { isServerAllowed } from "./server-acl.ts";
import { isClosed } from "./tasks/derive.ts";
import type { Lease, Task } from "./tasks/task.ts";
import { beginAll, takeBack } from "./turns.ts";
import type { World } from "./world.ts";

/** What the bot must be able to write for a task to go on. */
const taskState = ["dev.crewroom.task", "dev.crewroom.subtask", "dev.crewroom.head", "dev.crewroom.agent"] as const;

type Facts = Pick<World, "server" | "bot">;

function isRemoved({ bot }: Facts, state: RoomState): boolean {
  const place = state.seats[bot]?.place;
  return place === "left" || place === "banned";
}

/** What keeps the bridge from working in a room as it is now. */
export function lockOf(world: Facts, state: RoomState): Lock["why"] | undefined {
  if (!isServerAllowed(state.acl, world.server)) return "acl";
  const { task } = state;
  if (task === undefined || isClosed(task)) return undefined;
  if (isRemoved(world, state)) return "removed";
  const able = maySpeak(state, world.bot) && taskState.every((type) => mayWriteState(state, world.bot, type));
  return able ? undefined : "power";
}

/** Whether an effect would be refused now and so waits in the outbox. */
export function isHeldBack(world: Facts, state: RoomState, effect: Effect): boolean {
  const { bot } = world;
  const isDenied = !isServerAllowed(state.acl, world.server);
  const botIsGone = state.task !== undefined && isRemoved(world, state);
  const cannotSend = (user: UserId, type: string): boolean =>
    user === bot && botIsGone ? true : state.seats[user]?.place === "joined" && !maySend(state, user, type);
  switch (effect.kind) {
    case "say":
      return isDenied || cannotSend(effect.as, "m.room.message");
    case "react":
      return isDenied || cannotSend(effect.as, "m.reaction");
    case "redact":
      return isDenied || cannotSend(effect.as, "m.room.redaction");
    case "publish":
      return isDenied || cannotSend(bot, "m.room.message");
    case "state":
      return isDenied || botIsGone || !mayWriteState(state, bot, effect.type);
    case "invite":
      return isDenied || botIsGone || !mayInvite(state, bot);
    default:
      return false;
  }
}

/** What waited and can be done now goes out. */
export function release(draft: Draft, before: RoomState): void {
  const { world, state, outbox, fresh } = draft;
  const freed = outbox.filter((effect) => isHeldBack(world, before, effect) && !isHeldBack(world, state, effect));
  fresh.push(...freed.filter((effect) => !fresh.includes(effect)));
}

/** Looks whether the room can be worked in, and tells when that has changed. @param event What may have changed it. */
export function relock(draft: Draft, event?: EventId): void {
  const why = lockOf(draft.world, draft.state);
  const { lock } = draft.state;
  if (why === lock?.why) return;
  const cause = event ?? `${draft.state.room}:${draft.now}`;
  if (why === undefined) {
    unlock(draft, cause);
    return;
  }
  draft.set({ lock: { why, since: lock?.since ?? draft.now } });
  for (const key of Object.keys(draft.state.sessions)) takeBack(draft, key);
  tell(draft, `${cause}:locked`, `🔒 ${sentences[why]} I read along; nothing goes on there until that is mended.`);
  audit(draft, "read-only", why, event);
}

const sentences: Readonly<Record<Lock["why"], string>> = {
  acl: "The room's server ACL denies our own homeserver.",
  power:
    "I no longer have the power that my work needs: to speak, and to write the task's state (`dev.crewroom.*`, power level 100 where nobody changed it).",
  removed: "I was removed from the room of a task. Invite me again to let it go on.",
};

function unlock(draft: Draft, cause: string): void {
  const { lock, ...open } = draft.state;
  if (lock === undefined) return;
  draft.state = open;
  // Nobody is blamed for the time in which nothing could be done.
  if (open.task !== undefined) draft.set({ task: afterLock(open.task, draft.now - lock.since, draft.now) });
  tell(draft, `${cause}:unlocked`, "🔓 I can work here again, and go on.");
  audit(draft, "work goes on", lock.why, undefined);
  beginAll(draft);
}

/** Its leases last longer by the time that was lost, and all is shown once more: what is equal changes nothing. */
function afterLock(task: Task, lost: number, now: number): Task {
  const later = (lease: Lease): Lease => ({ ...lease, until: lease.until + lost });
  const subtasks = Object.values(task.subtasks).map((subtask) => {
    const { lease, reviewLease } = subtask;
    const leases = {
      ...(lease === undefined ? {} : { lease: later(lease) }),
      ...(reviewLease === undefined ? {} : { reviewLease: later(reviewLease) }),
    };
    return [subtask.id, { ...subtask, ...leases }] as const;
  });
  const roots = Object.entries(task.shown).filter(([key]) => key.startsWith("root/"));
  return { ...task, subtasks: Object.fromEntries(subtasks), shown: Object.fromEntries(roots), lastAct: now };
}

/** In HQ, and in the room where somebody of ours may still speak. */
function tell(draft: Draft, id: string, text: string): void {
  const { room, task } = draft.state;
  const where = task === undefined ? room : `#${task.number} ${task.title} (${room})`;
  draft.announce(id, `In ${where}: ${text}`);
  const as = isServerAllowed(draft.state.acl, draft.world.server) ? draft.voice() : undefined;
  if (as !== undefined) draft.say(id, { as, text, style: "notice" });
}

function audit(draft: Draft, what: string, because: Lock["why"], event: EventId | undefined): void {
  const by = draft.world.bot;
  draft.audit({ kind: "moderation", what, by, because, ...(event === undefined ? {} : { event }) });
}

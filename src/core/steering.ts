/** Who may do what in a room, and how somebody who may not is told. */
import { inThread } from "./placement.ts";
import type { Draft } from "./draft.ts";
import type { UserId } from "./ids.ts";
import type { MatrixInput, Message } from "./input.ts";
import { atLeast, levelOf, type Level } from "./permissions.ts";
import { powerOf, steeringPower } from "./power.ts";
import { refusedLimit } from "./room.ts";
import { silenceOf } from "./silence.ts";
import { isOwn } from "./world.ts";

export function may(draft: Draft, user: UserId, level: Level): boolean {
  if (silenceOf(draft.world, draft.state, user) !== undefined) return false;
  return atLeast(levelOf(draft.world.permissions, user), level);
}

/**
 * Whether a person may steer what happens in this room: a supervisor, or who asked for its task. Both need the power of a
 * moderator there, so that the room's own people can take it away. None of ours ever may.
 */
export function maySteer(draft: Draft, user: UserId): boolean {
  if (isOwn(draft.world, user) || powerOf(draft.state, user) < steeringPower) return false;
  const asked = draft.state.task?.asker === user;
  return may(draft, user, "supervise") || (asked && may(draft, user, "task"));
}

/** Who that is, for the sentence of a refusal. */
export const steerers = `the permission \`supervise\` (or \`task\`, for who asked for the task) and power level ${steeringPower} in this room`;

/** The same for the audit. */
export const steererShort = `level supervise, power ${steeringPower}`;

/** What somebody did who may not. */
export interface Refusal {
  readonly text: string;
  /** Who says it; without, who may. */
  readonly as?: UserId | undefined;
  /** What it was, for the audit: `message`, `reaction`, the command. */
  readonly what: string;
  /** What kept it from happening. */
  readonly because: string;
  /** Set where it is told once for each of these, and not once for everything. */
  readonly each?: string;
}

/** Whether something happens here for the first time, as far back as is remembered. */
export function markOnce(draft: Draft, mark: string): boolean {
  const { refused } = draft.state;
  if (refused.includes(mark)) return false;
  draft.set({ refused: [...refused, mark].slice(-refusedLimit) });
  return true;
}

/** Says once, politely, that something does not work here. Later attempts are passed over in silence. */
export function refuse(
  draft: Draft,
  {
    event,
    sender,
    thread,
    kind,
  }: Pick<Message, "event" | "sender" | "thread"> & { readonly kind?: MatrixInput["kind"] },
  { text, as, what, because, each }: Refusal,
): void {
  draft.notes.push({ kind: "refused", user: sender });
  const mark = each === undefined ? sender : `${each} ${sender}`;
  // Later attempts are passed over without a trace: a stranger cannot fill the log.
  if (!markOnce(draft, mark)) return;
  draft.audit({ kind: "refusal", what, by: sender, detail: text, event, because });
  // Words are replied to; a reaction cannot be.
  const reply = kind === "message" ? { replyTo: event } : {};
  const placed = { style: "notice" as const, mentions: [sender], ...reply, ...inThread({ thread }) };
  if (as === undefined) draft.notice(`${event}:refused`, text, placed);
  else draft.say(`${event}:refused`, { as, text, ...placed });
}

/** What lets somebody steer here, in the words of the audit. Only of those who {@link maySteer}. */
export function steersBy({ world, state }: Pick<Draft, "world" | "state">, user: UserId): string {
  const level = levelOf(world.permissions, user);
  const power = powerOf(state, user);
  const by = atLeast(level, "supervise") ? `level ${level}` : `asked for the task, level ${level}`;
  return `${by}, power ${power === Infinity ? "of a creator" : power}`;
}

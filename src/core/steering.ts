/** Who may do what in a room, and how somebody who may not is told. */
import { inThread } from "./placement.ts";
import type { Draft } from "./draft.ts";
import type { UserId } from "./ids.ts";
import type { Message } from "./input.ts";
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

/** Says once, politely, that something does not work here. Later attempts are passed over in silence. */
export function refuse(draft: Draft, message: Message, as: UserId | undefined, text: string): void {
  draft.notes.push({ kind: "refused", user: message.sender });
  if (draft.state.refused.includes(message.sender)) return;
  // Later attempts are passed over without a trace: a stranger cannot fill the log.
  draft.audit({ kind: "refusal", what: "message", by: message.sender, detail: text, event: message.event });
  draft.set({ refused: [...draft.state.refused, message.sender].slice(-refusedLimit) });
  const thread = inThread(message);
  const placed = { style: "notice" as const, mentions: [message.sender], ...thread };
  if (as === undefined) draft.notice(`${message.event}:refused`, text, placed);
  else draft.say(`${message.event}:refused`, { as, text, ...placed });
}

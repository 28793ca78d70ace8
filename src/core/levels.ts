/** Who may speak and steer changes with the room's power levels. */
import type { Draft } from "./draft.ts";
import type { AgentId, UserId } from "./ids.ts";
import type { PowerChange } from "./input.ts";
import { moderated } from "./moderation.ts";
import { relock, release } from "./read-only.ts";
import { may } from "./steering.ts";
import { maySpeak, powerOf, steeringPower } from "./power.ts";
import type { RoomState } from "./room.ts";
import { beginAll, takeBack } from "./turns.ts";

/** Whom the new levels mute falls silent: a running turn is taken back, and begins again when the mute ends. */
export function power(draft: Draft, input: PowerChange): void {
  const before = draft.state;
  draft.set({ power: input.power });
  draft.countChange();
  for (const { user, id } of draft.world.crew.values()) levelChanged(draft, before, user, id, input);
  for (const user of draft.state.people) steeringChanged(draft, before, user, input);
  relock(draft, input.event);
  release(draft, before);
  for (const [key, session] of Object.entries(draft.state.sessions)) {
    const speaker = [...draft.world.crew.values()].find((other) => other.id === session.agent);
    if (speaker !== undefined && !maySpeak(draft.state, speaker.user)) takeBack(draft, key);
  }
  moderated(draft);
  beginAll(draft);
}

/** Writes down a mute and its end. */
function levelChanged(
  draft: Draft,
  before: RoomState,
  user: UserId,
  agent: AgentId,
  { sender, event }: PowerChange,
): void {
  if (!draft.isJoined(user)) return;
  const [could, can] = [maySpeak(before, user), maySpeak(draft.state, user)];
  if (could !== can) draft.audit({ kind: "moderation", what: can ? "unmute" : "mute", by: sender, agent, event });
}

/** Writes down who may steer from now on, or no longer. */
function steeringChanged(draft: Draft, before: RoomState, user: UserId, { sender, event }: PowerChange): void {
  const [could, can] = [before, draft.state].map((state) => powerOf(state, user) >= steeringPower);
  if (could === can || !may(draft, user, "talk")) return;
  draft.audit({ kind: "moderation", what: can === true ? "promote" : "demote", by: sender, detail: user, event });
}

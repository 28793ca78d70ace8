/** Rooms that agents cannot read. */
import type { Draft } from "./draft.ts";
import { agentsHere } from "./listening.ts";
import { maySpeak } from "./power.ts";

const cannotRead =
  "This room is end-to-end encrypted, and I cannot read messages here. For a room where I can: start a direct chat with me, or create a new room with “Enable end-to-end encryption” switched off and invite me there.";

/** Said once a room, by the first agent that is in it. */
export function tellEncrypted(draft: Draft): void {
  if (!draft.state.encrypted || draft.state.toldEncrypted) return;
  const as = agentsHere(draft.world, draft.state).find((user) => draft.isJoined(user)) ?? draft.voice();
  if (as === undefined || !maySpeak(draft.state, as)) return;
  draft.set({ toldEncrypted: true });
  draft.say(`${draft.state.room}:encrypted`, { as, text: cannotRead, style: "notice" });
}

export function encryption(draft: Draft): void {
  draft.set({ encrypted: true });
  draft.countChange();
  tellEncrypted(draft);
}

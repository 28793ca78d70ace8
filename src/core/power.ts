/** Power levels (Matrix spec, "m.room.power_levels") as far as the bridge decides by them. */
import type { UserId } from "./ids.ts";

/** The content of `m.room.power_levels`, decoded: only whole numbers are kept. Missing means the spec's default. */
export interface PowerLevels {
  readonly users?: Readonly<Record<string, number>>;
  readonly users_default?: number;
  readonly events?: Readonly<Record<string, number>>;
  readonly events_default?: number;
  readonly state_default?: number;
  readonly invite?: number;
}

export interface PowerFacts {
  readonly version?: string;
  readonly creators: readonly UserId[];
  readonly power: PowerLevels;
}

/** Since room version 12 the creators have more power than any number, and stand in no `users` map. */
function creatorsAreAboveAll(version: string | undefined): boolean {
  return version !== undefined && /^\d+$/.test(version) && Number(version) >= 12;
}

/** The power of a user in a room. `Infinity` for a creator in room version 12 and later. */
export function powerOf(room: PowerFacts, user: UserId): number {
  if (creatorsAreAboveAll(room.version) && room.creators.includes(user)) return Infinity;
  return room.power.users?.[user] ?? room.power.users_default ?? 0;
}

/** Whether a user may send messages there. A muted user is one whose level was put below the level to send. */
export function maySpeak(room: PowerFacts, user: UserId): boolean {
  return maySend(room, user, "m.room.message");
}

/** Whether a user may send events of this type, which are no state. */
export function maySend(room: PowerFacts, user: UserId, type: string): boolean {
  const needed = room.power.events?.[type] ?? room.power.events_default ?? 0;
  return powerOf(room, user) >= needed;
}

/** Whether a user may write state events of this type. */
export function mayWriteState(room: PowerFacts, user: UserId, type: string): boolean {
  // The default holds where the room has power levels at all; a room without them has none that are needed.
  const needed = room.power.events?.[type] ?? room.power.state_default ?? (room.power.users === undefined ? 0 : 50);
  return powerOf(room, user) >= needed;
}

export function mayInvite(room: PowerFacts, user: UserId): boolean {
  return powerOf(room, user) >= (room.power.invite ?? 0);
}

/** Power that steering agents needs, beside the permission of the config (the usual level of a moderator). */
export const steeringPower = 50;

/** `m.room.power_levels` from outside. */
import type { PowerLevels } from "../core/power.ts";
import { asObject } from "./json.ts";

/**
 * Keeps whole numbers only. Room versions before 10 also had them as strings, and homeservers still take those rooms'
 * levels in that form; what is neither counts as missing.
 */
export function decodePowerLevels(content: unknown): PowerLevels {
  const fields = asObject(content) ?? {};
  const users = levelsIn(fields["users"]);
  const events = levelsIn(fields["events"]);
  const usersDefault = levelOf(fields["users_default"]);
  const eventsDefault = levelOf(fields["events_default"]);
  const stateDefault = levelOf(fields["state_default"]);
  const invite = levelOf(fields["invite"]);
  return {
    ...(users && { users }),
    ...(usersDefault !== undefined && { users_default: usersDefault }),
    ...(events && { events }),
    ...(eventsDefault !== undefined && { events_default: eventsDefault }),
    ...(stateDefault !== undefined && { state_default: stateDefault }),
    ...(invite !== undefined && { invite }),
  };
}

function levelsIn(value: unknown): Record<string, number> | undefined {
  const map = asObject(value);
  if (map === undefined) return undefined;
  const levels = Object.entries(map).map(([key, level]) => [key, levelOf(level)] as const);
  return Object.fromEntries(levels.filter((entry): entry is readonly [string, number] => entry[1] !== undefined));
}

function levelOf(value: unknown): number | undefined {
  const level = typeof value === "string" && /^\s{0,20}[+-]?\d{1,20}\s{0,20}$/.test(value) ? Number(value) : value;
  return typeof level === "number" && Number.isSafeInteger(level) ? level : undefined;
}

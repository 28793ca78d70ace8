/** Who is not heard in a room, whatever their level: people of a server that the room denies, and those whom a rule fits. */
import { serverOf, type UserId } from "./ids.ts";
import type { ModerationRule } from "./moderation-rules.ts";
import type { RoomState } from "./room.ts";
import { isServerAllowed } from "./server-acl.ts";
import { isOwn, type World } from "./world.ts";

export type Silence = { readonly why: "acl" } | { readonly why: "rule"; readonly rule: ModerationRule };

/** Where our own server is denied nothing is done at all (`read-only.ts`), and what its people say waits. */
export function isDenied(world: World, state: Pick<RoomState, "acl">, user: UserId): boolean {
  const server = serverOf(user);
  return server !== world.server && !isServerAllowed(state.acl, server);
}

/**
 * A watched list cannot silence ours, nor a person whom the config names as `admin`: it is written by others, and somebody
 * must be left who can take it out of the config. `moderation.ignored` is the operator's own word and fits everybody.
 */
export function silenceOf(world: World, state: Pick<RoomState, "acl">, user: UserId): Silence | undefined {
  if (isOwn(world, user)) return undefined;
  if (isDenied(world, state, user)) return { why: "acl" };
  const rule = world.moderation.ruleOn(user);
  if (rule === undefined) return undefined;
  const isNamedAdmin = Object.hasOwn(world.permissions, user) && world.permissions[user] === "admin";
  return rule.source !== "config" && isNamedAdmin ? undefined : { why: "rule", rule };
}

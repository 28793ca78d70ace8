/**
 * One rule of a policy list (Matrix spec, "Moderation policy lists"), also under the names that it had before: lists that
 * were begun then still have them. Hashed entities (MSC4205) and rules about rooms are passed over.
 */
import type { RoomId } from "../core/ids.ts";
import type { ModerationRule } from "../core/moderation-rules.ts";
import { truncate } from "../core/text.ts";
import { asObject, type JsonObject } from "./json.ts";

const types: ReadonlyMap<unknown, ModerationRule["about"]> = new Map([
  ["m.policy.rule.user", "user"],
  ["m.room.rule.user", "user"],
  ["org.matrix.mjolnir.rule.user", "user"],
  ["m.policy.rule.server", "server"],
  ["m.room.rule.server", "server"],
  ["org.matrix.mjolnir.rule.server", "server"],
]);

/** A takedown asks for more than a ban; what it asks of us is the same. */
const bans: ReadonlySet<unknown> = new Set([
  "m.ban",
  "org.matrix.mjolnir.ban",
  "m.takedown",
  "org.matrix.msc4204.takedown",
]);

export interface PolicyRuleEvent {
  /** The same for every later version of the rule. */
  readonly key: string;
  /** `undefined`: there is no rule, or none any more. */
  readonly rule: ModerationRule | undefined;
}

/** `undefined` for what is no rule's event. */
export function decodePolicyRule(event: JsonObject, room: RoomId): PolicyRuleEvent | undefined {
  const { type, state_key: stateKey } = event;
  const about = types.get(type);
  if (about === undefined || typeof stateKey !== "string") return undefined;
  const { entity, recommendation, reason } = asObject(event["content"]) ?? {};
  const key = `${String(type)} ${stateKey}`;
  const isRule = typeof entity === "string" && entity !== "" && entity.length <= maxEntityChars;
  if (!isRule || !bans.has(recommendation)) return { key, rule: undefined };
  const why = typeof reason === "string" && reason !== "" ? { reason: truncate(reason, maxReasonChars) } : {};
  return { key, rule: { about, entity, ...why, source: room } };
}

/** Longer than any id that it could fit. */
const maxEntityChars = 255;
const maxReasonChars = 200;

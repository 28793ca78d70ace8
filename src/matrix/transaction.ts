/** The body of `PUT /_matrix/app/v1/transactions/{txnId}`. */
import { CrewError, reasonOf } from "../core/errors.ts";
import { asObject } from "./json.ts";

export interface Transaction {
  /** Raw: each is decoded by itself, so that a malformed one costs only itself. */
  readonly events: readonly unknown[];
  /** Typing, receipts and presence, raw. */
  readonly ephemeral: readonly unknown[];
}

/** Names the events that the metric `crewroom_events_received_total` counts. */
export type EventKind = "message" | "state" | "reaction" | "redaction" | "ephemeral" | "other";

/**
 * Reads a body as it came, or as it was kept in the inbox.
 * @throws CrewError `BODY_INVALID` when it is no JSON or has no list of events.
 */
export function parseTransaction(body: string): Transaction {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (thrown) {
    throw new CrewError("BODY_INVALID", { reason: `it is no JSON (${reasonOf(thrown)})` }, thrown);
  }
  const transaction = decodeTransaction(parsed);
  if (transaction === undefined) throw new CrewError("BODY_INVALID", { reason: "it has no list of events" });
  return transaction;
}

/** `undefined` when there is no list of events. */
export function decodeTransaction(parsed: unknown): Transaction | undefined {
  const body = asObject(parsed);
  const events = body?.["events"];
  if (body === undefined || !Array.isArray(events)) return undefined;
  // A registration with both flags gets both lists, and they are the same.
  const ephemeral = body["ephemeral"] ?? body["de.sorunome.msc2409.ephemeral"];
  return { events, ephemeral: Array.isArray(ephemeral) ? ephemeral : [] };
}

/** How many of each kind there are, without decoding them. */
export function countKinds({ events, ephemeral }: Transaction): ReadonlyMap<EventKind, number> {
  const counts = new Map<EventKind, number>();
  const add = (kind: EventKind, count: number): void => void counts.set(kind, (counts.get(kind) ?? 0) + count);
  for (const event of events) add(kindOf(event), 1);
  if (ephemeral.length > 0) add("ephemeral", ephemeral.length);
  return counts;
}

function kindOf(event: unknown): EventKind {
  const fields = asObject(event);
  if (fields === undefined) return "other";
  if (fields["state_key"] !== undefined) return "state";
  switch (fields["type"]) {
    case "m.room.message":
      return "message";
    case "m.reaction":
      return "reaction";
    case "m.room.redaction":
      return "redaction";
    default:
      return "other";
  }
}

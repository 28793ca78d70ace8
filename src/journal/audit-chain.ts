/**
 * One entry of the audit log as it is kept: joined to the one before by a hash, so that a change is noticed.
 *
 * ```
 *  hash = SHA-256 of the JSON text of {at, entry, n, prev}, keys sorted at every depth, nothing between the tokens
 * ```
 *
 * For what is in an entry (short texts, whole numbers) this is the canonical form of RFC 8785, which other programs make
 * as well; `docs/audit.md` shows how.
 */
import { createHash } from "node:crypto";
import type { AuditEntry } from "../core/audit.ts";
import { asRoomId } from "../core/ids.ts";
import type { ChainedEntry } from "./journal.ts";

/** What stands before the first entry. */
export const noHash = "0".repeat(64);

/** The place where the chain ends: the number of its last entry, and that one's hash. */
export interface ChainEnd {
  readonly n: number;
  readonly hash: string;
}

export const chainStart: ChainEnd = { n: 0, hash: noHash };

/** @param at When it is appended, in milliseconds since the epoch. */
export function chained(end: ChainEnd, entry: AuditEntry, at: number): ChainedEntry {
  const link = { n: end.n + 1, entry, at, prev: end.hash };
  return { ...link, hash: hashOf(link) };
}

export function hashOf({ n, entry, at, prev }: Omit<ChainedEntry, "hash">): string {
  return sha256(canonical({ n, entry, at, prev }));
}

export function encodeChained({ n, entry, at, prev, hash }: ChainedEntry): string {
  return canonical({ n, entry, at, prev, hash });
}

/** What was kept, or in words why it is no entry. Says nothing of its place in the chain. */
export function decodeChained(text: string): ChainedEntry | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "it is not JSON";
  }
  if (!isObject(value)) return "it is no JSON object";
  const { n, entry, at, prev, hash, ...more } = value;
  if (!Number.isSafeInteger(n) || !Number.isSafeInteger(at)) return "its number or its time is none";
  if (!isHash(prev) || !isHash(hash)) return "its hashes are none";
  if (!isEntry(entry)) return "it does not say what happened";
  // They would be in no hash.
  if (Object.keys(more).length > 0) return `it has ${Object.keys(more).join(", ")} besides`;
  return { n: Number(n), entry, at: Number(at), prev, hash };
}

/**
 * The end of the chain after what was kept as entry `n`. One that cannot be read does not keep the bridge from going on:
 * the next entry joins its text, and a verification names it for ever.
 */
export function endAfter(n: number, text: string): ChainEnd & { readonly entry?: AuditEntry } {
  const found = decodeChained(text);
  return typeof found === "string" ? { n, hash: sha256(text) } : { n, hash: found.hash, entry: found.entry };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** What is `undefined` is left out, as JSON does. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${members.join(",")}}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isHash(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

/** As much as its readers rely on; the hash vouches for the rest. A newer Crewroom may know more kinds. */
function isEntry(value: unknown): value is AuditEntry {
  return (
    isObject(value) &&
    asRoomId(value["room"]) !== undefined &&
    Number.isSafeInteger(value["seq"]) &&
    Number.isSafeInteger(value["ts"]) &&
    typeof value["kind"] === "string" &&
    typeof value["what"] === "string" &&
    typeof value["by"] === "string"
  );
}

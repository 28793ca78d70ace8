/** What is wrong with a config, in words for the person who wrote it. No value is ever quoted: it may be a secret. */
import type { z } from "zod";
import { keysAt } from "./introspect.ts";

export interface Problem {
  readonly path: readonly PropertyKey[];
  /** What is wrong, and what to do. */
  readonly text: string;
  /** `line:column`, where it is known without the path. */
  readonly place?: string;
  /** The key is wrong, not its value. */
  readonly key?: true;
}

/** `agents[0].model` */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((step) => {
      if (typeof step === "number") return `[${step}]`;
      const name = String(step);
      return /^[\w*-]+$/.test(name) ? `.${name}` : `.${JSON.stringify(name)}`;
    })
    .join("")
    .replace(/^\./, "");
}

/** Zod's issues in our words. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], schema: z.ZodType, raw: unknown): Problem[] {
  return issues.flatMap((issue) => {
    const path = issue.path;
    if (issue.code === "unrecognized_keys") {
      const known = keysAt(schema, path);
      return issue.keys.map((key) => ({ path: [...path, key], text: unknownKey(key, known), key: true as const }));
    }
    if (issue.code === "invalid_key") {
      return [{ path, text: issue.issues[0]?.message ?? "is not a name that can stand here", key: true as const }];
    }
    return [{ path, text: textOf(issue, valueAt(raw, path)) }];
  });
}

function textOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "invalid_type" || issue.code === "invalid_value") {
    if (value === undefined) return "is missing; add it";
    if (value === null) return "has no value; give it one or remove the line";
  }
  if (issue.code === "invalid_type") {
    const quote = issue.expected === "string" ? "; put it in quotes if it is meant as a text" : "";
    return `is ${kindOf(value)} where ${kindWords[issue.expected] ?? issue.expected} is expected${quote}`;
  }
  if (issue.code === "invalid_value") return `is none of ${issue.values.map(String).join(", ")}; choose one of them`;
  if (issue.code === "too_small" && issue.origin === "string") return "is empty; give it a value or remove the line";
  return issue.message;
}

const kindWords: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map of keys",
  record: "a map of keys",
  array: "a list",
};

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return kindWords[typeof value] ?? "something else";
}

export function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, step) => (typeof value === "object" && value !== null ? Reflect.get(value, step) : undefined),
    raw,
  );
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = known
    .map((name) => ({ name, edits: editsBetween(key, name) }))
    .filter(({ name, edits }) => edits <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.edits - b.edits)[0];
  if (near !== undefined) return `is not a key here; did you mean ${near.name}?`;
  return `is not a key here; remove it (known: ${known.join(", ")})`;
}

/** Levenshtein distance. Keys are short, so the plain table will do. */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, a] of from.split("").entries()) {
    const next = [i + 1];
    for (const [j, b] of to.split("").entries()) {
      next.push(Math.min((row[j] ?? 0) + (a === b ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

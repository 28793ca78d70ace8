/** The config's YAML, with the place of every key, so that a problem can say where it is. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { Problem } from "./problem.ts";

export type Path = readonly PropertyKey[];

export interface Source {
  /** What the YAML says, or `undefined` when it cannot be read. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** `line:column` of a value, of its key when `at` is `key`, or of the nearest thing around it that exists. */
  place(path: Path, at?: "key" | "value"): string;
}

export function parseSource(text: string): Source {
  const lines = new LineCounter();
  // Without pretty errors: those quote the line, and a line may hold a secret.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  const problems = document.errors.map((error) => ({
    path: [],
    place: at(error.pos[0]),
    text: `this is not YAML: ${error.message.replaceAll("\n", " ")}; mind the indentation, and quote values with special characters`,
  }));
  return {
    value: problems.length > 0 ? undefined : document.toJS({ maxAliasCount: 100 }),
    problems,
    place: (path, which = "value") => at(offsetOf(document, path, which)),
  };
}

function offsetOf(document: Document, path: Path, which: "key" | "value"): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    const inside: unknown = isAlias(node) ? node.resolve(document) : node;
    const last = index === path.length - 1;
    if (isMap(inside)) {
      const pair = inside.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) break;
      node = pair.value;
      offset = (last && which === "value" ? startOf(node) : undefined) ?? startOf(pair.key) ?? offset;
    } else if (isSeq(inside)) {
      node = inside.items[Number(step)];
      offset = startOf(node) ?? offset;
    } else break;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  const range = isNode(node) ? node.range : undefined;
  return range?.[0];
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "range" in value;
}

/** A commit's message for the terminal: of its diff, where it is told for the first time, the lines that have changed. */
import type { TypedCommit } from "./sync.ts";

const fence = /^(`{3,})diff\n([\s\S]*?)\n\1$/m;
const linesShown = 12;
/** What became of a path, which clients show as code. */
const sign = /^`([+~−→]|mode)` `([^`\n]+)`/gm;

export function commitText(text: string, { why }: TypedCommit): string {
  const [block, , diff = ""] = fence.exec(text) ?? [];
  const words = block === undefined ? text : text.slice(0, text.indexOf(block)).trimEnd();
  const before = words.replaceAll(sign, "$1 $2");
  // What is merged was told when it was made.
  if (why === "merge") return before;
  const changed = diff.split("\n").filter((line) => /^[+-]\s*\S/.test(line) && !/^(?:\+\+\+|---) /.test(line));
  const more = changed.length - linesShown;
  const lines = more > 0 ? [...changed.slice(0, linesShown), `  … ${more} more`] : changed;
  return [before, ...lines].join("\n");
}

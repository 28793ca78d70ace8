/** The lines of a file that are most like a text that does not stand in it, so that an agent need not read it all again. */

/** Further down nothing is looked for: the bridge stands still meanwhile. */
const mostBytes = 1_000_000;
const mostLines = 5_000;
const mostShown = 8;
const lineLength = 160;
/** Below that, lines have no more in common than any two. From 0 to 1. */
const leastLikeness = 0.4;

/** One or several sentences; empty when nothing is like it. */
export function nearest(content: Buffer, text: string): string {
  const lines = content.subarray(0, mostBytes).toString().split(/\r?\n/, mostLines);
  const wanted = text.split(/\r?\n/);
  const skipped = wanted.findIndex((line) => line.trim() !== "");
  const first = wanted[skipped];
  if (first === undefined) return "";
  const pairs = pairsOf(first);
  let best = { likeness: 0, index: 0 };
  for (const [index, line] of lines.entries()) {
    const likeness = line.trim() === first.trim() ? 1 : likenessOf(pairs, pairsOf(line));
    if (likeness > best.likeness) best = { likeness, index };
  }
  if (best.likeness < leastLikeness) return "Nothing in it is like it; read it again.";
  const start = Math.max(0, best.index - skipped);
  const shown = lines
    .slice(start, start + Math.min(mostShown, wanted.length))
    .map((line, index) => `${start + index + 1}: ${line.length > lineLength ? `${line.slice(0, lineLength)}…` : line}`);
  return `Most like it, after the number of the line:\n${shown.join("\n")}`;
}

/** Pairs of neighbouring characters, without what differs by layout. */
function pairsOf(line: string): ReadonlySet<string> {
  const bare = line.replaceAll(/\s+/g, "").slice(0, lineLength);
  return new Set(Array.from({ length: Math.max(0, bare.length - 1) }, (_, index) => bare.slice(index, index + 2)));
}

/** Dice's coefficient. */
function likenessOf(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  return a.size + b.size === 0 ? 0 : (2 * a.intersection(b).size) / (a.size + b.size);
}

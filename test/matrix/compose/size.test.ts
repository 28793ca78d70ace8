import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLong, summarise } from "../../../src/matrix/compose/size.ts";

describe("a long text", () => {
  it("is measured in bytes, not in characters", () => {
    expect(isLong("€".repeat(10), 30)).toBe(false);
    expect(isLong("€".repeat(10), 29)).toBe(true);
  });

  it("is summed up by its headings and its first paragraph", () => {
    expect(summarise("# Title\n\n## Part\n\nFirst\nlines.\n\nSecond.", 200)).toBe(
      "# Title\n\n## Part\n\nFirst\nlines.",
    );
  });

  it("is cut at a word", () => {
    expect(summarise("one two three four five", 16)).toBe("one two three…");
  });

  it("keeps a code block whole when there is room, blank lines included", () => {
    expect(summarise("```ts\na\n\nb\n```\n\nrest", 200)).toBe("```ts\na\n\nb\n```");
  });

  it("closes a code block that it cuts, with the same fence", () => {
    expect(summarise(`~~~~ts\n${"line\n".repeat(100)}~~~~\nrest`, 40)).toBe(
      "~~~~ts\nline\nline\nline\nline\nline\n…\n~~~~",
    );
  });

  it("stays within the limit and leaves no code block open, whatever the text", () => {
    const piece = fc.constantFrom(
      "```\n",
      "````js\n",
      "~~~\n",
      "# h\n",
      "words and more words\n",
      "\n",
      "x".repeat(50),
      "😀",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 2, max: 300 }), (pieces, limit) => {
        const summary = summarise(pieces.join(""), limit);
        expect(summary.length).toBeLessThanOrEqual(limit);
        expect(summary.isWellFormed()).toBe(true);
        expect(openFence(summary)).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** CommonMark: a fence is closed by one of the same character, at least as long, with nothing after it. */
function openFence(text: string): boolean {
  let open: string | undefined;
  for (const line of text.split("\n")) {
    const mark = /^ {0,3}(`{3,}(?!.*`)|~{3,})(.*)$/.exec(line);
    if (mark?.[1] === undefined) continue;
    if (open === undefined) open = mark[1];
    else if (mark[1].startsWith(open) && mark[2]?.trim() === "") open = undefined;
  }
  return open !== undefined;
}

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderMarkdown } from "../../../src/matrix/compose/markdown.ts";
import { judge } from "./html.ts";

const markdownPiece = fc.oneof(
  fc.constantFrom(
    "*",
    "**",
    "_",
    "`",
    "```\n",
    "~~",
    "> ",
    "- ",
    "1. ",
    "# ",
    "\n",
    "\n\n",
    "    ",
    "| a |\n|-|\n| b |\n",
    "---\n",
    "[x](javascript:alert(1))",
    "[x](https://a.example)",
    "![x](https://a.example/p.png)",
    "<https://a.example>",
    "[r]: data:x\n",
    "[r]",
    "<script>alert(1)</script>",
    "<img src=x onerror=y>",
    "&#60;b&#62;",
    "\\",
    "https://a.b/c",
    "\ud800",
    "\u0000",
    "\u202e",
    "![x](mxc://a.example/b)",
    "[![i](http://i)](http://l)",
    '[a](http://x "t\\"")',
  ),
  fc.string({ maxLength: 20 }),
);

describe("rendering markdown", () => {
  it("gives HTML that the spec permits, for any text", () => {
    fc.assert(
      fc.property(fc.array(markdownPiece, { maxLength: 20 }), (pieces) => {
        const { body, formattedBody } = renderMarkdown(pieces.join(""));
        expect(judge(formattedBody ?? "").faults).toEqual([]);
        expect(body.isWellFormed()).toBe(true);
        expect(body).not.toContain("\u0000");
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    "hello",
    "two\nlines",
    "two\n\nparagraphs",
    "2 < 3 & 4 > 1",
    'a "quote" and it\'s fine',
    "see README.md, main.rs",
  ])("leaves %j plain", (text) => {
    expect(renderMarkdown(text)).toEqual({ body: text, named: [] });
  });

  it.each([
    ["**b**", "<strong>b</strong>"],
    ["a\n*b*", "a<br />\n<em>b</em>"],
    ["a \\* b", "a * b"],
    ["~~x~~ `y`", "<s>x</s> <code>y</code>"],
    ["# h", "<h1>h</h1>"],
    ["```ts\na < b\n```", '<pre><code class="language-ts">a &lt; b\n</code></pre>'],
    ["https://a.example/x.", '<a href="https://a.example/x">https://a.example/x</a>.'],
    ["7. x", '<ol start="7">\n<li>x</li>\n</ol>'],
  ])("formats %j and keeps the source as the body", (text, html) => {
    expect(renderMarkdown(text)).toEqual({ body: text, formattedBody: html, named: [] });
  });

  it("shows tags in the text as they were written", () => {
    expect(judge(renderMarkdown("use the <div> **tag**").formattedBody ?? "").text).toBe("use the <div> tag");
  });

  it("makes a link of an image from the net, so that it does not load by itself", () => {
    expect(renderMarkdown("![a cat](https://a.example/cat.png)").formattedBody).toBe(
      '<a href="https://a.example/cat.png">a cat</a>',
    );
    expect(renderMarkdown("[![badge](https://a.example/b.svg)](https://b.example)").formattedBody).toBe(
      '<a href="https://b.example">badge</a>',
    );
  });

  it("takes what a stream may cut or a database may refuse out of the body", () => {
    expect(renderMarkdown("a\u0000b\r\nc\u0007 \ud83d").body).toBe("ab\nc \ufffd");
  });

  it("does not format what could never fit into an event with its HTML", () => {
    expect(renderMarkdown("*x* ".repeat(20_000)).formattedBody).toBeUndefined();
  });

  it("nests no deeper than 100 levels", () => {
    expect(judge(renderMarkdown(`${">".repeat(3_000)} x`).formattedBody ?? "").depth).toBeLessThanOrEqual(100);
    expect(judge(renderMarkdown(`${"- ".repeat(3_000)}x`).formattedBody ?? "").depth).toBeLessThanOrEqual(100);
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sanitiseHtml } from "../../../src/matrix/compose/sanitise.ts";
import { judge } from "./html.ts";

const names =
  "a,img,span,ol,code,div,p,script,style,iframe,svg,math,form,input,font,table,td,xmp,noscript,mx-reply,template";
const attributes =
  "href,src,style,class,onclick,onerror,data-mx-color,data-mx-spoiler,start,width,name,srcset,xlink:href,rel";
const values = [
  "https://example.org/",
  "javascript:alert(1)",
  " javascript:alert(1)",
  "java\tscript:alert(1)",
  "JaVaScRiPt:alert(1)",
  "data:text/html,x",
  "vbscript:x",
  "//evil.example",
  "/relative",
  "mxc://example.org/abc",
  "mxc://example.org/../x",
  "https://evil.example/pixel.png",
  "#ff0000",
  "red;background:url(https://evil)",
  "language-ts evil",
  "&#106;avascript:alert(1)",
  "1e9",
];

const attribute = fc
  .tuple(fc.constantFrom(...attributes.split(",")), fc.constantFrom(...values), fc.constantFrom('"', "'", ""))
  .map(([name, value, quote]) => `${name}=${quote}${value}${quote}`);
const piece = fc.oneof(
  fc
    .tuple(fc.constantFrom(...names.split(",")), fc.array(attribute, { maxLength: 3 }), fc.constantFrom(">", "/>", ""))
    .map(([name, given, end]) => `<${name} ${given.join(" ")}${end}`),
  fc.constantFrom(...names.split(",")).map((name) => `</${name}>`),
  fc.constantFrom("<!--", "-->", "<![CDATA[", "]]>", "<", ">", '"', "&lt;script&gt;", "\u0000", "text"),
  fc.string(),
);

describe("the sanitiser", () => {
  it("never lets through a tag, attribute or scheme that the spec does not permit, whatever comes in", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        expect(judge(sanitiseHtml(pieces.join(""))).faults).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });

  it("keeps what the spec permits", () => {
    const html =
      '<h1>a</h1><ol start="3"><li>b</li></ol><pre><code class="language-ts">c</code></pre>' +
      '<span data-mx-color="#ff0000" data-mx-spoiler="why">d</span><details><summary>e</summary>f</details>' +
      '<a href="magnet:?xt=1">g</a><a href="MAILTO:a@b.org">h</a>';
    expect(sanitiseHtml(html)).toBe(html);
  });

  it("loads no image from the net, and keeps one from the media store", () => {
    expect(sanitiseHtml('a<img src="https://evil.example/pixel.png">b')).toBe("ab");
    expect(sanitiseHtml('<img src="mxc://example.org/abc" alt="x" onerror="y">')).toBe(
      '<img src="mxc://example.org/abc" alt="x" />',
    );
  });

  it("keeps the words of a link that goes nowhere permitted", () => {
    expect(sanitiseHtml('<a href="javascript:alert(1)">words</a> <a href="../x">more</a>')).toBe("words more");
  });

  it("nests no deeper than 100 levels", () => {
    const deep = sanitiseHtml(`${"<div>".repeat(5_000)}x${"</div>".repeat(5_000)}`);
    expect(judge(deep)).toMatchObject({ depth: 100, text: "x" });
  });
});

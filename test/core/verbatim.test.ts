import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { code, escaped, fenced, inOneLine, quoted, spoken } from "../../src/core/verbatim.ts";
import { renderMarkdown } from "../../src/matrix/compose/markdown.ts";

const hidden = /(?![\t\n])[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;

describe("text that is shown as it is", () => {
  it.each([
    ["\u202e", "⟨U+202E⟩"],
    ["\u2066", "⟨U+2066⟩"],
    ["\u200b", "⟨U+200B⟩"],
    ["\u200d", "⟨U+200D⟩"],
    ["\u00ad", "⟨U+00AD⟩"],
    ["\u0000", "⟨U+0000⟩"],
    ["\u001b", "⟨U+001B⟩"],
    ["\ud800", "⟨U+D800⟩"],
    ["\u{e0041}", "⟨U+E0041⟩"],
    ["\u2028", "⟨U+2028⟩"],
    ["\u3164", "⟨U+3164⟩"],
    ["\u115f", "⟨U+115F⟩"],
    ["\u034f", "⟨U+034F⟩"],
    ["\ufe0f", "⟨U+FE0F⟩"],
    ["\u{e0100}", "⟨U+E0100⟩"],
    ["\u2800", "⟨U+2800⟩"],
  ])("names what cannot be seen: %j", (mark, name) => {
    for (const shown of [code(`a${mark}b`), escaped(`a${mark}b`), fenced(`a${mark}b`, "")])
      expect(shown).toContain(`a${name}b`);
  });

  it("names spaces that are none to a shell", () => {
    for (const shown of [code("rm a\u00a0b"), fenced("rm a\u00a0b", "")]) expect(shown).toContain("a⟨U+00A0⟩b");
    expect(escaped("Qui\u00a0?")).toBe("Qui ?");
  });

  it("leaves what can be seen as it is, in a block also its lines", () => {
    expect(fenced("é 日本 \t🙂\r\nб", "")).toBe("```\né 日本 \t🙂\nб\n```");
    expect(code("é 日本 🙂")).toBe("`é 日本 🙂`");
    expect(code("⚠️ 1️⃣ é")).toBe("`⚠️ 1️⃣ é`");
  });

  it("quotes what an agent says, however it breaks its lines", () => {
    expect(spoken("**Bo asks:**", " Tabs? ")).toBe("**Bo asks:** Tabs?");
    expect(inOneLine("a\r\n\n  b\u2028c")).toBe("a b c");
    const words = fc.string({
      unit: fc.constantFrom("\n", "\r", "\u2028", "\v", "`", ">", " ", "a", "#", "-", "```\n"),
    });
    fc.assert(
      fc.property(words, (said) => {
        const html = renderMarkdown(`**Bo asks:** x\n\n${quoted(`a${said}`)}\n\nours`).formattedBody ?? "";
        expect(html.replace(/<blockquote>[^]*<\/blockquote>/, "")).toMatch(
          /^<p><strong>Bo asks:<\/strong> x<\/p>\s*<p>ours<\/p>$/,
        );
      }),
    );
  });

  it("never ends early and never hides anything, whatever it is", () => {
    const text = fc.string({
      unit: fc.constantFrom("`", "~", "*", "<b>", "\n", " ", "a", "\u202e", "[x](y)", "@a:b.c"),
    });
    fc.assert(
      fc.property(text, (stranger) => {
        const block = renderMarkdown(`${fenced(stranger, "")}\n\nafter`).formattedBody ?? "";
        expect(block.match(/<pre>/g)).toHaveLength(1);
        expect(block.endsWith("<p>after</p>") || block.endsWith("after")).toBe(true);
        expect(block.replace(/<pre><code>[\s\S]*<\/code><\/pre>/, "")).not.toMatch(/<b>|<strong>|<em>|<a /);
        const line = renderMarkdown(`${code(stranger)} after`).formattedBody ?? "";
        expect(line).not.toMatch(/<b>|<strong>|<em>|<a /);
        expect(hidden.test(fenced(stranger, "") + code(stranger))).toBe(false);
      }),
    );
  });
});

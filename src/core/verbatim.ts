/**
 * Text that is shown as it is, inside markdown: commands, names, paths and diffs of agents and strangers. Nothing in it
 * becomes markup, a link or a mention, or changes how the text around it reads.
 */
import { singleLine, truncate } from "./text.ts";

/**
 * As code in a line. A long text loses its middle: of a path, beginning and end say most.
 * @param maxChars UTF-16 units.
 */
export function code(text: string, maxChars = 160): string {
  const line = singleLine(shortened(visible(text), maxChars), maxChars + 20) || " ";
  const fence = "`".repeat(longestRun(line) + 1);
  // A space at each side is not part of the code; it keeps backticks at the ends apart from the fence.
  const gap = line.startsWith("`") || line.endsWith("`") || line === " " ? " " : "";
  return `${fence}${gap}${line}${gap}${fence}`;
}

/** As plain words in a line. Letters and what ends a sentence stay as they are; what could be markup is escaped. */
export function escaped(text: string, maxChars = 160): string {
  return singleLine(visible(text.replaceAll(/\p{Zs}/gu, " ")), maxChars)
    .replaceAll(/[\\`*_[\]<>|~&]|:(?=\/\/)/g, String.raw`\$&`)
    .replace(/^[#+-]|(?<=^\d{1,9})[.)]/, String.raw`\$&`);
}

/** As a block of code in that language. */
export function fenced(text: string, language: string): string {
  const block = visible(text).replace(/\n+$/, "");
  const fence = "`".repeat(Math.max(3, longestRun(block) + 1));
  return `${fence}${language}\n${block}\n${fence}`;
}

/**
 * An agent's own words behind a few of ours that say whose they are. Their lines after the first are quoted, so that none of
 * them reads as ours: as an outcome, say, or as another question. They may have markup.
 */
export function spoken(lead: string, words: string): string {
  const [first = "", ...rest] = linesOf(words.trim());
  const more = rest.join("\n").trim();
  return `${lead} ${first}${more === "" ? "" : `\n\n${quoted(more)}`}`;
}

/** An agent's own words, all of them quoted. */
export function quoted(words: string): string {
  return linesOf(words)
    .map((line) => `> ${line}`.trimEnd())
    .join("\n");
}

/** An agent's own words in one line. They may have markup, which ends with the line. */
export function inOneLine(words: string): string {
  return linesOf(words.trim())
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" ");
}

function linesOf(words: string): readonly string[] {
  return words.split(/\r\n?|[\n\v\f\u0085\u2028\u2029]/);
}

/**
 * Whatever has no shape of its own, but for tabs, spaces and line breaks: controls, marks of writing direction, letters and
 * spaces that show nothing, selectors of a form. The one for the colourful form of an emoji is a part of it.
 */
const unseen =
  /(?![\t\n ])(?:[\p{Cc}\p{Cf}\p{Cs}\p{Z}\u2800]|(?!(?<=\p{Extended_Pictographic})\uFE0F|\uFE0F\u20E3)\p{Default_Ignorable_Code_Point})/gu;

/** What cannot be seen, and could make code read as what it is not, or steer a terminal, gets a name. */
export function visible(text: string): string {
  return text
    .replaceAll(/\r\n/g, "\n")
    .replaceAll(unseen, (mark) => `⟨U+${(mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

function shortened(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const half = Math.floor(maxChars / 2);
  return `${truncate(text, half)}${text.slice(-half).toWellFormed()}`;
}

function longestRun(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((longest, run) => Math.max(longest, run.length), 0);
}

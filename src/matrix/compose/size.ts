/** What fits into an event, and what to say instead of a text that does not. */
import { cleanText, truncate } from "../../core/text.ts";

/** Spec, "Size limits": a whole event as canonical JSON. */
const maxEventBytes = 65_536;

/** What a homeserver adds: ids, up to 20 previous and 10 auth events of 44 bytes each, hashes, signatures, `unsigned`. */
const envelopeBytes = 4_096;

/**
 * Whether an event with this content stays within 65,536 bytes. Canonical JSON differs from `JSON.stringify` in the
 * order of keys only, so the length is the same.
 */
export function fitsEvent(content: object): boolean {
  return Buffer.byteLength(JSON.stringify(content)) <= maxEventBytes - envelopeBytes;
}

/** Whether a text has more than `limitBytes` bytes and is therefore sent as a file with a summary. */
export function isLong(text: string, limitBytes: number): boolean {
  return text.length > limitBytes || Buffer.byteLength(text) > limitBytes;
}

/**
 * The beginning of a long text as markdown that can stand alone: its headings up to and with the first paragraph (or
 * list, or code), at most `maxChars` UTF-16 units. A code block that is cut is closed again.
 */
export function summarise(text: string, maxChars: number): string {
  // A block that begins later than this would be cut anyway; it keeps the work small for a text of megabytes.
  const head = cleanText(text.slice(0, maxChars * 4 + 1_000)).trim();
  let summary = "";
  for (const block of blocks(head)) {
    const separator = summary === "" ? "" : "\n\n";
    const room = maxChars - summary.length - separator.length;
    if (room < 2) break;
    summary += separator + shortened(block, room);
    if (!isHeading(block)) break;
  }
  return summary;
}

const fenceLine = /^ {0,3}(`{3,}|~{3,})/;

/** Parts between blank lines; a fenced code block is one part whatever is in it. */
function* blocks(text: string): Generator<string> {
  let lines: string[] = [];
  let fence: string | undefined;
  for (const line of text.split("\n")) {
    const mark = fenceLine.exec(line)?.[1];
    if (fence !== undefined) {
      lines.push(line);
      if (mark === undefined || !closes(line, mark, fence)) continue;
      yield lines.join("\n");
      [lines, fence] = [[], undefined];
    } else if (mark !== undefined) {
      if (lines.length > 0) yield lines.join("\n");
      [lines, fence] = [[line], mark];
    } else if (line.trim() !== "") {
      lines.push(line);
    } else if (lines.length > 0) {
      yield lines.join("\n");
      lines = [];
    }
  }
  if (lines.length > 0) yield lines.join("\n");
}

function closes(line: string, mark: string, fence: string): boolean {
  return mark.startsWith(fence) && line.trim() === mark;
}

function isHeading(block: string): boolean {
  return /^ {0,3}#{1,6}\s/.test(block) && !block.includes("\n");
}

function shortened(block: string, maxChars: number): string {
  const fence = fenceLine.exec(block)?.[1];
  if (fence === undefined) return atWord(block, maxChars);
  const closed = block.length <= maxChars && closesItself(block, fence);
  if (closed) return block;
  const end = `\n${fence}`;
  const kept = block.slice(0, Math.max(0, maxChars - end.length - 2));
  const wholeLines = kept.slice(0, kept.lastIndexOf("\n") + 1);
  // Too small for even one line of code: an ellipsis says more than an empty box.
  return wholeLines.split("\n").length < 3 ? "…" : `${wholeLines}…${end}`;
}

function closesItself(block: string, fence: string): boolean {
  const last = block.slice(block.lastIndexOf("\n") + 1);
  return block.includes("\n") && closes(last, fenceLine.exec(last)?.[1] ?? "", fence);
}

function atWord(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const cut = truncate(text, maxChars);
  const space = cut.lastIndexOf(" ");
  return space > maxChars / 2 ? `${cut.slice(0, space)}…` : cut;
}

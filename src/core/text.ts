/**
 * Small, total functions over text that came from an agent, a person or a file's name. None of them throws, and all are
 * linear in the length of the text.
 */

/** C0 and C1 controls except tab and newline. PostgreSQL stores no NUL, and no client shows the others. */
const controls = charClass([
  [0x00, 0x08],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
]);

/**
 * What can change how the text around it reads: controls, marks and isolates of writing direction, zero-width characters,
 * line and paragraph separators, the byte order mark, invisible tags.
 */
const invisible = charClass([
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe007f],
]);

function charClass(ranges: readonly (readonly [number, number])[]): RegExp {
  const escape = (code: number) => `\\u{${code.toString(16)}}`;
  return new RegExp(`[${ranges.map(([from, to]) => `${escape(from)}-${escape(to)}`).join("")}]+`, "gu");
}

/**
 * Text as it may stand in an event: newlines are `\n`, no controls, and no half of a surrogate pair (a stream may be cut
 * in the middle of an emoji, and a homeserver refuses the JSON of a lone half).
 */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll(/\r\n?/g, "\n").replaceAll(controls, "");
}

/** At most `maxChars` UTF-16 units, the last of them `…` when something was cut. Never cuts a surrogate pair. */
export function truncate(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  if (maxChars < 1) return "";
  const cut = text.slice(0, maxChars - 1);
  const lastCode = cut.charCodeAt(cut.length - 1);
  return `${lastCode >= 0xd800 && lastCode < 0xdc00 ? cut.slice(0, -1) : cut}…`;
}

/**
 * A name (of a person or a file) as one line without anything invisible, so that it cannot reorder, hide or break what
 * stands around it. Empty when nothing visible is left.
 */
export function singleLine(name: string, maxChars = 100): string {
  const head = name.slice(0, maxChars * 4).toWellFormed();
  return truncate(
    head
      .replaceAll(/[\t\n\r\u2028\u2029]/g, " ")
      .replaceAll(invisible, "")
      .replaceAll(/\s+/g, " ")
      .trim(),
    maxChars,
  );
}

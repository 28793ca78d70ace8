/** A room's conversation as lines of a terminal: time, room, who, text. */
import type { Shown } from "./room-view.ts";

/** `nameOf` gives the display name of a user or a room; `columns` is the terminal's width. */
export function transcriptLines(shown: Shown, nameOf: (id: string) => string, columns = 100): readonly string[] {
  const time = new Date(shown.ts).toTimeString().slice(0, 8);
  const who = printable(nameOf(shown.who)).slice(0, 12);
  const room = printable(nameOf(shown.room)).slice(0, 14);
  const head = `${time}  ${room.padEnd(14)}  ${who.padEnd(12)}  `;
  if (shown.kind === "action") return [`${head}* ${printable(shown.text)}`];
  const text = shown.kind === "correction" ? `(corrected) ${shown.text}` : shown.text;
  const lines = printable(text)
    .trimEnd()
    .split("\n")
    .flatMap((line) => wrap(line, Math.max(columns - head.length, 30)));
  return lines.map((line, index) => (index === 0 ? head : " ".repeat(head.length)) + line);
}

/** Without control characters: what an agent says must not steer the terminal that shows it. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, "").replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, "");
}

function wrap(line: string, width: number): readonly string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const cut = space > width / 3 ? space : width;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut).trimStart();
  }
  return [...lines, rest];
}

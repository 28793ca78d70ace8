/** Rooms' conversations as lines of a terminal: a heading whenever another room is heard, then time, who, text. */
import type { Shown } from "./room-view.ts";

export interface TranscriptOptions {
  /** The display name of a user or a room. */
  readonly nameOf: (id: string) => string;
  readonly say: (line: string) => void;
  /** Asked for each message: a terminal may be resized. Default: 100. */
  readonly columns?: () => number;
}

const whoColumns = 10;
const least = 30;
const threadIndent = 2;
/** What clients show as bold words and as pills. */
const bold = /(?<![\w*`])\*\*(?=\S)([^*\n]+)\*\*(?!\w)/g;
const internalLink = /\[([^\]\n]+)\]\(https:\/\/matrix\.to\/[^)\s]*\)/g;

/** Gives the function that writes what happened, one thing after another. */
export function transcript({ nameOf, say, columns = () => 100 }: TranscriptOptions): (shown: Shown) => void {
  let heading = "";
  return (shown) => {
    const room = `── ${printable(nameOf(shown.room)).slice(0, 60)} ──`;
    if (room !== heading) {
      say("");
      say(room);
    }
    heading = room;
    const time = new Date(shown.ts).toTimeString().slice(0, 8);
    const head = `${time}  ${printable(nameOf(shown.who)).slice(0, whoColumns).padEnd(whoColumns)}  `;
    // A thread stands to the right of the message that it hangs on.
    const [label, left] =
      shown.thread === undefined ? ["", head.length] : [`↳ ${shown.thread}  `, head.length + threadIndent];
    const lines = wrapped(printable(`${label}${plain(wordsOf(shown)).trim()}`), Math.max(columns() - left, least));
    for (const [index, line] of lines.entries()) say(`${(index === 0 ? head : "").padEnd(left)}${line}`.trimEnd());
  };
}

function wordsOf({ kind, text }: Shown): string {
  switch (kind) {
    case "message":
      return text;
    case "more":
      return `… ${text.trimStart()}`;
    case "correction":
      return `(corrected) ${text}`;
    case "status":
      return `(now) ${text}`;
    case "action":
      return `* ${text}`;
  }
}

/** Without the marks of markdown that stand in the way of reading. */
function plain(text: string): string {
  return text.replaceAll(bold, "$1").replaceAll(internalLink, "$1");
}

/** Without control characters: what an agent says must not steer the terminal that shows it. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, "").replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, "");
}

/** Lines of at most `width` characters, broken between words where there are any. */
export function wrapped(text: string, width: number): readonly string[] {
  return text.split("\n").flatMap((line) => wrap(line, width));
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

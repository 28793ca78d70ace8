/** Globs as Matrix has them in server ACLs and policy rules: `*` for any characters, `?` for exactly one. */

/** A glob that was taken apart once, for many texts. */
export type Glob = (text: string) => boolean;

/** Whether the whole text is what the glob means. */
export function globFits(glob: string, text: string): boolean {
  return globOf(glob)(text);
}

/**
 * By hand: a regular expression made of `*a*a*…` takes for ever on a hostile text. What stands between two `*` is looked for
 * from the left, where the one before it ended; the first and the last part have their places. So most texts are refused
 * by a look at their ends, and a hostile one costs at most a step for each pair of characters.
 */
export function globOf(glob: string): Glob {
  const [first = "", ...rest] = glob.split("*");
  const last = rest.pop();
  if (last === undefined) return (text) => text.length === first.length && fitsAt(first, text, 0);
  const parts = rest.filter((part) => part !== "");
  const least = parts.reduce((sum, part) => sum + part.length, first.length + last.length);
  return (text) => {
    if (text.length < least || !fitsAt(first, text, 0) || !fitsAt(last, text, text.length - last.length)) return false;
    let at = first.length;
    for (const part of parts) {
      const found = find(part, text, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= text.length - last.length;
  };
}

function find(part: string, text: string, from: number): number {
  if (!part.includes("?")) return text.indexOf(part, from);
  for (let at = from; at <= text.length - part.length; at++) if (fitsAt(part, text, at)) return at;
  return -1;
}

function fitsAt(part: string, text: string, at: number): boolean {
  for (let index = 0; index < part.length; index++)
    if (part[index] !== "?" && part[index] !== text[at + index]) return false;
  return true;
}

export function isGlob(text: string): boolean {
  return /[*?]/.test(text);
}

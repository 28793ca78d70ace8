/** Globs as Matrix has them in server ACLs and policy rules: `*` for any characters, `?` for exactly one. */

/**
 * Whether the whole text is what the glob means. By hand: a regular expression made of `*a*a*…` takes for ever on a hostile
 * text; this takes at most one step for each pair of characters.
 */
export function globFits(glob: string, text: string): boolean {
  let at = 0;
  let inText = 0;
  /** Where the last `*` is, and how much of the text it takes so far. */
  let star = -1;
  let taken = 0;
  while (inText < text.length) {
    const wanted = glob[at];
    if (wanted === "*") {
      star = at++;
      taken = inText;
    } else if (wanted === "?" || (wanted !== undefined && wanted === text[inText])) {
      at++;
      inText++;
    } else if (star >= 0) {
      at = star + 1;
      inText = ++taken;
    } else return false;
  }
  while (glob[at] === "*") at++;
  return at === glob.length;
}

export function isGlob(text: string): boolean {
  return /[*?]/.test(text);
}

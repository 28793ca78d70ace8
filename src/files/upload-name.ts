/** The name under which a file that a person dropped into a room is kept. */

const longest = 200;

/**
 * One part of a path that every system takes: no folders, no control characters, nothing that git or a file system treats
 * as its own. `file` when nothing is left.
 */
export function uploadName(given: string): string {
  const last = given.split(/[/\\]/).at(-1) ?? "";
  const plain = last
    .normalize("NFC")
    .replaceAll(/[\p{C}<>:"|?*]/gu, "_")
    .replace(/^[\s.]+(?=$)|[\s.]+$/g, "")
    .trim();
  if (plain === "" || /^\.+$/.test(plain)) return "file";
  const safe = /^(?:\.git|git~\d+)$/i.test(plain) ? `_${plain}` : plain;
  return shortened(safe);
}

/** The ending stays, since it says what it is. In bytes, as file systems count. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= longest) return name;
  const ending = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? "";
  const stem = Array.from(name.slice(0, name.length - ending.length));
  while (Buffer.byteLength(stem.join("") + ending) > longest) stem.pop();
  return stem.join("") + ending;
}

/** `list_files`: what is in a folder and below it, as one text of bounded length. */
import { lstat, readdir, readlink } from "node:fs/promises";
import { codeOf, openFolder, type Folder } from "../folder.ts";
import { isGitFolder, placeIn, type Place } from "../paths.ts";
import type { Worktree } from "../port.ts";
import { answering, bytes, counted, shown } from "./answer.ts";

/** Lines in all. */
const mostLines = 400;
/** A folder below the one asked for is opened when it has no more than that; `node_modules` and its like stay closed. */
const mostEntries = 60;

interface Entry {
  readonly name: string;
  readonly folder: boolean;
}

/**
 * Folder by folder, the upper ones first, as long as there is room; what is not opened is told with its number of entries.
 * @param path `""` is the root.
 */
export async function listFiles(worktree: Worktree, path: string, signal?: AbortSignal): Promise<string> {
  const given = path.trim() === "" ? "." : path;
  return answering("read", given, async () => {
    const place = await placeIn(worktree, given, "read");
    const name = place.parts.at(-1);
    if (name !== undefined) {
      await using parent = await openFolder(place.root, place.parts.slice(0, -1));
      const found = await lstat(parent.at(name));
      if (!found.isDirectory()) return await described(parent, { name, folder: false }, place.relative);
    }
    return listed(place, signal);
  });
}

async function listed(place: Place, signal: AbortSignal | undefined): Promise<string> {
  const lines = new Map<string, readonly string[]>();
  let room = mostLines;
  const waiting: { readonly path: string; readonly parts: readonly string[] }[] = [
    { path: place.relative, parts: place.parts },
  ];
  const label = place.relative === "" ? "the worktree" : `${shown(place.relative)}/`;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    signal?.throwIfAborted();
    const { path, parts } = next;
    const asked = path === place.relative;
    const prefix = path === "" ? "" : `${path}/`;
    try {
      await using folder = await openFolder(place.root, parts);
      const entries = await entriesOf(folder);
      if (asked && entries.length === 0) return `There is nothing in ${label}.`;
      if (!asked && (entries.length === 0 || entries.length > Math.min(mostEntries, room))) {
        lines.set(path, [`${shown(prefix)}  (${counted(entries.length, "entry", "entries")})`]);
        continue;
      }
      const told = entries.slice(0, room);
      room -= told.length;
      const files = told.filter((entry) => !entry.folder);
      const own = await Promise.all(files.map(async (entry) => described(folder, entry, `${prefix}${entry.name}`)));
      if (told.length < entries.length)
        own.push(`… and ${counted(entries.length - told.length, "more entry", "more entries")}`);
      lines.set(path, own);
      for (const { name } of told.filter((entry) => entry.folder))
        waiting.push({ path: `${prefix}${name}`, parts: [...parts, name] });
    } catch (thrown) {
      if (asked || codeOf(thrown) === undefined) throw thrown;
      lines.set(path, [`${shown(prefix)}  (cannot be opened)`]);
    }
  }
  // Folder by folder in the order of their paths, whatever the order in which they were opened.
  return [...lines.keys()]
    .sort(byPath)
    .flatMap((path) => lines.get(path) ?? [])
    .join("\n");
}

function byPath(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function entriesOf(folder: Folder): Promise<readonly Entry[]> {
  const found = await readdir(folder.path, { withFileTypes: true });
  return found
    .filter(({ name }) => !isGitFolder(name))
    .map((entry) => ({ name: entry.name, folder: entry.isDirectory() }))
    .sort((a, b) => byPath(a.name, b.name));
}

async function described(folder: Folder, { name }: Entry, path: string): Promise<string> {
  try {
    const found = await lstat(folder.at(name));
    if (found.isSymbolicLink()) return `${shown(path)} -> ${shown(await readlink(folder.at(name)))}`;
    return found.isFile() ? `${shown(path)}  ${bytes(found.size)}` : `${shown(path)}  (no ordinary file)`;
  } catch (thrown) {
    // Gone since it was listed, or its name is not UTF-8.
    if (codeOf(thrown) === undefined) throw thrown;
    return `${shown(path)}  (cannot be read)`;
  }
}

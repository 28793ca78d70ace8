/** How many files a folder holds, as far as anybody wants to know. */
import { opendir } from "node:fs/promises";
import path from "node:path";
import type { Worktree } from "../port.ts";

/**
 * Links are counted, never followed. Stops once there are more than `enough`. A folder in it that cannot be looked into
 * (its name is no UTF-8, its agent has closed it) may hold any number.
 */
export async function countBelow(worktree: Pick<Worktree, "root">, relative: string, enough: number): Promise<number> {
  let count = 0;
  const top = path.join(worktree.root, relative);
  const folders = [top];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = folder === top ? await opendir(top) : await opendir(folder).catch(() => undefined);
    if (entries === undefined) return enough + 1;
    for await (const entry of entries) {
      if (entry.isDirectory()) {
        if (entry.name !== ".git") folders.push(path.join(folder, entry.name));
      } else count += 1;
      if (count > enough) return count;
    }
  }
  return count;
}

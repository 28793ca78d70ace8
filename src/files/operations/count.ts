/** How many files a folder holds, as far as anybody wants to know. */
import { opendir } from "node:fs/promises";
import path from "node:path";
import type { Worktree } from "../port.ts";

/** Links are counted, never followed. Stops once there are more than `enough`. */
export async function countBelow(worktree: Pick<Worktree, "root">, relative: string, enough: number): Promise<number> {
  let count = 0;
  const folders = [path.join(worktree.root, relative)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const entry of await opendir(folder)) {
      if (entry.isDirectory()) {
        if (entry.name !== ".git") folders.push(path.join(folder, entry.name));
      } else count += 1;
      if (count > enough) return count;
    }
  }
  return count;
}

/** `delete_file`: a file or a link, or a folder with all that is in it. No link is followed on the way. */
import { lstat, readdir, rmdir, unlink } from "node:fs/promises";
import { openFolder, type Folder } from "../folder.ts";
import { placeIn } from "../paths.ts";
import type { Worktree } from "../port.ts";
import { answering, counted, refused, shown, systemReason } from "./answer.ts";

/** Every level is held open while those below it are emptied. */
const mostLevels = 200;

const brought = "What was recorded of it can be brought back with restore_file.";

/** @param path A folder's must end with `/`. */
export async function deleteFile(worktree: Worktree, path: string, signal?: AbortSignal): Promise<string> {
  return answering("deleted", path, async () => {
    const { root, relative, parts } = await placeIn(worktree, path, "entry");
    const name = parts.at(-1);
    if (name === undefined) return refused("deleted", "it is the folder of all files");
    const label = shown(relative);
    await using parent = await openFolder(root, parts.slice(0, -1));
    const found = await lstat(parent.at(name));
    if (!found.isDirectory()) {
      if (path.endsWith("/")) return refused("deleted", `${label} is no folder; leave out the / at its end`);
      await unlink(parent.at(name));
      return `Deleted: ${label}. ${brought}`;
    }
    if (!path.endsWith("/"))
      return refused(
        "deleted",
        `${label} is a folder; with ${shown(`${relative}/`)} it is deleted with all that is in it`,
      );

    let gone = 0;
    try {
      await emptied(parent, name, 0);
      await rmdir(parent.at(name));
    } catch (thrown) {
      const why = gone === 0 ? undefined : systemReason(thrown, relative);
      if (why === undefined) throw thrown;
      return `Not deleted wholly: ${why}. ${counted(gone, "file")} in it ${gone === 1 ? "is" : "are"} deleted.`;
    }
    return `Deleted: ${label}/ with ${counted(gone, "file")}. ${brought}`;

    async function emptied(parent: Folder, name: string | Buffer, level: number): Promise<void> {
      await using folder = await parent.enter(name);
      // As bytes: names need not be UTF-8.
      for (const entry of await readdir(folder.path, { withFileTypes: true, encoding: "buffer" })) {
        signal?.throwIfAborted();
        const at = folder.at(entry.name);
        if (entry.isDirectory() && level < mostLevels) {
          await emptied(folder, entry.name, level + 1);
          await rmdir(at);
        } else {
          await unlink(at);
          gone += 1;
        }
      }
    }
  });
}

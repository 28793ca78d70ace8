/** Puts a content in the place of a file, at once: whoever reads it meanwhile gets the old one or the new one. */
import { constants } from "node:fs";
import { lstat, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CrewError } from "../../core/errors.ts";
import { codeOf, type Folder } from "../folder.ts";
import type { Worktree } from "../port.ts";

/** What is told of the contents of files. */
export interface Contents {
  /** `files.file_bytes` of the config. */
  readonly fileBytes: number;
  /** What looks like a secret in a content that a person has not let in; `undefined`: nothing. */
  secretIn(path: string, content: Uint8Array): Promise<string | undefined>;
}

/** `undefined` when there is none. @throws CrewError `FILE_REFUSED` for anything but a file. */
export async function existing(folder: Folder, name: string): Promise<{ mode: number; size: number } | undefined> {
  try {
    const found = await lstat(folder.at(name));
    if (found.isFile()) return { mode: found.mode & 0o777, size: found.size };
    const reason = found.isDirectory()
      ? "it is a folder"
      : found.isSymbolicLink()
        ? "it is a link, and nothing is written through links; delete it first"
        : "it is no ordinary file";
    throw new CrewError("FILE_REFUSED", { path: name, reason });
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}

/**
 * Written beside the worktree and moved into it, so that a commit never finds half of a file, and a crash leaves none there.
 * @param mode Of the file that it replaces.
 */
export async function replace(
  worktree: Pick<Worktree, "gitDir">,
  folder: Folder,
  name: string,
  content: Uint8Array,
  mode: number | undefined,
): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  const draft = join(worktree.gitDir, `draft-${crypto.randomUUID()}`);
  try {
    await using handle = await open(draft, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode ?? 0o666);
    await handle.writeFile(content);
    // The process's mask takes rights away that the file had.
    if (mode !== undefined) await handle.chmod(mode);
    await handle.datasync();
    await rename(draft, folder.at(name));
  } catch (thrown) {
    await rm(draft, { force: true });
    throw thrown;
  }
}

/** To follow what was written; empty when nothing looks like a secret. */
export async function heldBack(contents: Contents, path: string, content: Uint8Array): Promise<string> {
  const secret = await contents.secretIn(path, content);
  return secret === undefined ? "" : ` It seems to hold ${secret}, so it is held back until a person lets it in.`;
}

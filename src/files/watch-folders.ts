/**
 * Hears of changes below a folder, but not of which: whoever asks git needs no more than that.
 *
 * On Linux, the system watches single folders. So each folder has a watch of its own, and a new one gets its own as soon as
 * it is heard of. What happens in it before that is not heard; therefore a new folder counts as a change once more when
 * it and all in it are watched. Elsewhere one watch sees the whole tree.
 */
import { type FSWatcher, watch as watchPath } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

export interface FolderWatchOptions {
  /** Whether nothing of this name is looked at, in whatever folder it is. */
  ignored(this: void, name: string): boolean;
  onChange(this: void): void;
  /** At most once: it cannot go on, e.g. because the system's limit is reached. It has let go of everything by then. */
  onFailure(this: void, error: unknown): void;
  /** Default: that of Node. */
  readonly watch?: WatchPath;
  /** Whether one watch sees the whole tree. Default: on macOS and Windows. */
  readonly recursive?: boolean;
}

export type WatchPath = (
  path: string,
  options: { readonly recursive: boolean },
  heard: (event: string, name: string | null) => void,
) => FSWatcher;

export interface FolderWatch {
  /** Watches what is there now, from the start. Resolves when all of it is watched, or it failed. */
  renew(): Promise<void>;
  close(): void;
}

interface Folder {
  readonly path: string;
  readonly watcher: FSWatcher;
  readonly inside: Map<string, Folder>;
  closed: boolean;
}

/** Watches are limited for each user (8,192 on older systems), and others need some, too. */
const mostFolders = 10_000;

/** Call `renew` to begin. */
export function watchFolders(root: string, options: FolderWatchOptions): FolderWatch {
  const { ignored, onChange, watch = watchPath } = options;
  const recursive = options.recursive ?? ["darwin", "win32"].includes(process.platform);
  let top: Folder | undefined;
  let folders = 0;
  let over = false;

  function close(): void {
    over = true;
    release(top);
  }

  function fail(error: unknown): void {
    if (over) return;
    close();
    options.onFailure(error);
  }

  function failUnlessPassing(error: unknown): void {
    if (!isPassing(error)) fail(error);
  }

  function open(path: string): Folder {
    if (folders >= mostFolders) throw new TooManyFolders(`${root} has more than ${mostFolders} folders`);
    const watcher = watch(path, { recursive }, (event, name) => {
      if (folder.closed) return;
      if (name === null) onChange();
      else if (recursive ? !name.split(/[/\\]/).some(ignored) : !ignored(name)) {
        onChange();
        // Something has come, gone, or got another name.
        if (event === "rename" && !recursive) void look(folder, name).catch(failUnlessPassing);
      }
    });
    const folder: Folder = { path, watcher, inside: new Map(), closed: false };
    watcher.on("error", failUnlessPassing);
    folders += 1;
    return folder;
  }

  function release(folder: Folder | undefined): void {
    if (folder === undefined || folder.closed) return;
    folder.closed = true;
    folders -= 1;
    folder.watcher.close();
    folder.inside.forEach(release);
  }

  /** Whatever had this name before: its watch, if there was one, is of what is no longer here. */
  async function look(folder: Folder, name: string): Promise<void> {
    const path = join(folder.path, name);
    release(folder.inside.get(name));
    folder.inside.delete(name);
    const isFolder = (await lstat(path)).isDirectory();
    if (!isFolder || folder.closed || folder.inside.has(name)) return;
    const found = open(path);
    folder.inside.set(name, found);
    await enter(found);
    onChange();
  }

  /** Watched first and read then: what comes meanwhile is heard. */
  async function enter(folder: Folder): Promise<void> {
    for (const entry of await readdir(folder.path, { withFileTypes: true })) {
      if (!entry.isDirectory() || ignored(entry.name)) continue;
      if (folder.closed) return;
      if (folder.inside.has(entry.name)) continue;
      try {
        const found = open(join(folder.path, entry.name));
        folder.inside.set(entry.name, found);
        await enter(found);
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
    }
  }

  async function renew(): Promise<void> {
    if (over) return;
    release(top);
    try {
      top = open(root);
      if (!recursive) await enter(top);
    } catch (error) {
      fail(error);
    }
  }

  return { renew, close };
}

class TooManyFolders extends Error {}

/** It has gone by now, or nobody may look into it, git neither. */
function isPassing(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || code === "EPERM";
}

/**
 * Tells when a folder has become quiet after a change, so that what an agent does in its worktree becomes a commit while
 * its turn still runs.
 *
 * ```
 *            change              quietMs without another, or mostMs since the first
 *   quiet ───────────▶ changing ────────────────────────────────────────────────────▶ onQuiet ──▶ quiet
 *
 *   watched ──▶ polled   when the system gives no more watches (`onError` hears it), or the tree has over 10,000 folders
 *      └─────────┴─────▶ ended    when the root is gone (`onError` hears it), or on dispose
 * ```
 *
 * It is a hint and no record: what it misses is in the commit at the end of the turn.
 */
import { lstat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type FolderWatch, watchFolders, type WatchPath } from "./watch-folders.ts";
import { pollTree } from "./watch-poll.ts";

export interface WatchOptions {
  /** Milliseconds without a change after which it is quiet. */
  readonly quietMs: number;
  /** Milliseconds after the first change, when it does not become quiet. */
  readonly mostMs: number;
  /**
   * Names of folders that are not looked at, wherever they are; `.git` never is. A slash at the end is allowed. Other
   * patterns of `.gitignore` match nothing here: their changes cost a call of `onQuiet`, with nothing to commit.
   */
  readonly ignore: readonly string[];
  onQuiet(this: void): void;
  /**
   * At most twice. With `ENOSPC` or `EMFILE` (or any other failure of the watch) it goes on, by looking every 2 s, or less
   * often in a large tree; with `ENOENT` the root is gone, and it has ended.
   */
  onError(this: void, error: unknown): void;
  /** Default: the system's. */
  readonly clock?: WatchClock;
  /** Default: that of Node. */
  readonly watch?: WatchPath;
  /** Whether the system's watch sees a whole tree. Default: on macOS and Windows. */
  readonly recursive?: boolean;
}

export interface WatchClock {
  /** Milliseconds. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects as soon as the signal aborts. */
  after(ms: number, signal: AbortSignal): Promise<void>;
}

const systemClock: WatchClock = {
  // Not the time of day, which may be set back.
  now: () => performance.now(),
  after: (ms, signal) => delay(ms, undefined, { signal }),
};

/**
 * The system keeps 16,384 events for us and then drops them, and Node does not say so. After this many between two quiet
 * moments some may have been lost, and with them new folders.
 */
const maybeLost = 8_192;

/** Resolves when changes are heard from then on. @throws ENOENT when there is no such folder. */
export async function watchTree(root: string, options: WatchOptions): Promise<AsyncDisposable> {
  const { quietMs, mostMs, onQuiet, onError, clock = systemClock } = options;
  const names = new Set([".git", ...options.ignore.map((name) => name.replace(/\/$/, ""))]);
  const ignored = (name: string): boolean => names.has(name);
  const ending = new AbortController();
  const { signal } = ending;
  let identity = await identityOf(root);
  /** When the first and the newest change were, that nobody was told of. */
  let first: number | undefined;
  let newest = 0;
  let heard = 0;
  let settling: Promise<void> = Promise.resolve();
  let polling: Promise<void> = Promise.resolve();

  function changed(): void {
    if (signal.aborted) return;
    newest = clock.now();
    heard += 1;
    if (first !== undefined) return;
    first = newest;
    settling = settle(first).catch(end);
  }

  async function settle(first: number): Promise<void> {
    for (;;) {
      const wait = Math.min(newest + quietMs, first + mostMs) - clock.now();
      if (wait <= 0) break;
      await clock.after(wait, signal);
    }
    await stay();
    forget();
    onQuiet();
  }

  /** Another folder may have come in the root's place. */
  async function stay(): Promise<void> {
    const now = await identityOf(root);
    if (now === identity && heard < maybeLost) return;
    identity = now;
    await folders.renew();
    signal.throwIfAborted();
  }

  function forget(): void {
    first = undefined;
    heard = 0;
  }

  function end(why: unknown): void {
    if (signal.aborted) return;
    ending.abort();
    folders.close();
    onError(why);
  }

  const folders: FolderWatch = watchFolders(root, {
    ignored,
    onChange: changed,
    onFailure: (why) => {
      onError(why);
      polling = pollTree(root, { ignored, onChange: changed, clock, signal }).catch(end);
    },
    ...(options.watch === undefined ? {} : { watch: options.watch }),
    ...(options.recursive === undefined ? {} : { recursive: options.recursive }),
  });
  await folders.renew();

  return {
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      folders.close();
      await Promise.all([settling, polling]);
    },
  };
}

/** The number alone is soon given to another. */
async function identityOf(path: string): Promise<string> {
  const { ino, birthtimeNs } = await lstat(path, { bigint: true });
  return `${ino} ${birthtimeNs}`;
}

/** Puts contents of a worktree's files into its repository, one after another through one git, however large they are. */
import { Readable } from "node:stream";
import type { Git } from "./git.ts";
import { type Entry, bytesOf } from "./index-file.ts";
import { blobHash, blobOf, chunksOf, linkTarget, openFile } from "./on-disk.ts";
import type { Worktree } from "./port.ts";
import { isClosed } from "./walk.ts";

/**
 * @param wanted By path; the content must still be what it was when it was looked at.
 * @returns Paths whose content is by now another, or gone: it is not stored.
 */
export async function storeBlobs(
  git: Git,
  { gitDir, root }: Worktree,
  wanted: ReadonlyMap<string, Entry>,
): Promise<ReadonlySet<string>> {
  const changed = new Set<string>();
  if (wanted.size === 0) return changed;
  let thrown: unknown;
  async function* stream(): AsyncGenerator<Buffer> {
    try {
      for (const [name, { mode, blob }] of wanted) {
        const same = yield* mode === "120000" ? linkBlob(root, name, blob) : fileBlob(root, name, blob);
        if (!same) changed.add(name);
      }
      yield Buffer.from("done\n");
    } catch (failed) {
      thrown = failed;
      throw failed;
    }
  }
  // Speed before size: `git gc` is never far, and most files of a task are small.
  const args = ["-c", "core.compression=1", "fast-import", "--quiet", "--done", "--depth=0"];
  try {
    await git.run({ gitDir }, args, { input: Readable.from(stream()) });
  } catch (failed) {
    throw thrown ?? failed;
  }
  return changed;
}

async function* linkBlob(root: string, name: string, blob: string): AsyncGenerator<Buffer, boolean> {
  const target = await linkTarget(root, name);
  if (target === undefined || blobOf(target) !== blob) return false;
  yield Buffer.concat([Buffer.from(`blob\ndata ${target.length}\n`), target, bytesOf("\n")]);
  return true;
}

async function* fileBlob(root: string, name: string, blob: string): AsyncGenerator<Buffer, boolean> {
  const handle = await openFile(root, name).catch((thrown: unknown) => {
    if (isClosed(thrown)) return undefined;
    throw thrown;
  });
  if (handle === undefined) return false;
  await using open = handle;
  const { size } = await open.stat();
  const hash = blobHash(size);
  let left = size;
  yield Buffer.from(`blob\ndata ${size}\n`);
  for await (const chunk of chunksOf(open, size)) {
    hash.update(chunk);
    left -= chunk.length;
    yield chunk;
  }
  // It became shorter while it was read: what was promised is made up, and the content is nobody's.
  for (; left > 0; left -= Math.min(left, 65_536)) yield Buffer.alloc(Math.min(left, 65_536));
  yield bytesOf("\n");
  return hash.digest("hex") === blob;
}

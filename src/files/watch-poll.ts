/** Finds out about changes below a folder by looking at everything again and again: for want of anything better. */
import { createHash, type Hash } from "node:crypto";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

export interface PollOptions {
  ignored(this: void, name: string): boolean;
  onChange(this: void): void;
  readonly clock: {
    now(): number;
    after(ms: number, signal: AbortSignal): Promise<void>;
  };
  readonly signal: AbortSignal;
}

const leastMs = 2_000;
/** A large tree is looked at less often: this is the wait for each millisecond that looking took, so about 5 % of the time. */
const waitPerLook = 20;

/** Rejects with the signal's reason when it aborts. */
export async function pollTree(root: string, { ignored, onChange, clock, signal }: PollOptions): Promise<never> {
  let known: string | undefined;
  for (;;) {
    const before = clock.now();
    const seen = await fingerprint(root, ignored, signal);
    // The first time too: nobody knows what happened before.
    if (seen !== known) onChange();
    known = seen;
    await clock.after(Math.max(leastMs, waitPerLook * (clock.now() - before)), signal);
  }
}

async function fingerprint(root: string, ignored: (name: string) => boolean, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await add(hash, root, ignored, signal);
  return hash.digest("base64");
}

async function add(hash: Hash, folder: string, ignored: (name: string) => boolean, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  // What has gone, or what nobody may look into, is an empty folder.
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const wanted = entries
    .filter(({ name }) => !ignored(name))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const lines = await Promise.all(
    wanted.map(async ({ name }) => {
      const facts = await lstat(join(folder, name), { bigint: true }).catch(() => undefined);
      // `ctime` moves with the mode, and with a content that is as long and pretends to be as old.
      return `${name}\0${facts?.ino}\0${facts?.mode}\0${facts?.size}\0${facts?.mtimeNs}\0${facts?.ctimeNs}\n`;
    }),
  );
  hash.update(lines.join(""));
  for (const entry of wanted) {
    if (entry.isDirectory()) await add(hash.update(`${entry.name}/`), join(folder, entry.name), ignored, signal);
  }
}

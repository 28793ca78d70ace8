/** What has changed in a worktree since the bridge last put files there or recorded them, and what of it stays out. */
import { createHash } from "node:crypto";
import type { HeldFile } from "../core/files.ts";
import type { Git } from "./git.ts";
import { type Entries, type Entry, indexEntries, sameEntry, shown } from "./index-file.ts";
import { leadsOut } from "./link-out.ts";
import { pendingMerge } from "./merge-state.ts";
import { blobHash, blobOf, chunksOf, linkTarget, modeOf, openFile } from "./on-disk.ts";
import type { CommitRules, Worktree } from "./port.ts";
import { type FoundFile, isClosed, walk } from "./walk.ts";

export interface Surveyed {
  /** What the worktree's index has. */
  readonly base: Entries;
  /** By path, one character per byte; without an entry it was deleted. */
  readonly edits: ReadonlyMap<string, Entry | undefined>;
  readonly held: readonly HeldFile[];
}

interface Changed extends Entry {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** Longer files are not looked through for secrets. */
const secretBytes = 1024 * 1024;
/** A file changed so shortly before it was read may change again without its times changing. */
const settled = {
  /** Where the file system keeps times to the second, as FAT does to two. */
  coarseMs: 2_000,
  /** Elsewhere, by the system's ticks, of which the slowest has 100 in a second. */
  fineMs: 50,
};

/** Names of contents by size, times and inode, so that what did not change is not read again. */
const known = new WeakMap<Worktree, Map<string, { readonly stamp: string; readonly blob: string }>>();

export async function survey(git: Git, worktree: Worktree, rules: CommitRules): Promise<Surveyed> {
  const base = await indexEntries(git, worktree);
  const { files, closed } = await walk(git, worktree, rules.ignore, base);
  const merge = pendingMerge(worktree);
  const held: HeldFile[] = [];
  const hold = (name: string, why: HeldFile["why"], detail: string, sha256 = ""): void => {
    held.push({ path: shown(name), why, detail, sha256 });
  };
  const changed: Changed[] = [];
  const gone = new Set(base.keys());
  for (const file of files) {
    // What stands there now is another thing than what was recorded, and yet nobody deleted it.
    gone.delete(file.name);
    const found = await judge(worktree, file, base.get(file.name), rules, hold);
    if (found === "gone" && base.has(file.name)) gone.add(file.name);
    else if (typeof found === "object") changed.push(found);
    if (typeof found === "object" && merge?.paths.includes(shown(file.name)) === true)
      if (await hasMarkers(worktree.root, file.name)) hold(file.name, "unmerged", "both sides are still in it");
  }
  for (const folder of closed) {
    hold(folder, "special", "this folder may not be read");
    for (const name of gone) if (name.startsWith(`${folder}/`) || folder === "") gone.delete(name);
  }
  const taken = within(changed, rules.commitBytes, hold);
  const edits = new Map<string, Entry | undefined>([...gone].map((name) => [name, undefined]));
  for (const { name, mode, blob } of taken) edits.set(name, { mode, blob });
  return { base, edits, held };
}

type Hold = (name: string, why: HeldFile["why"], detail: string, sha256?: string) => void;

async function judge(
  worktree: Worktree,
  file: FoundFile,
  before: Entry | undefined,
  rules: CommitRules,
  hold: Hold,
): Promise<Changed | "same" | "gone" | "held"> {
  const { name, stat } = file;
  const { root } = worktree;
  if (file.kind === "special") {
    hold(name, "special", file.detail ?? "no ordinary file");
    return "held";
  }
  if (file.kind === "link") {
    const target = await linkTarget(root, name);
    if (target === undefined) return "gone";
    const entry = { mode: "120000", blob: blobOf(target) };
    if (sameEntry(entry, before)) return "same";
    if (!(await leadsOut(root, name, target))) return { name, size: target.length, ...entry };
    hold(name, "link_out", "it leads out of the task's files");
    return "held";
  }
  const size = Number(stat.size);
  const tooLarge = size > rules.fileBytes;
  if (tooLarge && before === undefined) {
    hold(name, "too_large", `${bytes(size)}, over the limit of ${bytes(rules.fileBytes)}`);
    return "held";
  }
  try {
    const read = await readFile(worktree, file);
    if (read === undefined) return "gone";
    const { blob } = read;
    const entry = { mode: modeOf(Number(stat.mode)), blob };
    if (sameEntry(entry, before)) return "same";
    if (tooLarge && blob !== before?.blob) {
      hold(name, "too_large", `${bytes(size)}, over the limit of ${bytes(rules.fileBytes)}`);
      return "held";
    }
    if (blob !== before?.blob && size <= secretBytes) {
      const content = read.content ?? (await contentOf(root, name, secretBytes));
      // One that changed meanwhile is not stored, and looked at anew.
      if (content !== undefined && blobOf(content) === blob && (await isSecret(name, content, rules, hold)))
        return "held";
    }
    return { name, size, ...entry };
  } catch (thrown) {
    if (!isClosed(thrown)) throw thrown;
    hold(name, "special", "it may not be read");
    return "held";
  }
}

/** The content's name; with the content, when it is short and had to be read. */
async function readFile(
  worktree: Worktree,
  { name, stat }: FoundFile,
): Promise<{ readonly blob: string; readonly content?: Buffer } | undefined> {
  const memory = known.get(worktree) ?? new Map<string, { stamp: string; blob: string }>();
  known.set(worktree, memory);
  const stamp = [stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(" ");
  const remembered = memory.get(name);
  if (remembered?.stamp === stamp) return { blob: remembered.blob };
  memory.delete(name);
  const readAt = Date.now();
  const handle = await openFile(worktree.root, name);
  if (handle === undefined) return undefined;
  await using open = handle;
  const size = Number(stat.size);
  const hash = blobHash(size);
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(open, size)) {
    hash.update(chunk);
    if (size <= secretBytes) chunks.push(chunk);
  }
  const blob = hash.digest("hex");
  const touched = Math.max(Number(stat.mtimeMs), Number(stat.ctimeMs));
  // The system sets this one; a program may have set the other.
  const isFine = stat.ctimeNs % 1_000_000_000n !== 0n;
  if (touched < readAt - (isFine ? settled.fineMs : settled.coarseMs)) memory.set(name, { stamp, blob });
  return { blob, ...(size <= secretBytes ? { content: Buffer.concat(chunks) } : {}) };
}

async function isSecret(name: string, content: Uint8Array, rules: CommitRules, hold: Hold): Promise<boolean> {
  const sha256 = createHash("sha256").update(content).digest("hex");
  if (rules.allowed.has(sha256)) return false;
  const secret = await rules.secretIn(shown(name), content);
  if (secret !== undefined) hold(name, "secret", secret, sha256);
  return secret !== undefined;
}

async function contentOf(root: string, name: string, most: number): Promise<Buffer | undefined> {
  const handle = await openFile(root, name);
  if (handle === undefined) return undefined;
  await using open = handle;
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(open, most)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Whether a conflict's marks are still in a file. */
async function hasMarkers(root: string, name: string): Promise<boolean> {
  const text = (await contentOf(root, name, 64 * secretBytes))?.toString("latin1") ?? "";
  return /^<{7} /m.test(text) && /^={7}\r?$/m.test(text) && /^>{7} /m.test(text);
}

/** As much as one commit may have; the largest stay out first. */
function within(changed: readonly Changed[], most: number, hold: Hold): readonly Changed[] {
  let sum = changed.reduce((bytes, { size }) => bytes + size, 0);
  const out = new Set<Changed>();
  for (const file of changed.toSorted((one, other) => other.size - one.size)) {
    if (sum <= most) break;
    sum -= file.size;
    out.add(file);
    hold(file.name, "commit_too_large", `${bytes(file.size)}; one commit takes ${bytes(most)} in all`);
  }
  return changed.filter((file) => !out.has(file));
}

function bytes(count: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  return `${Number((count / 1000 ** power).toFixed(1))} ${units[power] ?? ""}`;
}

/** What a commit changed, against its first parent: for a merge, what it brought. Bounded in memory, however much it is. */
import { Writable } from "node:stream";
import type { Commit, FileChange } from "../core/files.ts";
import { digestsOf } from "./blobs.ts";
import type { Git, GitPlace } from "./git.ts";
import { changesTold, type CommitFacts, type Repository } from "./port.ts";

/** Git's name of the tree without any file. */
export const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

const plain = ["--no-ext-diff", "--no-textconv", "--ignore-submodules=all", "-M", "-l1000", "--no-color"];

/** One record of `--raw -z`. */
export interface RawChange {
  readonly path: string;
  readonly kind: FileChange["kind"];
  readonly from?: string;
  readonly mode?: string;
  readonly blob?: string;
}

const rawFields = /^:+((?:\d{6} )+)((?:[0-9a-f]+ )+)([A-Z]+)\d*$/;
const nothing = /^0+$/;

/** Whether a record of `--raw -z` has two paths. */
export function isRename(fields: string): boolean {
  return / [RC]\d*$/.test(fields);
}

/** One record of `--raw -z`, also of a merge's combined diff. `from` only where {@link isRename}. */
export function rawChange(fields: string, path: string, from?: string): RawChange | undefined {
  const [, modes, blobs, status] = rawFields.exec(fields) ?? [];
  if (modes === undefined || blobs === undefined || status === undefined) return undefined;
  const [mode = "", blob = ""] = [modes.trim().split(" ").at(-1), blobs.trim().split(" ").at(-1)];
  if (nothing.test(mode)) return { path, kind: "deleted" };
  const after = { path, mode, blob };
  if (from !== undefined) return { ...after, kind: "renamed", from };
  if (/^A+$/.test(status)) return { ...after, kind: "added" };
  const sameContent = new Set(blobs.trim().split(" ")).size === 1;
  return { ...after, kind: sameContent ? "mode" : "modified" };
}

/**
 * @param diffBytes The longest diff that is given, in bytes. A longer one is left out.
 * @throws CrewError `GIT_FAILED`
 */
export async function factsOf(
  git: Git,
  repository: Repository,
  commit: Commit,
  diffBytes: number,
): Promise<CommitFacts> {
  const place = { gitDir: repository.path };
  const between = [commit.parents[0] ?? emptyTree, commit.hash];
  const summary = new Summary();
  await git.run(place, ["diff-tree", "-r", "-z", "--raw", "--numstat", ...plain, ...between], {
    output: summary.reader(),
  });
  const { told, files, added, removed } = summary;
  const digests = await digestsOf(
    git,
    repository,
    told.flatMap(({ raw }) => (raw.blob === undefined ? [] : [raw.blob])),
  );
  const changes = told.map(({ raw: { blob, ...change }, lines }): FileChange => {
    const digest = blob === undefined ? undefined : digests.get(blob);
    return { ...change, ...lines, ...digest };
  });
  // Every line takes a byte at least.
  const diff =
    added + removed > 0 && added + removed <= diffBytes ? await shortDiff(git, place, between, diffBytes) : "";
  return { commit, changes, files, added, removed, ...(diff === "" ? {} : { diff }) };
}

async function shortDiff(git: Git, place: GitPlace, between: readonly string[], maxBytes: number): Promise<string> {
  const tooLong = new AbortController();
  const chunks: Buffer[] = [];
  let size = 0;
  const output = new Writable({
    write(chunk: Buffer, _encoding, next) {
      size += chunk.length;
      if (size > maxBytes) tooLong.abort();
      else chunks.push(chunk);
      next();
    },
  });
  try {
    await git.run(place, ["diff-tree", "-r", "-p", ...plain, ...between], { output, signal: tooLong.signal });
  } catch (thrown) {
    if (!tooLong.signal.aborted) throw thrown;
  }
  return size > maxBytes ? "" : Buffer.concat(chunks).toString();
}

interface Told {
  readonly raw: RawChange;
  lines?: { readonly added: number; readonly removed: number };
}

const lineCount = /^(\d+|-)\t(\d+|-)\t([^]*)$/;

/** Reads `--raw --numstat -z`: first all raw records, then the line counts in the same order. */
class Summary {
  readonly told: Told[] = [];
  files = 0;
  added = 0;
  removed = 0;
  /** The beginning of a record whose end has not come. */
  #fields: readonly string[] = [];
  #counted = 0;

  reader(): Writable {
    // Bytes until the next NUL. They are put together only then: a chunk may end within a character.
    let rest: Buffer[] = [];
    return new Writable({
      write: (chunk: Buffer, _encoding, next) => {
        let at = 0;
        for (let end = chunk.indexOf(0); end !== -1; end = chunk.indexOf(0, at)) {
          rest.push(chunk.subarray(at, end));
          this.#take(Buffer.concat(rest).toString());
          rest = [];
          at = end + 1;
        }
        if (at < chunk.length) rest.push(Buffer.from(chunk.subarray(at)));
        next();
      },
    });
  }

  #take(text: string): void {
    const fields = [...this.#fields, text];
    const [first = ""] = fields;
    this.#fields = [];
    const raw = first.startsWith(":");
    if (raw ? fields.length < (isRename(first) ? 3 : 2) : isOpen(fields)) {
      this.#fields = fields;
    } else if (raw) {
      this.files += 1;
      const [, one = "", two] = fields;
      const change = two === undefined ? rawChange(first, one) : rawChange(first, two, one);
      if (change !== undefined && this.told.length < changesTold) this.told.push({ raw: change });
    } else {
      this.#count(first);
    }
  }

  #count(text: string): void {
    const [, added = "-", removed = "-"] = lineCount.exec(text) ?? [];
    const told = this.told[this.#counted];
    this.#counted += 1;
    // A dash for both: binary.
    if (added === "-" || removed === "-") return;
    this.added += Number(added);
    this.removed += Number(removed);
    if (told !== undefined) told.lines = { added: Number(added), removed: Number(removed) };
  }
}

/** A line count of a rename goes on with both paths. */
function isOpen(fields: readonly string[]): boolean {
  return lineCount.exec(fields[0] ?? "")?.[3] === "" && fields.length < 3;
}

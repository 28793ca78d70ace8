/**
 * 1,000 small commits one after another: whether the hundredth costs what the thousandth costs, of recording it (git) and of
 * telling the room (bundle, media store, event) each; and what the room's record in the store is then. BENCH_COMMITS sets how
 * many; default 1,000.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { openFilesStage } from "./files-stage.ts";
import type { Measure, Row } from "./row.ts";
import { grouped, median } from "./stats.ts";

const commits = Number(process.env["BENCH_COMMITS"] ?? 1_000);
/** The first and the last of them that are compared. */
const compared = Math.min(100, Math.floor(commits / 3));
const files = 100;
const quietMs = 50;
const limit = 1.3;
/** After each so many, git alone commits the same change, and Anna sends herself a message. */
const controlEvery = 4;

export const filesCommits: Measure = async (progress) => {
  await using stage = await openFilesStage({
    parts: [{ id: "work" }],
    config: { files: { quiet_ms: quietMs, quiet_most_ms: quietMs } },
  });
  const ref = path.join(stage.repository, "refs", "heads", "subtask", "work");
  const recorded: number[] = [];
  const told: number[] = [];
  const alone: number[] = [];
  const raw: number[] = [];
  using git = new GitAlone();
  const write = (n: number): Promise<void> =>
    writeFile(path.join(stage.worktree, `file-${n % files}.txt`), contentOf(n));
  for (let n = 0; n < files; n++) {
    await stage.change(`file-${n}.txt`, () => write(n));
    git.commit(`file-${n}.txt`, contentOf(n));
  }
  const store = path.join(stage.crew.directory, "crewroom.db");
  const before = recordBytes(store);
  for (let n = files; n < files + commits; n++) {
    const { began, heard } = await stage.change(`file-${n % files}.txt`, () => write(n));
    const moved = statSync(ref).mtimeMs;
    recorded.push(moved - began - quietMs);
    told.push(heard - moved);
    if (n % controlEvery === 0) {
      alone.push(git.commit(`file-${n % files}.txt`, contentOf(n)));
      raw.push(await stage.anna.talk(stage.aside, stage.anna.user, `message ${n}`));
    }
    if (n % 100 === 99)
      progress(
        `files-commits: ${n + 1 - files} of ${commits}, recorded in ${median(recorded.slice(-100)).toFixed(0)} ms, told in ${median(told.slice(-100)).toFixed(0)} ms`,
      );
  }
  const after = recordBytes(store);
  progress(`files-commits: the room's record has ${grouped(after)} bytes, ${grouped(before)} before`);
  const row = (what: string, took: readonly number[], control: readonly number[], beside: string): Row => {
    const [first, last] = growth(took, compared);
    const [controlFirst, controlLast] = growth(control, Math.ceil(compared / controlEvery));
    const grown = last / first / (controlLast / controlFirst);
    return {
      what,
      figure: `${grown.toFixed(2)} × (${first.toFixed(0)} → ${last.toFixed(0)} ms)`,
      limit: `≤ ${limit} ×`,
      comparedWith: `${beside}: ${(controlLast / controlFirst).toFixed(2)} × (${controlFirst.toFixed(0)} → ${controlLast.toFixed(0)} ms)`,
      ok: grown <= limit,
      runs: took,
    };
  };
  return [
    row(`${grouped(commits)} small commits, recording the last ${compared} by the first`, recorded, alone, "git alone"),
    row("The same, telling the room of them", told, raw, "a message"),
    {
      what: "The room's record in the store after them",
      figure: `${grouped(after)} bytes`,
      limit: "-",
      comparedWith: `before them: ${grouped(before)} bytes`,
      runs: [before, after],
    },
  ];
};

function contentOf(n: number): string {
  return `${n}: a few words\n`.repeat(10);
}

/** Medians of the first and of the last so many. */
function growth(took: readonly number[], count: number): readonly [number, number] {
  return [median(took.slice(0, count)), median(took.slice(-count))];
}

/** What else the machine does makes git slower or faster as well: the same commits, made by it alone. */
class GitAlone implements Disposable {
  readonly #directory = mkdtempSync(path.join(tmpdir(), "crewroom-bench-alone-"));

  constructor() {
    this.#git(["init", "--quiet"]);
  }

  /** @returns The milliseconds that it took. */
  commit(name: string, content: string): number {
    writeFileSync(path.join(this.#directory, name), content);
    const began = performance.now();
    this.#git(["add", "--all"]);
    const who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
    this.#git([...who, "-c", "gc.auto=0", "commit", "--quiet", "--allow-empty", "--message", name]);
    return performance.now() - began;
  }

  #git(args: readonly string[]): void {
    execFileSync("git", ["-C", this.#directory, ...args]);
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Of the largest record of a room in the store. */
function recordBytes(file: string): number {
  using store = new DatabaseSync(file, { readOnly: true });
  const found = store.prepare("SELECT max(length(value)) AS bytes FROM entry WHERE key LIKE 'room:%'").get();
  return Number(found?.["bytes"] ?? Number.NaN);
}

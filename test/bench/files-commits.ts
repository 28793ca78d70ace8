/**
 * 1,000 small commits one after another: whether the hundredth costs what the thousandth costs, of recording it (git) and of
 * telling the room (bundle, media store, event) each; and what the room's record in the store is then. BENCH_COMMITS sets how
 * many; default 1,000.
 */
import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
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

export const filesCommits: Measure = async (progress) => {
  await using stage = await openFilesStage({
    parts: [{ id: "work" }],
    config: { files: { quiet_ms: quietMs, quiet_most_ms: quietMs } },
  });
  const ref = path.join(stage.repository, "refs", "heads", "subtask", "work");
  const recorded: number[] = [];
  const told: number[] = [];
  const write = (n: number): Promise<void> =>
    writeFile(path.join(stage.worktree, `file-${n % files}.txt`), `${n}: a few words\n`.repeat(10));
  for (let n = 0; n < files; n++) await stage.change(`file-${n}.txt`, () => write(n));
  const store = path.join(stage.crew.directory, "crewroom.db");
  const before = recordBytes(store);
  for (let n = files; n < files + commits; n++) {
    const { began, heard } = await stage.change(`file-${n % files}.txt`, () => write(n));
    const moved = statSync(ref).mtimeMs;
    recorded.push(moved - began - quietMs);
    told.push(heard - moved);
    if (n % 100 === 99)
      progress(
        `files-commits: ${n + 1 - files} of ${commits}, recorded in ${median(recorded.slice(-100)).toFixed(0)} ms, told in ${median(told.slice(-100)).toFixed(0)} ms`,
      );
  }
  const after = recordBytes(store);
  progress(`files-commits: the room's record has ${grouped(after)} bytes, ${grouped(before)} before`);
  const row = (what: string, took: readonly number[], more: string): Row => {
    const [first, last] = [median(took.slice(0, compared)), median(took.slice(-compared))];
    return {
      what,
      figure: `${(last / first).toFixed(2)} × (${first.toFixed(0)} → ${last.toFixed(0)} ms)`,
      limit: `≤ ${limit} ×`,
      comparedWith: more,
      ok: last <= limit * first,
      runs: took,
    };
  };
  const hundred = `the median of the last ${compared} by that of the first ${compared}`;
  return [
    row(`${grouped(commits)} small commits, recording one`, recorded, hundred),
    row(
      "The same, telling the room of one",
      told,
      `its record: ${grouped(before)} bytes before, ${grouped(after)} after`,
    ),
  ];
};

/** Of the largest record of a room in the store. */
function recordBytes(file: string): number {
  using store = new DatabaseSync(file, { readOnly: true });
  const found = store.prepare("SELECT max(length(value)) AS bytes FROM entry WHERE key LIKE 'room:%'").get();
  return Number(found?.["bytes"] ?? Number.NaN);
}

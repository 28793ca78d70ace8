/**
 * `npm run bench`: speed and memory, measured on the real thing. docs/performance.md has the method.
 *
 *   --only NAME   one of the measurements below; may be repeated
 *   --json        the rows as JSON, with the figure of every run
 *   --strict      exit 1 when a figure does not keep its limit
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { contested } from "./contest.ts";
import { filesCommits } from "./files-commits.ts";
import { filesImport } from "./files-import.ts";
import { filesWorktree } from "./files-worktree.ts";
import { files } from "./files.ts";
import { handOver } from "./hand-over.ts";
import { idleHour } from "./idle-hour.ts";
import { ingest } from "./ingest.ts";
import { memory } from "./memory.ts";
import { requestSize } from "./request-size.ts";
import { roundTrip } from "./round-trip.ts";
import { type Measure, type Row, table } from "./row.ts";
import { stopChild } from "./stop-child.ts";
import { taskLoad } from "./task-load.ts";

const measurements: Readonly<Record<string, Measure>> = {
  "round-trip": roundTrip,
  ingest,
  memory,
  contest: contested,
  "hand-over": handOver,
  tasks: taskLoad,
  idle: idleHour,
  "request-size": requestSize,
  files,
  "files-worktree": filesWorktree,
  "files-import": filesImport,
  "files-commits": filesCommits,
  stop: stopChild,
};

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: Object.keys(measurements) },
    json: { type: "boolean", default: false },
    strict: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(
    "npm run bench -- [--only NAME]... [--json] [--strict]\n" +
      `  --only NAME   one of ${Object.keys(measurements).join(", ")}; may be repeated\n` +
      "  --json        the rows as JSON, with the figure of every run\n" +
      "  --strict      exit 1 when a figure does not keep its limit\n",
  );
  process.exit();
}

const rows: Row[] = [];
for (const name of values.only) {
  const measure = measurements[name];
  if (measure === undefined) throw new Error(`There is no ${name}; there are ${Object.keys(measurements).join(", ")}`);
  rows.push(...(await measure((line) => process.stderr.write(`${line}\n`))));
}
process.stdout.write(`${values.json ? JSON.stringify(rows, undefined, 2) : table(rows)}\n`);
if (values.strict && rows.some((row) => row.ok === false)) process.exitCode = 1;

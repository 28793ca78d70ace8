/**
 * 10,000 files of 200 MB that come into a worktree at once, as when an agent unpacks something: one commit, with its bundle
 * in the media store. Half of them are text, in which secrets are looked for; none can be compressed much. Beside it,
 * `git add` and `git commit` of the same files.
 */
import { execFile } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { statSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { commitIn, openFilesStage } from "./files-stage.ts";
import { peakDuring } from "./peak.ts";
import type { Measure } from "./row.ts";
import { grouped } from "./stats.ts";

const files = 10_000;
const fileBytes = 20_000;
const perFolder = 100;
const limitMb = 150;
const settleMs = 5_000;
const quietMs = 1_000;
const run = promisify(execFile);

export const filesImport: Measure = async (progress) => {
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-bench-import-"));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const prepared = path.join(directory, "data");
  await fill(prepared);
  const bare = await timed(async () => {
    const git = ["-c", "gc.auto=0", "--git-dir", path.join(directory, "bare.git"), "--work-tree", prepared];
    await run("git", [...git, "init", "--quiet"]);
    await run("git", [...git, "add", "--all"]);
    const who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
    await run("git", [...git, ...who, "commit", "--quiet", "--message", "Import"]);
  });
  progress(`files-import: git add and commit took ${(bare / 1_000).toFixed(1)} s`);

  const stage = opened.use(await openFilesStage({ parts: [{ id: "work" }] }));
  await delay(settleMs);
  const ref = path.join(stage.repository, "refs", "heads", "subtask", "work");
  const [change, peak] = await peakDuring(stage.bridge.pid ?? 0, () =>
    stage.change("data/folder-0/file-0.bin", () => rename(prepared, path.join(stage.worktree, "data"))),
  );
  const recorded = statSync(ref).mtimeMs - change.began - quietMs;
  const told = change.heard - change.began;
  const { bundle } = change.commit;
  await delay(settleMs);
  const commits = (await stage.events(1)).flatMap((event) => commitIn(event) ?? []);
  const parts = bundle?.parts.length ?? 0;
  const whole = bundle !== undefined && bundle.parts.reduce((sum, { size }) => sum + size, 0) === bundle.size;
  const one = commits.length === 1 && change.commit.files === files && whole;
  progress(`files-import: ${commits.length} commits, ${change.commit.files} files, ${parts} parts`);
  return [
    {
      what: `Memory, ${grouped(files)} files of ${(files * fileBytes) / 1e6} MB imported as one commit`,
      figure: `${peak.own.toFixed(0)} MB above ${peak.before.toFixed(0)} MB; ${commits.length} commit, bundle of ${((bundle?.size ?? 0) / 1e6).toFixed(0)} MB in ${parts} parts`,
      limit: `< ${limitMb} MB above`,
      comparedWith: `its git processes beside it: ${peak.children.toFixed(0)} MB`,
      ok: one && peak.own < limitMb,
      runs: [peak.own, peak.children, commits.length],
    },
    {
      what: "The same, time until it is recorded",
      figure: `${(recorded / 1_000).toFixed(1)} s, ${(recorded / bare).toFixed(2)} × git; in the room after ${(told / 1_000).toFixed(1)} s`,
      limit: "-",
      comparedWith: `git add and git commit of the same files: ${(bare / 1_000).toFixed(1)} s`,
      runs: [recorded, told, bare],
    },
  ];
};

async function fill(folder: string): Promise<void> {
  const bytes = Buffer.alloc(fileBytes);
  for (let n = 0; n < files; n++) {
    const within = path.join(folder, `folder-${Math.floor(n / perFolder)}`);
    if (n % perFolder === 0) await mkdir(within, { recursive: true });
    randomFillSync(bytes);
    const text = n % 2 === 1;
    const content = text ? lines(bytes) : bytes;
    await writeFile(path.join(within, `file-${n}.${text ? "txt" : "bin"}`), content);
  }
}

/** As many bytes of text, in lines of 80. */
function lines(bytes: Buffer): string {
  return (bytes.toString("base64").match(/.{79}/g) ?? []).join("\n").slice(0, bytes.length);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

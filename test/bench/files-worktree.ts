/**
 * From a commit to its files in another worktree of the same host: what a worker hands in in its reviewer's, and what is
 * merged in that of the next subtask's worker. Beside it, what git alone takes for a worktree of the same tree.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Part } from "../support/tasks.ts";
import { type FilesStage, openFilesStage } from "./files-stage.ts";
import type { Measure, Row } from "./row.ts";
import { grouped, median, quantile } from "./stats.ts";
import type { Asked } from "./task-stage.ts";

const subtasks = 20;
const files = Number(process.env["BENCH_TREE_FILES"] ?? 500);
const fileBytes = 4_000;
const perFolder = 25;
const limitMs = 500;
const patienceMs = 15 * 60_000;

interface Presence {
  /** From the commit until its agent's model is asked, in milliseconds. */
  readonly asked: number;
  /** From the commit to the newest file in its place, in milliseconds. */
  readonly present: number;
  /** From the commit until the agent's first look at it is answered. */
  readonly looked: number;
}

export const filesWorktree: Measure = async (progress) => {
  const ids = Array.from({ length: subtasks }, (_, n) => `part-${n}`);
  const reviews: Presence[] = [];
  const merges: Presence[] = [];
  using bare = new BareRepository();
  let stage: FilesStage | undefined;
  await using opened = await openFilesStage({
    parts: ["import", ...ids].map((id, n, all): Part => ({ id, after: all.slice(Math.max(0, n - 1), n) })),
    script: [
      {
        when: { role: "executor", last: "/Your subtask `import`/", step: 2 },
        answer: {
          tools: [{ name: "submit_work", arguments: { subtask: "import", summary: "All of it." } }],
          delay_ms: 599_999,
        },
      },
      { when: { role: "executor", step: 1 }, answer: { tools: [{ name: "list_files", arguments: {} }] } },
      {
        when: { role: "executor", last: "/Your subtask `(part-\\d+)`/", step: 2 },
        answer: { tools: [{ name: "write_file", arguments: { path: "$1.md", content: "The result of $1.\n" } }] },
      },
      {
        when: { role: "executor", last: "/Your subtask `(part-\\d+)`/", step: 3 },
        answer: { tools: [{ name: "submit_work", arguments: { subtask: "$1", summary: "Here it is." } }] },
      },
      { when: { role: "reviewer", step: 1 }, answer: { tools: [{ name: "list_files", arguments: {} }] } },
      {
        when: { role: "reviewer", last: "/Review `([\\w-]+)`/", step: 2 },
        answer: {
          tools: [
            {
              name: "review_work",
              arguments: { subtask: "$1", verdict: "approve", score: 4, issues: [], comment: "Good." },
            },
          ],
        },
      },
      { when: { last: "/part-/" }, answer: { text: "That is all." } },
    ],
    onAsked: (asked) => {
      if (stage === undefined || asked.step !== 2) return;
      // In turns, and in the same moment: whatever else the machine does meets both.
      bare.addWorktree();
      const [, work] = /Your subtask `(part-\d+)`/.exec(asked.last) ?? [];
      const [, judged] = /Review `(part-\d+)`/.exec(asked.last) ?? [];
      if (work !== undefined) merges.push(presence(stage, asked, "main", `${work}.executor`));
      if (judged !== undefined) reviews.push(presence(stage, asked, `subtask/${judged}`, `${judged}.reviewer+review`));
    },
  });
  stage = opened;
  await fill(opened, bare);
  opened.goOn();
  await opened.waitForTasks("done", 1, patienceMs);
  progress(`files-worktree: ${reviews.length} reviews, ${merges.length} merges`);
  const compared = `git worktree add of the same ${grouped(files)} files: p50 ${median(bare.took).toFixed(0)} ms, p95 ${quantile(bare.took, 0.95).toFixed(0)} ms`;
  const row = (what: string, found: readonly Presence[]): Row => {
    const present = found.map((one) => one.present);
    const looked = found.map((one) => one.looked);
    const p95 = quantile(present, 0.95);
    progress(`files-worktree, ${what}: model asked after ${median(found.map((one) => one.asked)).toFixed(0)} ms`);
    const figure =
      `p50 ${median(present).toFixed(0)} ms, p95 ${p95.toFixed(0)} ms; ` +
      `${(median(present) / median(bare.took)).toFixed(1)} × git; first look answered: p95 ${quantile(looked, 0.95).toFixed(0)} ms`;
    const ok = found.length === subtasks && p95 < limitMs;
    return { what, figure, limit: `p95 < ${limitMs} ms`, comparedWith: compared, ok, runs: present };
  };
  return [
    row("Commit handed in → in its reviewer's worktree", reviews),
    row("Commit merged → in the next worker's worktree", merges),
  ];
};

/** The first subtask's worker makes a project at once. */
async function fill(stage: FilesStage, bare: BareRepository): Promise<void> {
  const beside = path.join(bare.directory, "tree");
  for (let n = 0; n < files; n++) {
    const folder = path.join(beside, `part-${Math.floor(n / perFolder)}`);
    await mkdir(folder, { recursive: true });
    const line = `export const value${n} = ${n};\n`;
    await writeFile(path.join(folder, `file-${n}.js`), line.repeat(Math.ceil(fileBytes / line.length)));
  }
  bare.take(beside);
  await rename(beside, path.join(stage.worktree, "src"));
}

/** By the system's own times: that of the branch's ref, and those of the files, which change when they come to their place. */
function presence(stage: FilesStage, asked: Asked, branch: string, worktree: string): Presence {
  const committed = statSync(path.join(stage.repository, "refs", "heads", branch)).mtimeMs;
  const root = stage.worktreeOf(worktree);
  const found = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const newest = Math.max(...found.map(({ name, parentPath }) => statSync(path.join(parentPath, name)).ctimeMs));
  const first = stage.asked.findLast(({ last, step }) => step === 1 && last === asked.last);
  const since = (at = Number.NaN): number => performance.timeOrigin + at - committed;
  return { asked: since(first?.at), present: newest - committed, looked: since(asked.at) };
}

/** The same tree in a repository that only git knows. */
class BareRepository implements Disposable {
  readonly took: number[] = [];
  readonly directory = mkdtempSync(path.join(tmpdir(), "crewroom-bench-bare-"));

  take(tree: string): void {
    this.#git(["init", "--quiet"]);
    this.#git(["--work-tree", tree, "add", "--all"]);
    const who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
    this.#git([...who, "--work-tree", tree, "commit", "--quiet", "--message", "All of it"]);
    this.#git(["repack", "-a", "-d", "--quiet"]);
  }

  addWorktree(): void {
    const began = performance.now();
    const into = path.join(this.directory, `${this.took.length}`);
    this.#git(["worktree", "add", "--quiet", "--detach", into, "HEAD"]);
    this.took.push(performance.now() - began);
  }

  #git(args: readonly string[]): void {
    execFileSync("git", ["--git-dir", path.join(this.directory, "repo.git"), ...args]);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

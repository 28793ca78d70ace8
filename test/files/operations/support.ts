/** A worktree with something beside it that nobody may touch. */
import { createHash } from "node:crypto";
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { operate, type OperateParts } from "../../../src/files/operations/operate.ts";
import type { FileRequest } from "../../../src/core/files.ts";
import type { Worktree } from "../../../src/files/port.ts";

export interface Stage extends AsyncDisposable {
  readonly tree: Worktree;
  /** Beside the worktree. */
  readonly outside: string;
  readonly at: (path: string) => string;
  /** Writes files into the worktree. */
  readonly put: (files: Readonly<Record<string, string | Buffer>>) => Promise<void>;
  readonly text: (path: string) => Promise<string>;
  readonly use: (request: FileRequest, over?: Partial<OperateParts>) => Promise<string>;
  /** Everything outside of the worktree: paths, kinds, modes and contents. */
  readonly around: () => Promise<string>;
}

export const signal = new AbortController().signal;

export async function stage(over: Partial<Worktree> = {}): Promise<Stage> {
  const base = await realpath(await mkdtemp(join(tmpdir(), "crewroom-operations-")));
  const root = join(base, "tree");
  const gitDir = join(base, "repo", "worktrees", "w");
  const outside = join(base, "outside");
  const at = (path: string): string => join(root, path);
  const put: Stage["put"] = async (files) => {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(at(path)), { recursive: true });
      await writeFile(at(path), content);
    }
  };
  await mkdir(gitDir, { recursive: true });
  await mkdir(join(outside, "folder"), { recursive: true });
  await writeFile(join(outside, "secret.txt"), "the canary\n");
  await writeFile(join(outside, "folder", "inner.txt"), "another\n");
  await put({ ".git": `gitdir: ${gitDir}\n` });
  const tree: Worktree = { root, gitDir, writable: true, branch: "subtask/a", ...over };
  const parts: OperateParts = {
    fileBytes: 100_000,
    secretIn: async (_path, content) => (Buffer.from(content).includes("AKIA") ? "an AWS access key" : undefined),
    history: async (path) => `history of ${path}`,
    restore: async (path, commit) => `restored ${path} ${commit}`,
    record: async () => undefined,
    run: async (command) => ({ code: 0, output: `ran ${command}`, leftOut: 0, tookMs: 100 }),
    signal,
  };
  return {
    tree,
    outside,
    at,
    put,
    text: async (path) => readFile(at(path), "utf8"),
    use: async (request, changed = {}) => operate(tree, request, { ...parts, ...changed }),
    around: async () => (await print(base, "", root)).join("\n"),
    [Symbol.asyncDispose]: async () => rm(base, { recursive: true, force: true }),
  };
}

async function print(base: string, path: string, without: string): Promise<string[]> {
  const lines: string[] = [];
  for (const name of (await readdir(join(base, path))).sort()) {
    const at = join(path, name);
    if (join(base, at) === without) continue;
    const found = await lstat(join(base, at));
    const sum = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
    const what = found.isDirectory()
      ? "folder"
      : found.isSymbolicLink()
        ? await readlink(join(base, at))
        : sum(await readFile(join(base, at)));
    lines.push(`${at} ${found.mode.toString(8)} ${what}`);
    if (found.isDirectory()) lines.push(...(await print(base, at, without)));
  }
  return lines;
}

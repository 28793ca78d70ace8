/** A fresh folder with a task's repository, removed at the end of the test. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { AgentId, UserId } from "../../src/core/ids.ts";
import { createGit, type Git } from "../../src/files/git.ts";
import type { CommitRules, CommitWords, Repository } from "../../src/files/port.ts";
import { openRepository } from "../../src/files/repository.ts";

export interface Bench {
  /** Real path. */
  readonly folder: string;
  readonly git: Git;
  readonly repository: Repository;
}

export async function freshFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), "crewroom-files-")));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function bench(task = 7): Promise<Bench> {
  const folder = await freshFolder();
  const git = createGit();
  return { folder, git, repository: await openRepository(git, folder, task) };
}

export function words(message = "A change", more: Partial<CommitWords> = {}): CommitWords {
  return {
    message,
    author: { id: "ada" as AgentId, name: "Ada", user: "@agent_ada:example.org" as UserId },
    why: "change",
    task: 7,
    ts: 1_700_000_000_000,
    ...more,
  };
}

export function rules(more: Partial<CommitRules> = {}): CommitRules {
  return {
    fileBytes: 1_000_000,
    commitBytes: 10_000_000,
    ignore: ["node_modules/"],
    allowed: new Set(),
    secretIn: () => Promise.resolve(undefined),
    ...more,
  };
}

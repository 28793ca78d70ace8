/** What a task's room asks of its files: merges, what people hand in and take back, and what they want to see. */
import { rm } from "node:fs/promises";
import { asCrewError, CrewError } from "../core/errors.ts";
import {
  type Branch,
  type Commit,
  type FilesJobEffect,
  type FilesResult,
  mainBranch,
  type Upload,
} from "../core/files.ts";
import { asCommitHash, asUserId, type CommitHash, type EventId } from "../core/ids.ts";
import { archive, commitOf, type Job, type JobParts, list, show, told } from "./looks.ts";
import { factsOf } from "./changes.ts";
import { mergeInto } from "./merge.ts";
import { pathInCommit } from "./paths.ts";
import { historyOf } from "./restore.ts";
import { rewriteWithout } from "./rewrite.ts";
import type { TaskRepository } from "./task-files.ts";
import { blobAt, editTree, pathsOf } from "./tree-edit.ts";
import { uploadName } from "./upload-name.ts";
import { closeTrees, follow, hasWork, openTree, recordTree } from "./workspaces.ts";

/** Does a job. What cannot be (no such file) is a result; what failed rejects, and is tried again or told. */
export async function doJob(task: TaskRepository, effect: FilesJobEffect, parts: JobParts): Promise<FilesResult> {
  const { job } = effect;
  try {
    switch (job.kind) {
      case "merge":
        return await task.exclusive(() => merge(task, job));
      case "upload":
        return await upload(task, job, parts);
      case "withdraw":
        return await task.exclusive(() => withdraw(task, job));
      case "commit":
        await task.exclusive(() => commitLetIn(task, job));
        return nothingToTell;
      case "list":
        return told(await list(task, inCommit(job)));
      case "log":
        return told(await historyOf(task, await task.head(job.branch), inCommit(job).path));
      case "show":
        return await show(task, inCommit(job), parts);
      case "restore":
        return await task.exclusive(() => restore(task, inCommit(job)));
      case "archive":
        return await archive(task, job, parts);
      case "republish":
        await task.exclusive(async () => tellAnew(task, await task.repository.heads()));
        return nothingToTell;
    }
  } catch (thrown) {
    const error = asCrewError(thrown);
    // What was asked for is not possible: that is an answer.
    if (error.code === "FILE_REFUSED" || error.code === "MEDIA_TOO_LARGE" || error.code === "FILES_MOVED")
      return { kind: "refused", text: `${error.message} ${error.todo}` };
    throw thrown;
  }
}

/** What a person types is checked before git sees it: its own refusals name folders of this machine. */
function inCommit<T extends { readonly path: string }>(job: T): T {
  return { ...job, path: pathInCommit(job.path) };
}

const nothingToTell: FilesResult = { kind: "told", text: "" };

async function merge(task: TaskRepository, { subtask, commit }: Job<"merge">): Promise<FilesResult> {
  const { bridge, git } = task.parts;
  const title = task.task?.subtasks[subtask]?.title ?? subtask;
  const words = task.words(bridge.bot, "merge", `Merge ${subtask}: ${title}`, { subtask });
  const merged = await mergeInto(git, task.repository, { into: mainBranch, commit, words });
  if (merged.kind === "conflict") return { kind: "conflict", main: merged.main, conflicts: merged.conflicts };
  await task.report(mainBranch);
  return { kind: "merged", commit: merged.commit };
}

async function upload(task: TaskRepository, job: Job<"upload">, { media, signal }: JobParts): Promise<FilesResult> {
  const done = task.files.uploads.find(({ event }) => event === job.event);
  if (done !== undefined) return { kind: "uploaded", upload: done };
  const { bridge, git, settings } = task.parts;
  const name = uploadName(job.name);
  const content = await task.temporary(name);
  try {
    await media.fetch(job.mxc, content, settings.fileBytes, signal);
    return await task.exclusive(async () => {
      await begun(task, job.branch);
      const message = job.caption.trim() === "" ? `Add ${name}` : job.caption.trim();
      const about = { ...subtaskOf(job.branch), event: job.event };
      const words = task.words(bridge.author(job.by), "upload", message, about);
      let commit: CommitHash | undefined;
      await follow(task, job.branch, async () => {
        commit = (await editTree(git, task.repository, job.branch, [{ path: name, content }], words))?.hash;
      });
      await task.report(job.branch);
      // The same content under the same name: nothing changed (or a crash came after it did).
      const at = commit ?? (await task.head(job.branch));
      const found = await blobAt(git, task.repository, at, name);
      if (found === undefined) throw new CrewError("INTERNAL", { reason: `${name} is not where it was put` });
      return { kind: "uploaded", upload: { event: job.event, by: job.by, path: name, blob: found.blob, commit: at } };
    });
  } finally {
    await rm(content, { force: true });
  }
}

/** A branch that people write to before its worker does begins at main. */
async function begun(task: TaskRepository, branch: Branch): Promise<void> {
  if ((await task.repository.head(branch)) === undefined)
    await task.repository.move(branch, await task.head(mainBranch), undefined);
}

function subtaskOf(branch: Branch): { subtask?: string } {
  const [, subtask] = /^(?:subtask|late)\/([^/]+)/.exec(branch) ?? [];
  return subtask === undefined ? {} : { subtask };
}

async function withdraw(task: TaskRepository, job: Job<"withdraw">): Promise<FilesResult> {
  const { bridge, git, settings } = task.parts;
  const taken = job.upload ?? (await uploadOf(task, job.event));
  // What was redacted was no file.
  if (taken === undefined) return { kind: "withdrawn", text: "" };
  // Somebody else may have handed in the same: that stays theirs.
  const others = task.files.uploads.filter(({ blob, event }) => blob === taken.blob && event !== taken.event);
  const spared = new Set(others.map(({ path }) => path).filter((path) => path !== taken.path));
  const isPurge = settings.withdrawn === "purge" && others.length === 0;
  const removed = new Set<string>();
  let changedSince = false;
  for (const [branch, head] of Object.entries(await task.repository.heads())) {
    const found = await pathsOf(git, task.repository, head, taken.blob);
    const paths = found.filter((path) => !spared.has(path));
    const now = await blobAt(git, task.repository, head, taken.path);
    changedSince ||= now !== undefined && now.blob !== taken.blob;
    for (const path of paths) removed.add(path);
    // Where history is rewritten there is nothing left to take away.
    if (paths.length === 0 || isPurge) continue;
    const words = task.words(bridge.author(job.by), "withdraw", `Withdraw ${taken.path}`, subtaskOf(branch));
    const edits = paths.map((path) => ({ path, remove: true as const }));
    await follow(task, branch, async () => void (await editTree(git, task.repository, branch, edits, words)));
    await task.report(branch);
  }
  const text = withdrawalText(taken, [...removed], changedSince);
  if (!isPurge) {
    const why = settings.withdrawn === "purge" ? ", since somebody else handed in the same" : "";
    return { kind: "withdrawn", text: `${text} History keeps it${why}.` };
  }
  const rewritten = await purge(task, taken);
  return {
    kind: "withdrawn",
    text: `${text} It is gone from history as well; the media store of the homeserver may still hold it.`,
    rewritten,
  };
}

/** What was handed in with a message, by the commits: the room may have lost its own list. */
async function uploadOf(task: TaskRepository, event: EventId): Promise<Upload | undefined> {
  const { git } = task.parts;
  const search = ["log", "--branches", "--format=%H", "--fixed-strings", `--grep=Crewroom-Event: ${event}`];
  for (const name of (await git.text({ gitDir: task.repository.path }, search)).split("\n")) {
    const hash = asCommitHash(name);
    const commit = hash === undefined ? undefined : await task.repository.read(hash, mainBranch);
    const by = commit === undefined ? undefined : asUserId(commit.by);
    if (commit === undefined || by === undefined || commit.why !== "upload" || commit.event !== event) continue;
    const { changes } = await factsOf(git, task.repository, commit, 0);
    const [{ path } = { path: "" }] = changes;
    const found = await blobAt(git, task.repository, commit.hash, path);
    if (found !== undefined) return { event, by, path, blob: found.blob, commit: commit.hash };
  }
  return undefined;
}

function withdrawalText({ path }: Upload, removed: readonly string[], changedSince: boolean): string {
  const what =
    removed.length === 0
      ? `\`${path}\` was withdrawn; it was no longer among the files.`
      : `🗑️ Withdrawn: ${removed.map((one) => `\`${one}\``).join(", ")}.`;
  return changedSince ? `${what} What others made of \`${path}\` since is still there.` : what;
}

async function purge(task: TaskRepository, { blob }: Upload): Promise<Readonly<Record<string, CommitHash>>> {
  const { git } = task.parts;
  await closeTrees(task);
  const { map, heads } = await rewriteWithout(git, task.repository, blob, await task.repository.heads());
  await tellAnew(task, heads);
  return map;
}

async function commitLetIn(task: TaskRepository, { subtask, agent }: Job<"commit">): Promise<void> {
  if (!hasWork(task, subtask, agent)) return;
  const lease = task.task?.subtasks[subtask]?.lease;
  if (lease?.agent !== agent) return;
  const open = await openTree(task, agent, { kind: "work", subtask, epoch: lease.epoch });
  const { held } = await recordTree(task, open, "change", undefined);
  await task.reportHeld(agent, subtask, held);
}

async function restore(task: TaskRepository, job: Job<"restore">): Promise<FilesResult> {
  const { bridge, git } = task.parts;
  const asked = await commitOf(task, job.commit, job.branch);
  const commit = asCommitHash(asked);
  if (commit === undefined) return told(asked);
  const found = await blobAt(git, task.repository, commit, job.path);
  if (found === undefined) return told(`There is no file \`${job.path}\` in \`${commit.slice(0, 10)}\`.`);
  const words = task.words(
    bridge.author(job.by),
    "restore",
    `Restore ${job.path} from ${commit.slice(0, 10)}`,
    subtaskOf(job.branch),
  );
  const { blob, mode } = found;
  let made = false;
  await follow(task, job.branch, async () => {
    made = (await editTree(git, task.repository, job.branch, [{ path: job.path, blob, mode }], words)) !== undefined;
  });
  await task.report(job.branch);
  return told(
    made
      ? `♻️ \`${job.path}\` is on ${job.branch} again as it was in \`${commit.slice(0, 10)}\`.`
      : `\`${job.path}\` is on ${job.branch} just like that already.`,
  );
}

/** Every branch with all of its history: what was told before no longer counts, or was told elsewhere. */
async function tellAnew(task: TaskRepository, heads: Readonly<Record<Branch, CommitHash>>): Promise<void> {
  for (const [branch, head] of Object.entries(heads)) {
    if (head === task.repository.root) continue;
    const commit: Commit = { ...(await task.repository.read(head, branch)), why: "rewrite" };
    await task.parts.bridge.put(task.room, { kind: "committed", commit, full: true });
  }
}

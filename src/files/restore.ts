/** The history of a file, and bringing an old one back into an agent's worktree. */
import { chmod, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fileHistory } from "./history.ts";
import { openFolder } from "./folder.ts";
import { existing } from "./operations/replace.ts";
import { placeIn } from "./paths.ts";
import type { OpenTree, TaskRepository } from "./task-files.ts";
import { headOf } from "./tree-state.ts";
import { blobAt, readBlob } from "./tree-edit.ts";
import type { CommitHash } from "../core/ids.ts";

const historyLines = 30;

const kinds = { added: "added", modified: "changed", deleted: "deleted", renamed: "renamed", mode: "changed its mode" };

/** The commits that changed a file, newest first, one a line; also of one that was deleted. */
export async function historyText(task: TaskRepository, open: Pick<OpenTree, "tree">, file: string): Promise<string> {
  const { git } = task.parts;
  const head = await headOf(git, open.tree);
  return historyOf(task, head, file);
}

export async function historyOf(task: TaskRepository, from: CommitHash, file: string): Promise<string> {
  const { bridge, git } = task.parts;
  const found = await fileHistory(git, task.repository, from, file, historyLines + 1);
  if (found.length === 0) return `No commit has changed \`${file}\`.`;
  const lines = found.slice(0, historyLines).map(({ commit, change, path: at }) => {
    const when = new Date(commit.ts).toISOString().slice(0, 16).replace("T", " ");
    const name = at === file ? "" : ` as \`${at}\``;
    return `- \`${commit.hash.slice(0, 10)}\` ${when} ${bridge.author(commit.by).name} ${kinds[change]} it${name}: ${commit.subject}`;
  });
  const more = found.length > historyLines ? ["- … and older ones"] : [];
  return [...lines, ...more].join("\n");
}

/** A file as it was in a commit, into the worktree. It is recorded like any other change. */
export async function restoreInto(task: TaskRepository, open: OpenTree, file: string, commit: string): Promise<string> {
  const { git } = task.parts;
  const hash = await task.repository.resolve(commit);
  if (hash === undefined) return `Not restored: there is no commit ${commit}. file_history shows those of a file.`;
  const place = await placeIn(open.tree, file, "write");
  const { relative, root, parts } = place;
  const found = await blobAt(git, task.repository, hash, relative);
  if (found === undefined)
    return `Not restored: \`${relative}\` is not a file in ${hash.slice(0, 10)}. file_history shows where it was.`;
  if (found.mode === "120000") return `Not restored: \`${relative}\` is a link in ${hash.slice(0, 10)}.`;
  await using folder = await openFolder(root, parts.slice(0, -1), true);
  const name = parts.at(-1) ?? "";
  await existing(folder, name);
  const draft = path.join(open.tree.gitDir, `draft-${crypto.randomUUID()}`);
  try {
    await readBlob(git, task.repository, found.blob, draft);
    await chmod(draft, found.mode === "100755" ? 0o755 : 0o644);
    await rename(draft, folder.at(name));
  } finally {
    await rm(draft, { force: true });
  }
  return `Restored: \`${relative}\` is as it was in ${hash.slice(0, 10)} (${found.size} bytes).`;
}

/**
 * The worktrees in which agents work.
 *
 *   (none) ──first file tool of a lease──▶ open ──turns, changes──▶ commits on subtask/<id>
 *                                           │ kept while the subtask is its worker's, also through review and rework
 *                                           └──done, dropped, leased to another──▶ what is left is recorded, removed
 *
 * Reviewers get a read-only worktree at what was handed in; all others one of main.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { type Branch, branchOf, lateBranch, mainBranch, type Workplace } from "../core/files.ts";
import type { AgentId, CommitHash, TurnId } from "../core/ids.ts";
import { isClosed } from "../core/tasks/derive.ts";
import type { Subtask } from "../core/tasks/task.ts";
import { conflictText, mergeInto } from "./merge.ts";
import { packIfNeeded } from "./pack.ts";
import type { Committed } from "./port.ts";
import { record, setMergeHead } from "./record.ts";
import type { OpenTree, TaskRepository } from "./task-files.ts";
import { isClean, isMerging, switchBranch, treeOf } from "./tree-state.ts";
import { addWorktree, listWorktrees, materialise, moveWorktree, removeWorktree, updateWorktree } from "./worktree.ts";

type WorkplaceOf<Kind extends Workplace["kind"]> = Extract<Workplace, { kind: Kind }>;

function workId(subtask: string, agent: AgentId): string {
  return `${subtask}.${agent}`;
}

function rootOf(task: TaskRepository, id: string): string {
  return path.join(task.folder, "work", id);
}

/** Opens (or finds) the worktree for an agent. To be called exclusively. */
export async function openTree(task: TaskRepository, agent: AgentId, place: Workplace): Promise<OpenTree> {
  switch (place.kind) {
    case "work":
      return openWork(task, agent, place);
    case "review":
      return openReading(task, `${workId(place.subtask, agent)}+review`, place.commit, {
        agent,
        subtask: place.subtask,
      });
    case "main":
      return openReading(task, "main", await task.head(mainBranch), {});
  }
}

/** The worktree in which an agent works on a subtask, when there is one on disk (maybe from before a crash). */
export function hasWork(task: TaskRepository, subtask: string, agent: AgentId): boolean {
  const id = workId(subtask, agent);
  return task.trees.has(id) || existsSync(rootOf(task, id));
}

async function openWork(task: TaskRepository, agent: AgentId, place: WorkplaceOf<"work">): Promise<OpenTree> {
  const { git } = task.parts;
  const id = workId(place.subtask, agent);
  const open = task.trees.get(id);
  if (open?.epoch === place.epoch) return open;
  const branch = branchOf(place.subtask);
  await retireOthers(task, place.subtask, id);
  const from = await task.head(mainBranch);
  const tree = await addWorktree(git, task.repository, {
    id,
    root: rootOf(task, id),
    at: { branch, from },
    writable: true,
  });
  const opened: OpenTree = {
    id,
    tree,
    agent,
    subtask: place.subtask,
    epoch: place.epoch,
    turns: open?.turns ?? new Set<TurnId>(),
  };
  task.trees.set(id, opened);
  await catchUp(task, opened, branch);
  return opened;
}

/** A new lease begins with what is on main by now, as far as it goes together with what the subtask has. */
async function catchUp(task: TaskRepository, open: OpenTree, branch: Branch): Promise<void> {
  const { git } = task.parts;
  const { repository } = task;
  const [head, main] = [await task.head(branch), await task.head(mainBranch)];
  if (await repository.isIn(main, head)) return;
  // After a crash its last changes are still to be recorded; they come first.
  if (isMerging(open.tree) || !(await isClean(git, open.tree, task.rules))) return;
  if (task.files.heads[branch] === undefined && (await repository.isIn(head, main))) {
    // It has nothing of its own yet.
    await repository.move(branch, main, head);
    await updateWorktree(git, open.tree, await treeOf(git, task.repository, main));
    return;
  }
  const subtask = open.subtask === undefined ? undefined : task.task?.subtasks[open.subtask];
  const about = open.subtask === undefined ? {} : { subtask: open.subtask };
  const words = task.words(task.parts.bridge.bot, "merge", `Bring ${open.subtask ?? branch} up to main`, about);
  const merged = await mergeInto(git, repository, { into: branch, commit: main, words });
  if (merged.kind === "merged") {
    await updateWorktree(git, open.tree, await treeOf(git, task.repository, merged.commit));
    await task.report(branch);
  } else if (subtask?.conflict !== undefined) {
    // It came back because of this: the agent sees both sides, and its next commit joins them.
    await setMergeHead(
      git,
      open.tree,
      main,
      merged.conflicts.map((conflict) => conflict.path),
    );
    await materialise(git, open.tree, merged.tree);
    task.parts.bridge.log.info(
      { room: task.room, subtask: subtask.id, conflicts: conflictText(merged.conflicts) },
      "both sides of a conflict are shown to its agent",
    );
  }
}

async function openReading(
  task: TaskRepository,
  id: string,
  commit: CommitHash,
  whose: Pick<OpenTree, "agent" | "subtask">,
): Promise<OpenTree> {
  const { git } = task.parts;
  const open = task.trees.get(id);
  if (open?.commit === commit) return open;
  const at = { commit };
  const root = rootOf(task, id);
  const isNew = open === undefined && !existsSync(root);
  const tree = open?.tree ?? (await addWorktree(git, task.repository, { id, root, at, writable: false }));
  // A new one has nothing but what was just put there.
  if (!isNew) await moveWorktree(git, tree, commit);
  const opened: OpenTree = { id, tree, commit, turns: open?.turns ?? new Set<TurnId>(), ...whose };
  task.trees.set(id, opened);
  return opened;
}

/** Makes a read-only worktree again what it is to show, whatever a command without a sandbox did to it. */
export async function cleanAfterRun(task: TaskRepository, open: OpenTree): Promise<void> {
  if (open.commit !== undefined) await moveWorktree(task.parts.git, open.tree, open.commit);
}

const subjectChars = 100;

/** What an agent says of its work, short enough to be a commit's subject. */
function firstLine(summary: string): string {
  const line =
    summary
      .split("\n")
      .find((one) => one.trim() !== "")
      ?.trim() ?? "";
  return line.length <= subjectChars ? line : `${line.slice(0, subjectChars - 1)}…`;
}

/** Records what changed in a writable worktree, and tells the room. To be called exclusively. */
export async function recordTree(
  task: TaskRepository,
  open: OpenTree,
  why: "change" | "turn" | "submit",
  turn: TurnId | undefined,
  summary = "",
): Promise<Committed> {
  const { agent, subtask, tree } = open;
  if (agent === undefined || subtask === undefined || !tree.writable || tree.branch === undefined) return { held: [] };
  const { bridge, git } = task.parts;
  const title = firstLine(summary) || task.task?.subtasks[subtask]?.title || subtask;
  const words = task.words(bridge.author(agent), why, title, { subtask, ...(turn === undefined ? {} : { turn }) });
  const made = await record(git, task.repository, tree, words, task.rules);
  await task.report(tree.branch);
  return made;
}

/** Another agent has the subtask now: whatever its earlier ones still wrote is kept apart. */
async function retireOthers(task: TaskRepository, subtask: string, but: string): Promise<void> {
  for (const open of task.trees.values())
    if (open.subtask === subtask && open.tree.writable && open.id !== but) await retire(task, open);
}

/** Records what is left in a worktree and removes it. What came after its lease goes on a branch of its own. */
async function retire(task: TaskRepository, open: OpenTree): Promise<void> {
  const { git } = task.parts;
  const { agent, subtask, epoch = 0, tree } = open;
  if (tree.writable && agent !== undefined && subtask !== undefined && !(await isClean(git, tree, task.rules))) {
    const late = await switchBranch(git, task.repository, tree, lateBranch(subtask, agent, epoch));
    await recordTree(task, { ...open, tree: late }, "change", undefined);
  }
  task.trees.delete(open.id);
  await removeWorktree(git, task.repository, open.id, tree.root);
}

/** Whether a worktree may still be needed. */
function isWanted(task: TaskRepository, open: Pick<OpenTree, "agent" | "subtask" | "turns" | "tree">): boolean {
  const now = task.task;
  if (now === undefined || open.turns.size > 0) return true;
  if (isClosed(now)) return false;
  if (open.subtask === undefined) return true;
  const subtask: Subtask | undefined = now.subtasks[open.subtask];
  if (subtask === undefined || subtask.state === "done" || subtask.state === "cancelled") return false;
  if (!open.tree.writable) return subtask.reviewLease?.agent === open.agent;
  const holder = subtask.lease?.agent ?? subtask.worker;
  return holder === open.agent;
}

export function hasUnwanted(task: TaskRepository): boolean {
  return [...task.trees.values()].some((open) => !isWanted(task, open));
}

/** Removes the worktrees that nobody needs any more. To be called exclusively. */
export async function tidy(task: TaskRepository): Promise<void> {
  for (const open of task.trees.values()) if (!isWanted(task, open)) await retire(task, open);
  await packIfNeeded(task.parts.git, task.repository);
}

/** Takes over the worktrees that an earlier process left, so that they are tidied like others. */
export async function adoptTrees(task: TaskRepository): Promise<void> {
  const { git } = task.parts;
  for (const { id, root, branch } of await listWorktrees(git, task.repository)) {
    const [, subtask, agent] = /^([^.]+)\.(.+)$/.exec(id) ?? [];
    if (branch === undefined || subtask === undefined || agent === undefined) {
      // Read-only ones are made again when they are needed.
      await removeWorktree(git, task.repository, id, root);
      continue;
    }
    const tree = await addWorktree(git, task.repository, {
      id,
      root,
      at: { branch, from: await task.head(mainBranch) },
      writable: true,
    });
    task.trees.set(id, { id, tree, agent: agent as AgentId, subtask, turns: new Set<TurnId>() });
  }
}

/** Brings an open worktree of a branch to its new head, after its own changes were recorded. */
export async function follow(task: TaskRepository, branch: Branch, edit: () => Promise<void>): Promise<void> {
  const { git } = task.parts;
  const open = [...task.trees.values()].filter(({ tree }) => tree.branch === branch);
  for (const one of open) await recordTree(task, one, "change", undefined);
  await edit();
  const head = await task.repository.head(branch);
  if (head === undefined) return;
  for (const one of open) await updateWorktree(git, one.tree, await treeOf(git, task.repository, head));
}

/** After history was rewritten no worktree may hold what was taken out. */
export async function closeTrees(task: TaskRepository): Promise<void> {
  for (const open of task.trees.values()) await recordTree(task, open, "change", undefined);
  for (const open of task.trees.values()) {
    task.trees.delete(open.id);
    await removeWorktree(task.parts.git, task.repository, open.id, open.tree.root);
  }
  await rm(path.join(task.folder, "work"), { recursive: true, force: true });
}

/**
 * A task's files as its room decides about them: commits are recorded in order, approved work is merged before it counts
 * as done, what people hand in becomes a commit. The work itself is done outside (`src/files`) and comes back as inputs.
 *
 *   committed ─▶ heads ─▶ publish ─▶ published ─▶ dev.crewroom.head
 *   approve ───▶ merging ─▶ merged ─▶ done
 *                   └─────▶ conflict ─▶ rework, with both sides named
 */
import { inThread } from "../placement.ts";
import type { Draft } from "../draft.ts";
import {
  type Branch,
  branchOf,
  type Conflict,
  type FilesJob,
  type FilesJobEffect,
  type FilesResult,
  mainBranch,
  noFiles,
  type TaskFiles,
  type Upload,
  uploadsKept,
  type Workplace,
} from "../files.ts";
import type { AgentId, CommitHash, EffectId, EventId } from "../ids.ts";
import { type Message, notTaken, type OwnInput, type Redaction, taken } from "../input.ts";
import type { RoomState } from "../room.ts";
import { may, refuse } from "../steering.ts";
import { isClosed, subtasksOf } from "./derive.ts";
import { putTask, touchSubtask } from "./ledger.ts";
import { isOpen, type Subtask } from "./task.ts";
import { code } from "../verbatim.ts";

type Of<Kind extends OwnInput["kind"]> = Extract<OwnInput, { kind: Kind }>;

export function filesOf({ task }: Pick<RoomState, "task">): TaskFiles {
  return task?.files ?? noFiles;
}

export function putFiles(draft: Draft, patch: Partial<TaskFiles>): void {
  const { task } = draft.state;
  if (task !== undefined) draft.set({ task: { ...task, files: { ...filesOf(draft.state), ...patch } } });
}

/** Where an agent's file tools work, in the thread of its turn. `undefined`: there is no task here. */
export function workplaceOf({ task }: RoomState, agent: AgentId, thread: EventId | undefined): Workplace | undefined {
  if (task === undefined) return undefined;
  const held = subtasksOf(task).filter(({ lease }) => lease?.agent === agent);
  // Who claims a subtask in the room itself goes on there until its turn ends.
  const [only] = thread === undefined && held.length === 1 ? held : held.filter((one) => one.thread === thread);
  if (only?.lease !== undefined) return { kind: "work", subtask: only.id, epoch: only.lease.epoch };
  const judged = subtasksOf(task).find((one) => one.reviewLease?.agent === agent && one.thread === thread);
  const commit = judged?.submission?.commit;
  return judged === undefined || commit === undefined
    ? { kind: "main" }
    : { kind: "review", subtask: judged.id, commit };
}

/** A commit is recorded once, after its first parent; whoever made it looks what is still missing and tells that first. */
export function committed(draft: Draft, { commit, full = false }: Of<"committed">): void {
  const { task } = draft.state;
  const { heads } = filesOf(draft.state);
  const known = heads[commit.branch];
  const follows = known !== commit.hash && (known === undefined || commit.parents[0] === known);
  // In full it is told anew, whatever is known.
  if (task === undefined || !(full || follows)) {
    draft.reply = notTaken;
    return;
  }
  putFiles(draft, { heads: { ...heads, [commit.branch]: commit.hash } });
  const thread = commit.subtask === undefined ? undefined : task.subtasks[commit.subtask]?.thread;
  draft.emit({
    kind: "publish",
    id: `${task.number}:${task.created}:commit:${commit.hash}${full ? `:${draft.state.room}` : ""}` as EffectId,
    as: draft.world.bot,
    commit,
    ...(full ? { full } : {}),
    ...inThread({ thread }),
  });
  draft.reply = taken;
}

/** A commit is in the room: from now on others can fetch it. */
export function published(draft: Draft, { commit, branch, message, bundle }: Of<"published">): void {
  if (draft.state.task === undefined) return;
  const { uploads } = filesOf(draft.state);
  if (branch === mainBranch)
    putFiles(draft, { head: { commit, message, ...(bundle === undefined ? {} : { bundle }) } });
  if (uploads.some((upload) => upload.commit === commit))
    putFiles(draft, {
      uploads: uploads.map((upload) => (upload.commit === commit ? { ...upload, told: message } : upload)),
    });
}

/** Something did not work; the room is told once for each id. */
export function filesTrouble(draft: Draft, { id, thread, code, sentence }: Of<"filesTrouble">): void {
  draft.notice(`${id}:trouble`, `⚠️ ${sentence}`, { error: code, ...inThread({ thread }) });
}

type Asked = Pick<FilesJobEffect, "asked" | "thread">;

export function filesJob(draft: Draft, id: string, job: FilesJob, asked: Asked = {}): void {
  draft.emit({ kind: "files", id: id as EffectId, job, ...asked });
}

/** What a subtask has to merge; `undefined` when it changed no files. */
export function toMerge(draft: Draft, subtask: Subtask): CommitHash | undefined {
  const commit = subtask.submission?.commit;
  return filesOf(draft.state).heads[branchOf(subtask.id)] === undefined ? undefined : commit;
}

/** The part of a job's result that is about a person's file or command; merges are in `merging.ts`. */
export function filesTold(draft: Draft, effect: FilesJobEffect, result: FilesResult): void {
  switch (result.kind) {
    case "uploaded":
      return uploaded(draft, result.upload);
    case "withdrawn":
      return withdrawn(draft, effect, result);
    case "told":
      return tellAsker(draft, effect, result.text, result.file);
    case "refused":
      return tellAsker(draft, effect, result.text);
    case "merged":
    case "conflict":
      return;
  }
}

function tellAsker(
  draft: Draft,
  effect: FilesJobEffect,
  text: string,
  file?: Extract<FilesResult, { kind: "told" }>["file"],
): void {
  if (text === "") return;
  const { asked, thread } = effect;
  draft.notice(`${effect.id}:told`, text, {
    ...(asked === undefined ? {} : { replyTo: asked.event, mentions: [asked.by] }),
    ...inThread({ thread }),
    ...(file === undefined ? {} : { file }),
  });
}

/** Where what somebody drops in a thread belongs. */
export function branchAt(draft: Draft, thread: EventId | undefined): { branch: Branch; subtask?: Subtask } {
  const { task } = draft.state;
  const subtask =
    task === undefined || thread === undefined ? undefined : subtasksOf(task).find((one) => one.thread === thread);
  return subtask === undefined ? { branch: mainBranch } : { branch: branchOf(subtask.id), subtask };
}

/** A person drops a file into the task's room: it becomes a commit, beside being heard by whom it is for. */
export function fileDropped(draft: Draft, message: Message): void {
  const { task } = draft.state;
  const { attachment, sender, event, thread } = message;
  if (task === undefined || attachment === undefined) return;
  if (!may(draft, sender, "talk")) {
    const text = "To hand in files here you need the permission `talk`, which the operator gives.";
    refuse(draft, message, { text, what: "file", because: "level talk" });
    return;
  }
  const placed = inThread({ thread });
  const say = (text: string): void =>
    draft.notice(`${event}:file`, text, { replyTo: event, mentions: [sender], ...placed });
  if (isClosed(task)) return say("The task is closed: this file is not added to its files.");
  if (attachment.encrypted)
    return say("This file is encrypted: I cannot read it, so it is not added to the task's files.");
  const { branch, subtask } = branchAt(draft, thread);
  const job: FilesJob = {
    kind: "upload",
    event,
    by: sender,
    mxc: attachment.mxc,
    name: attachment.name,
    caption: message.text,
    // What a subtask has handed in for good is no longer changed.
    branch: subtask === undefined || isOpen(subtask) ? branch : mainBranch,
  };
  const handedIn = { kind: "command", what: "file", by: sender, event, because: "level talk" } as const;
  draft.audit({ ...handedIn, detail: attachment.name, ...(subtask === undefined ? {} : { subtask: subtask.id }) });
  filesJob(draft, `${event}:upload`, job, { asked: { event, by: sender }, ...placed });
}

function uploaded(draft: Draft, upload: Upload): void {
  const { uploads } = filesOf(draft.state);
  if (uploads.some(({ event }) => event === upload.event)) return;
  const forgotten = uploads.length >= uploadsKept ? { forgotten: true } : {};
  putFiles(draft, { uploads: [...uploads, upload].slice(-uploadsKept), ...forgotten });
}

/** Whether a redaction took a file back. One that is still on its way does not arrive. */
export function fileWithdrawn(draft: Draft, { event, target, sender }: Redaction): void {
  const waits = draft.outbox.some((effect) => effect.id === `${target}:upload`);
  const { uploads, forgotten } = filesOf(draft.state);
  const upload = uploads.find((one) => one.event === target);
  if (waits) draft.drop((effect) => effect.id === `${target}:upload`);
  if (waits || upload !== undefined) {
    const detail = upload === undefined ? {} : { detail: upload.path };
    draft.audit({ kind: "moderation", what: "redact file", by: sender, event, ...detail });
  }
  if (upload !== undefined || forgotten === true) withdraw(draft, target, upload, event, sender);
}

function withdraw(draft: Draft, event: EventId, upload: Upload | undefined, cause: EventId, by: Upload["by"]): void {
  const known = upload === undefined ? {} : { upload };
  filesJob(draft, `${cause}:withdraw`, { kind: "withdraw", event, by, ...known });
}

/** The upload was under way when it was withdrawn: it has arrived all the same, and goes now. */
export function orphaned(draft: Draft, { result }: Of<"filesDone">): void {
  if (result.kind !== "uploaded" || draft.state.task === undefined) return;
  uploaded(draft, result.upload);
  const { event, by } = result.upload;
  withdraw(draft, event, result.upload, event, by);
}

function withdrawn(
  draft: Draft,
  effect: FilesJobEffect,
  { text, rewritten }: Extract<FilesResult, { kind: "withdrawn" }>,
): void {
  if (effect.job.kind !== "withdraw") return;
  const { event: taken } = effect.job;
  const now = filesOf(draft.state).uploads.find(({ event }) => event === taken);
  putFiles(draft, { uploads: filesOf(draft.state).uploads.filter(({ event }) => event !== taken) });
  if (rewritten !== undefined) {
    renamed(draft, rewritten);
    if (now?.told !== undefined)
      draft.emit({
        kind: "redact",
        id: `${effect.id}:redacted` as EffectId,
        as: draft.world.bot,
        event: now.told,
        reason: "The file was withdrawn.",
      });
  }
  tellAsker(draft, effect, text);
}

/** History was rewritten: what refers to the old names refers to the new ones. Their heads come as `committed`. */
function renamed(draft: Draft, names: Readonly<Record<string, CommitHash>>): void {
  const next = (commit: CommitHash): CommitHash => names[commit] ?? commit;
  const { task } = draft.state;
  if (task === undefined) return;
  putFiles(draft, {
    uploads: filesOf(draft.state).uploads.map((upload) => ({ ...upload, commit: next(upload.commit) })),
  });
  for (const subtask of subtasksOf(task)) {
    const { submission, conflict } = subtask;
    if (submission?.commit === undefined && conflict === undefined) continue;
    touchSubtask(draft, {
      ...subtask,
      ...(submission?.commit === undefined ? {} : { submission: { ...submission, commit: next(submission.commit) } }),
      ...(conflict === undefined ? {} : { conflict: { ...conflict, main: next(conflict.main) } }),
    });
  }
  putTask(draft, {});
}

/** One line for each path, with both sides. */
export function conflictLine({ path, kind, ours, theirs }: Conflict): string {
  const who = (side: Conflict["ours"]): string =>
    side === undefined
      ? "somebody"
      : `${side.by}${side.subtask === undefined ? "" : ` (\`${side.subtask}\`)`} in ${side.commit.slice(0, 7)}`;
  return `${code(path)} (${kind}): on main by ${who(ours)}, here by ${who(theirs)}`;
}

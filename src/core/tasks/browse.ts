/** What people ask of a task's files by commands. The answer comes as soon as the files were looked at. */
import { inThread } from "../placement.ts";
import type { Draft } from "../draft.ts";
import type { FilesJob } from "../files.ts";
import type { Message } from "../input.ts";
import { branchAt, filesJob, filesOf } from "./files.ts";

const nothingYet = "This task has no files yet. Drop one here, or wait for the crew's first.";

export function filesBy(draft: Draft, message: Message, path: string): string {
  return browse(draft, message, (branch) => ({ kind: "list", path, branch }));
}

export function logBy(draft: Draft, message: Message, path: string): string {
  return browse(draft, message, (branch) => ({ kind: "log", path, branch }));
}

export function showBy(draft: Draft, message: Message, path: string, commit: string | undefined): string {
  return browse(draft, message, (branch) => ({
    kind: "show",
    path,
    branch,
    ...(commit === undefined ? {} : { commit }),
  }));
}

export function restoreBy(draft: Draft, message: Message, path: string, commit: string): string {
  return browse(draft, message, (branch) => ({ kind: "restore", path, commit, branch, by: message.sender }));
}

export function archiveBy(draft: Draft, message: Message): string {
  return browse(draft, message, () => ({ kind: "archive" }));
}

/** In a subtask's thread its own files are meant, elsewhere those on main. */
function browse(draft: Draft, message: Message, jobOn: (branch: string) => FilesJob): string {
  const { heads } = filesOf(draft.state);
  if (Object.keys(heads).length === 0) return nothingYet;
  const { event, sender, thread } = message;
  const { branch } = branchAt(draft, thread);
  const known = heads[branch] === undefined ? "main" : branch;
  filesJob(draft, `${event}:files`, jobOn(known), {
    asked: { event, by: sender },
    ...inThread({ thread }),
  });
  return "";
}

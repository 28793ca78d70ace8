/** What an agent asks of its files, done in its worktree and answered with the text that it reads. */
import type { FileRequest } from "../../core/files.ts";
import { placeIn } from "../paths.ts";
import type { CommandResult, Worktree } from "../port.ts";
import { answering, refused, type Done } from "./answer.ts";
import { deleteFile } from "./delete.ts";
import { editText } from "./edit.ts";
import { listFiles } from "./list.ts";
import { readText } from "./read.ts";
import type { Contents } from "./replace.ts";
import { describeRun } from "./run.ts";
import { writeText } from "./write.ts";

export interface OperateParts extends Contents {
  /** Who changed a path, when and in which commit, as text. @param path Checked and relative; `""` is everything. */
  history(path: string): Promise<string>;
  /** Brings a path back as it was in a commit, and says so. @param path Checked and relative. */
  restore(path: string, commit: string): Promise<string>;
  /** Runs a command in the worktree, which it can write only where the worktree is writable. */
  run(command: string): Promise<CommandResult>;
  /** Records what the worktree holds, before something is deleted: so nothing that an agent deletes is lost. */
  record(): Promise<unknown>;
  readonly signal: AbortSignal;
}

const doneBy = {
  list: "read",
  history: "read",
  restore: "restored",
  read: "read",
  write: "written",
  edit: "written",
  delete: "deleted",
  run: "run",
} as const satisfies Record<FileRequest["kind"], Done>;

const changes: ReadonlySet<FileRequest["kind"]> = new Set(["write", "edit", "delete", "restore"]);

const readOnly =
  "these files are for you to read: you review them, or hold no subtask here. Who holds a subtask changes its files";

/** @throws the signal's reason when it aborts. Every refusal is text; so are CrewErrors of the parts. */
export async function operate(worktree: Worktree, request: FileRequest, parts: OperateParts): Promise<string> {
  const { signal } = parts;
  signal.throwIfAborted();
  const done = doneBy[request.kind];
  if (!worktree.writable && changes.has(request.kind)) return refused(done, readOnly);
  switch (request.kind) {
    case "list":
      return listFiles(worktree, request.path, signal);
    case "read":
      return readText(worktree, request, signal);
    case "write":
      return writeText(worktree, request, parts);
    case "edit":
      return editText(worktree, request, parts);
    case "delete":
      return answering(done, request.path, async () => {
        await parts.record();
        return deleteFile(worktree, request.path, signal);
      });
    case "history":
      return answering(done, request.path, async () => {
        const { relative } = await placeIn(worktree, request.path, "entry");
        return parts.history(relative);
      });
    case "restore":
      return answering(done, request.path, async () => {
        const { relative } = await placeIn(worktree, request.path, "entry");
        if (relative === "") return refused(done, "give the path of one file or folder");
        await parts.record();
        return parts.restore(relative, request.commit);
      });
    case "run":
      return answering(done, "the command", async () => describeRun(request.command, await parts.run(request.command)));
  }
}

/** Commands about a task's files. What they ask is in `src/core/tasks/browse.ts`; the files answer a moment later. */
import { archiveBy, filesBy, logBy, restoreBy, showBy } from "../core/tasks/browse.ts";
import { type Command, usageOf } from "./command.ts";

const looks = { level: "observe", steers: "no", inTask: true } as const;

const log = { name: "log", usage: "<path>" };
const show = { name: "show", usage: "<path>[@commit]" };
const restore = { name: "restore", usage: "<path>@<commit>" };

/** As a person types it: in backticks, maybe with a slash in front. */
function pathIn(words: string): string {
  return words
    .trim()
    .replace(/^`([\s\S]*)`$/, "$1")
    .replace(/^\/+/, "");
}

/** A path may contain an @; a commit is hexadecimal digits after the last one. */
function pathAndCommit(words: string): { path: string; commit?: string } {
  const text = pathIn(words);
  const [, path, commit] = /^([\s\S]+)@([0-9a-f]{4,40})$/i.exec(text) ?? [];
  return path === undefined || commit === undefined ? { path: text } : { path, commit: commit.toLowerCase() };
}

export const fileCommands: readonly Command[] = [
  {
    ...looks,
    name: "files",
    usage: "[path]",
    help: "Lists the task's files, or those of one folder; in a subtask's thread its own.",
    run: (draft, message, words) => filesBy(draft, message, pathIn(words)),
  },
  {
    ...looks,
    ...log,
    help: "Shows who changed a file, when and in which commit, also of one that was deleted.",
    run: (draft, message, words) => {
      const path = pathIn(words);
      return path === "" ? `Of which file? Usage: ${usageOf(log)}` : logBy(draft, message, path);
    },
  },
  {
    ...looks,
    ...show,
    help: "Sends a file, as it is now or was in a commit.",
    run: (draft, message, words) => {
      const { path, commit } = pathAndCommit(words);
      return path === "" ? `Which file? Usage: ${usageOf(show)}` : showBy(draft, message, path, commit);
    },
  },
  {
    ...restore,
    help: "Brings a file back as it was in a commit; `!crew log` shows them.",
    level: "task",
    steers: "always",
    inTask: true,
    run: (draft, message, words) => {
      const { path, commit } = pathAndCommit(words);
      return commit === undefined
        ? `Which file, from which commit? Usage: ${usageOf(restore)}`
        : restoreBy(draft, message, path, commit);
    },
  },
  {
    ...looks,
    name: "archive",
    usage: "",
    help: "Sends all files of the task's main as one archive.",
    run: (draft, message) => archiveBy(draft, message),
  },
];

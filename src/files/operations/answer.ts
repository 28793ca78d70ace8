/** How the file operations answer: always with a text for the agent, also when the system says no. */
import { CrewError } from "../../core/errors.ts";
import { codeOf } from "../folder.ts";

/** What did not happen when it is refused. */
export type Done = "read" | "written" | "deleted" | "restored" | "run";

/** `Not written: <why>.` */
export function refused(done: Done, why: string): string {
  return `Not ${done}: ${why}${/[.!?]$/.test(why) ? "" : "."}`;
}

/** Refusals and the system's errors as text. Everything else is a failure of the program, and is thrown on. */
export async function answering(done: Done, path: string, work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CrewError) {
      return refused(done, thrown.code === "FILE_REFUSED" ? thrown.message : `${thrown.message} ${thrown.todo}`);
    }
    const why = systemReason(thrown, path);
    if (why === undefined) throw thrown;
    return refused(done, why);
  }
}

/** Never the system's own words: they name paths of the machine. */
export function systemReason(thrown: unknown, path: string): string | undefined {
  const name = shown(path);
  const code = codeOf(thrown);
  switch (code) {
    case "ENOENT":
      return `there is no ${name}`;
    case "ENOTDIR":
      return `on the way to ${name} is a file, not a folder`;
    case "EISDIR":
    case "ENOTEMPTY":
      return `${name} is a folder`;
    case "EACCES":
    case "EPERM":
      return `the system does not permit it for ${name}`;
    case "ENOSPC":
    case "EDQUOT":
      return "the disk of the task's files is full";
    case undefined:
      return undefined;
    default:
      return /^E[A-Z0-9]+$/.test(code) ? `the system refuses it for ${name} (${code})` : undefined;
  }
}

/** A path for reading: in quotes where its characters would mislead. */
export function shown(path: string): string {
  return /[\p{C}\p{Zl}\p{Zp}"]|^\s|\s$/u.test(path) || path === "" ? JSON.stringify(path) : path;
}

/** `1,234 bytes` */
export function bytes(count: number): string {
  return counted(count, "byte");
}

/** `1 file`, `1,234 files` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

/** Lines as an editor counts them: a line break at the end begins no new one. */
export function lineCount(content: Uint8Array): number {
  let breaks = 0;
  for (let at = content.indexOf(10); at !== -1; at = content.indexOf(10, at + 1)) breaks += 1;
  return breaks + (content.length > 0 && content.at(-1) !== 10 ? 1 : 0);
}

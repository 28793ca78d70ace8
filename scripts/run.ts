/** Runs one of the project's tools in the project's root. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../", import.meta.url));

export interface Result {
  readonly code: number;
  /** Standard output and error, as they came. */
  readonly output: string;
}

/** @param tool Name of a program in `node_modules/.bin`. */
export async function run(tool: string, args: readonly string[]): Promise<Result> {
  const windows = process.platform === "win32";
  const child = spawn(`${root}node_modules/.bin/${tool}${windows ? ".cmd" : ""}`, args, { cwd: root, shell: windows });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => (output += text));
  }
  await once(child, "close");
  return { code: child.exitCode ?? 1, output };
}

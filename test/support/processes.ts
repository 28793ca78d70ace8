/** Processes of this machine by what stands in their command line: those of agents' commands run below a sandbox, which hides them only from each other. */
import { readdir, readFile } from "node:fs/promises";
import { poll } from "../../src/demo/poll.ts";
import { patienceMs } from "./changes.ts";

/** How many run whose command line has these words. */
export async function runningWith(words: string): Promise<number> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    // One that ends in between has no command line any more.
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.filter((line) => line.replaceAll("\0", " ").includes(words)).length;
}

/** Until a process with these words runs, or with `gone` until none does any more. Gives the milliseconds that it took. */
export async function waitForProcess(words: string, { gone = false } = {}): Promise<number> {
  const began = performance.now();
  const probe = async (): Promise<true | undefined> => (await runningWith(words)) > 0 !== gone || undefined;
  await poll(probe, { everyMs: 10, signal: AbortSignal.timeout(patienceMs) }).catch((thrown: unknown) => {
    throw new Error(`“${words}” ${gone ? "still runs" : "does not run"}`, { cause: thrown });
  });
  return performance.now() - began;
}

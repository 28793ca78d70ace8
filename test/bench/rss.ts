/** Resident memory of a process, as Linux counts it. */
import { readFile } from "node:fs/promises";

/** In MB of a million bytes. */
export async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024) / 1e6;
}

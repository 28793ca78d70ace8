/** The most memory that a process and its children took while something was done. */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { rssOf } from "./rss.ts";

const everyMs = 20;

export interface Peak {
  /** Of the process itself, MB of a million bytes, beyond what it had before. */
  readonly own: number;
  /** Of all its children together, MB. */
  readonly children: number;
  readonly before: number;
}

/** Looks every 20 ms, at a process on Linux. */
export async function peakDuring<T>(pid: number, work: () => Promise<T>): Promise<readonly [T, Peak]> {
  const before = await rssOf(pid);
  let [own, children] = [before, 0];
  const ending = new AbortController();
  const looking = (async () => {
    while (!ending.signal.aborted) {
      own = Math.max(own, await rssOf(pid));
      const sizes = await Promise.all((await childrenOf(pid)).map((child) => rssOf(child).catch(() => 0)));
      children = Math.max(
        children,
        sizes.reduce((sum, size) => sum + (Number.isNaN(size) ? 0 : size), 0),
      );
      await delay(everyMs);
    }
  })();
  try {
    return [await work(), { own: own - before, children, before }];
  } finally {
    ending.abort();
    await looking;
  }
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return list.split(" ").filter(Boolean).map(Number);
}

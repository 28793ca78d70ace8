/**
 * All processes of one command, however they were started: in the background, in sessions of their own, by parents that
 * are gone. Behind bubblewrap a process namespace holds them together; without walls they are found by their parents,
 * their process group, and a mark in the environment that they inherit.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ProcessRow, ProcessTable } from "./processes.ts";

export interface Tree {
  /** Those that live. @param maxAgeMs As for {@link ProcessTable.rows}. */
  living(maxAgeMs: number): Promise<readonly ProcessRow[]>;
  /** Ends them all. Resolves when they are gone: `false` when some are not after {@link patience}. */
  end(): Promise<boolean>;
}

/** A process can hang in the kernel (a network drive) for as long as it likes. Milliseconds. */
const patience = 5000;
const longestWait = 50;

/** Kills; a process (or group, when negative) that is gone by now is as good. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone, or never ours to end.
  }
}

/** Adds to `found` whoever descends from it. */
function withDescendants(rows: readonly ProcessRow[], found: Map<number, ProcessRow>): Map<number, ProcessRow> {
  const children = Map.groupBy(rows, (row) => row.parent);
  // A Map's iteration meets what is added to it on the way.
  for (const pid of found.keys()) for (const child of children.get(pid) ?? []) found.set(child.pid, child);
  return found;
}

async function untilGone(attempt: () => Promise<boolean>): Promise<boolean> {
  const began = performance.now();
  for (let wait = 1; ; wait = Math.min(wait * 2, longestWait)) {
    if (await attempt()) return true;
    if (performance.now() - began > patience) return false;
    await delay(wait);
  }
}

/** A process namespace. `first`: its first process, whose end the kernel completes only after that of all others. */
export function namespaceTree(table: ProcessTable, first: ProcessRow): Tree {
  return {
    async living(maxAgeMs) {
      const found = withDescendants(await table.rows(maxAgeMs), new Map([[first.pid, first]]));
      found.delete(first.pid);
      return [...found.values()].filter((row) => !row.dead);
    },
    end: () =>
      untilGone(async () => {
        const row = await table.row(first.pid);
        if (row === undefined || row.dead || row.started !== first.started) return true;
        kill(first.pid);
        return false;
      }),
  };
}

/** @param first The shell, leader of its own process group. @param mark `NAME=value` in the environment. */
export function markedTree(table: ProcessTable, first: ProcessRow, mark: string): Tree {
  const ours = new Map<number, string>([[first.pid, first.started]]);
  const others = new Map<number, string>();

  function isOurs(row: ProcessRow): boolean {
    if (ours.get(row.pid) === row.started) return true;
    if (others.get(row.pid) === row.started) return false;
    const marked = table.hasEntry(row.pid, mark);
    if (marked === false) others.set(row.pid, row.started);
    return marked === true;
  }

  async function living(maxAgeMs: number): Promise<readonly ProcessRow[]> {
    const rows = await table.rows(maxAgeMs);
    const found = withDescendants(rows, new Map(rows.filter(isOurs).map((row) => [row.pid, row])));
    // Remembered: who clears its environment and loses its parent later is known by then, if it lived through one look.
    for (const row of found.values()) ours.set(row.pid, row.started);
    return [...found.values()].filter((row) => !row.dead);
  }

  return {
    living,
    end() {
      kill(-first.pid);
      return untilGone(async () => {
        const left = await living(0);
        for (const row of left) kill(row.pid);
        return left.length === 0;
      });
    },
  };
}

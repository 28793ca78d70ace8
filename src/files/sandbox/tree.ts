/**
 * All processes of one command, however they were started: in the background, in sessions of their own, by parents that
 * are gone. Behind bubblewrap a process namespace holds them together; without walls they are found by their parents,
 * their process group, and a mark in the environment that they inherit.
 */
import { readdirSync } from "node:fs";
import type { Group } from "./group.ts";
import type { ProcessRow, ProcessTable } from "./processes.ts";
import { untilGone } from "./until-gone.ts";

/** What a command has at a moment. */
export interface Size {
  readonly processes: number;
  /** Memory of all of them. Not counted (0) when they are too many anyway. */
  readonly bytes: number;
}

export interface Tree {
  /** @param most Processes that it may have. */
  readonly look: (most: number) => Promise<Size>;
  /** Ends them all. Resolves when they are gone: `false` when some are not after five seconds. */
  end(): Promise<boolean>;
}

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

const nothing: Size = { processes: 0, bytes: 0 };

/** Milliseconds between two looks at all processes of the machine, and the share of the time that they may take. */
const lookPause = 100;
const lookShare = 0.05;

/**
 * Sizes a tree by all processes of the machine. That is slow where there are many, so it is done now and then, and at
 * once when the machine has many more of them than at the last time.
 */
function outerLook(
  table: ProcessTable,
  living: (maxAgeMs: number) => Promise<readonly ProcessRow[]>,
): (most: number) => Promise<Size> {
  let last = nothing;
  let due = 0;
  let seen = table.count() ?? 0;
  return async (most) => {
    const began = performance.now();
    const count = table.count() ?? seen;
    const many = count - seen > most / 2;
    if (began < due && !many) return last;
    const rows = await living(many ? 0 : lookPause / 2);
    let bytes = 0;
    if (rows.length <= most) for (const row of rows) bytes += table.memory(row.pid);
    last = { processes: rows.length, bytes };
    seen = count;
    const now = performance.now();
    due = now + Math.max(lookPause, (now - began) / lookShare);
    return last;
  };
}

/** Sizes a control group, which knows its members. @param own How many of them are the walls' own. */
export function groupLook(table: ProcessTable, group: Group, own: number): Tree["look"] {
  return async (most) => {
    const members = group.members();
    const processes = members.length - own;
    let bytes = 0;
    if (processes <= most) for (const pid of members) bytes += table.memory(pid);
    return { processes, bytes };
  };
}

/**
 * Sizes a namespace by its own `/proc`, which costs next to nothing, also amid a fork bomb. Only root may look into it
 * (for others the kernel limits how many there are: `RLIMIT_NPROC`). `undefined`: it may not be seen.
 */
async function innerLook(table: ProcessTable, first: ProcessRow, most: number): Promise<Size | undefined> {
  const inside = `/proc/${first.pid}/root/proc`;
  try {
    readdirSync(`/proc/${first.pid}/root`);
    // While the walls are built its root is still the machine's, and no command runs.
    if ((await table.row(1, inside))?.started !== first.started) return nothing;
    const pids = readdirSync(inside).filter((name) => /^\d+$/.test(name));
    // Bubblewrap's own process is the first in there.
    const processes = pids.length - 1;
    let bytes = 0;
    if (processes <= most) for (const pid of pids) bytes += table.memory(Number(pid), inside);
    return { processes, bytes };
  } catch (thrown) {
    const refused =
      thrown instanceof Error && "code" in thrown && (thrown.code === "EACCES" || thrown.code === "EPERM");
    return refused ? undefined : nothing;
  }
}

/** A process namespace. `first`: its first process, whose end the kernel completes only after that of all others. */
export function namespaceTree(table: ProcessTable, first: ProcessRow): Tree {
  const outer = outerLook(table, async (maxAgeMs) => {
    const found = withDescendants(await table.rows(maxAgeMs), new Map([[first.pid, first]]));
    found.delete(first.pid);
    return [...found.values()].filter((row) => !row.dead);
  });
  return {
    look: async (most) => (await innerLook(table, first, most)) ?? outer(most),
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
    look: outerLook(table, living),
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

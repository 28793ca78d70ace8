/**
 * A control group (cgroup) of its own for one command: limits that the kernel keeps for all of its processes together,
 * also for root's. Which version of control groups it is tells each file that is there.
 */
import { constants, readFileSync } from "node:fs";
import { mkdir, rmdir, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { CrewError, reasonOf } from "../../core/errors.ts";
import { untilGone } from "./until-gone.ts";

export interface GroupLimits {
  /** Processes and threads at a time: the kernel counts both. Where they are all taken, no further one starts (EAGAIN). */
  readonly tasks: number;
  /** Memory of all of them, with files in memory, pipes, and pages read from disk (which are given back when needed). */
  readonly memoryBytes: number;
}

export interface Group extends AsyncDisposable {
  /** The program and arguments that bring themselves into the group and then become this program, under the same number. */
  start(program: string, args: readonly string[]): readonly [program: string, args: readonly string[]];
  /** Numbers of the processes that are in it at this moment. */
  members(): readonly number[];
  /** Which limit was hit since the group was opened. The end by {@link kill} does not count. */
  hit(): "processes" | "memory" | undefined;
  /** Ends all in it. Resolves when they are gone: `false` when some are not after five seconds. */
  kill(): Promise<boolean>;
}

/** Folders in which groups can be made: one of version 2, or one for each controller of version 1. */
export type GroupParents = readonly string[];

const prefix = "crewroom-";

/** The number of the bridge that made a group, from the group's name; `undefined` for a group that no bridge made. */
export function bridgeOf(name: string): number | undefined {
  const pid = new RegExp(`^${prefix}(\\d+)-\\d+$`).exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** What a reader of a file that is not there finds. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Control files are there or not, and are never made; some may be written by their owner and not read. */
async function write(path: string, value: string): Promise<boolean> {
  return writeFile(path, value, { flag: constants.O_WRONLY }).then(
    () => true,
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function membersOf(folder: string): readonly number[] {
  return read(join(folder, "cgroup.procs")).split("\n").filter(Boolean).map(Number);
}

/** Ends everybody in it who can be seen: numbers of another process namespace read 0. */
function signalAll(folder: string): number {
  const pids = membersOf(folder);
  for (const pid of pids)
    try {
      if (pid > 0) process.kill(pid, "SIGKILL");
    } catch {
      // Gone, or never ours to end.
    }
  return pids.length;
}

/** Nobody in it can start another one from here on, so that the killing comes to its end. */
async function killAll(folder: string): Promise<boolean> {
  await write(join(folder, "pids.max"), "0");
  await write(join(folder, "cgroup.kill"), "1");
  return untilGone(async () => signalAll(folder) === 0);
}

/** Ends everybody in a group and removes it. `false`: it could not be. */
export async function removeGroup(folder: string): Promise<boolean> {
  await killAll(folder);
  // The last one may be on its way out still.
  return untilGone(() =>
    rmdir(folder).then(
      () => true,
      async () => !(await exists(folder)),
    ),
  );
}

let made = 0;

/** Makes the group's folders. Names of a bridge that had the same number and was killed are passed over. */
async function makeFolders(parents: GroupParents): Promise<readonly string[]> {
  for (;;) {
    made += 1;
    const name = `${prefix}${process.pid}-${made}`;
    const folders: string[] = [];
    try {
      for (const parent of parents) {
        await mkdir(join(parent, name));
        folders.push(join(parent, name));
      }
      return folders;
    } catch (thrown) {
      await Promise.all(folders.map(removeGroup));
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST")) throw thrown;
    }
  }
}

/** Sets what can be set there. Whether the number of processes is among it. */
async function limit(folder: string, { tasks, memoryBytes }: GroupLimits): Promise<boolean> {
  const bytes = String(memoryBytes);
  await write(join(folder, "memory.max"), bytes);
  await write(join(folder, "memory.swap.max"), "0");
  await write(join(folder, "memory.limit_in_bytes"), bytes);
  // Memory and swap together; never below memory alone, so it comes after it.
  await write(join(folder, "memory.memsw.limit_in_bytes"), bytes);
  return write(join(folder, "pids.max"), String(tasks));
}

function counter(path: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(read(path))?.[1] ?? 0);
}

function hitIn(folder: string): "processes" | "memory" | undefined {
  if (counter(join(folder, "pids.events"), "max") > 0) return "processes";
  const kills = ["memory.events", "memory.oom_control"].map((file) => counter(join(folder, file), "oom_kill"));
  return kills.some((count) => count > 0) ? "memory" : undefined;
}

/** Writing 0 moves the writer. It has started nobody yet, and starts nobody when it cannot join. */
const joinAndBecome = `while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"`;

/**
 * Opens a group. `Symbol.asyncDispose` ends whoever is left in it and removes it.
 * @throws CrewError `SANDBOX_FAILED` when it cannot be made or does not limit processes.
 */
export async function openGroup(parents: GroupParents, limits: GroupLimits): Promise<Group> {
  const folders = await makeFolders(parents).catch((thrown: unknown) => {
    throw new CrewError("SANDBOX_FAILED", { reason: reasonOf(thrown) }, thrown);
  });
  const remove = async (): Promise<void> => void (await Promise.all(folders.map(removeGroup)));
  const limited = await Promise.all(folders.map((folder) => limit(folder, limits)));
  if (!limited.includes(true)) {
    await remove();
    throw new CrewError("SANDBOX_FAILED", { reason: `${basename(folders[0] ?? "")} does not limit processes` });
  }
  let found: "processes" | "memory" | undefined;
  let killing = false;
  const hit = (): typeof found => {
    if (!killing) found ??= folders.map(hitIn).find((hit) => hit !== undefined);
    return found;
  };
  return {
    start: (program, args) => [
      "/bin/sh",
      ["-c", joinAndBecome, "sh", ...folders.map((folder) => join(folder, "cgroup.procs")), "--", program, ...args],
    ],
    members: () => membersOf(folders[0] ?? ""),
    hit,
    async kill() {
      hit();
      killing = true;
      return (await Promise.all(folders.map(killAll))).every(Boolean);
    },
    [Symbol.asyncDispose]: remove,
  };
}

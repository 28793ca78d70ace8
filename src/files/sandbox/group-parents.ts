/**
 * Where this process may make control groups. Tried, not guessed: rights, mounts and controllers differ from host to host,
 * and more so in containers.
 */
import { execFile } from "node:child_process";
import { access, constants, readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { bridgeOf, openGroup, removeGroup } from "./group.ts";
import type { GroupParents } from "./group.ts";

interface Hierarchy {
  readonly mountPoint: string;
  /** This process' own group in it. */
  readonly own: string;
}

/** @param mounts `/proc/self/mountinfo`. @param groups `/proc/self/cgroup`. @param controller `""`: version 2. */
export function hierarchyOf(mounts: string, groups: string, controller: string): Hierarchy | undefined {
  const ours = groups
    .split("\n")
    .map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line))
    .find((match) => match?.[1]?.split(",").includes(controller) === true)?.[2];
  if (ours === undefined) return undefined;
  for (const line of mounts.split("\n")) {
    // `id parent device root mountpoint options … - type source options`. proc(5)
    const match = /^\d+ \d+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(line);
    const [, root = "", mountPoint = "", type, options = ""] = match ?? [];
    if (type !== (controller === "" ? "cgroup2" : "cgroup")) continue;
    if (controller !== "" && !options.split(",").includes(controller)) continue;
    const below = relative(root, ours);
    // Outside of what is mounted here.
    if (!below.startsWith("..")) return { mountPoint, own: join(mountPoint, below) };
  }
  return undefined;
}

/**
 * The nearest comes first, so that a group stays inside of whatever limits this process. In version 2 a group with
 * processes in it has none below that limit anything, so it is mostly the one above; in version 1 it is one's own.
 */
async function candidates(): Promise<readonly GroupParents[]> {
  const [mounts, groups] = await Promise.all(
    ["/proc/self/mountinfo", "/proc/self/cgroup"].map((path) => readFile(path, "utf8").catch(() => "")),
  );
  const found = (controller: string): Hierarchy | undefined => hierarchyOf(mounts ?? "", groups ?? "", controller);
  const all: GroupParents[] = [];
  const two = found("");
  if (two !== undefined)
    for (let at = two.own; ; at = dirname(at)) {
      all.push([at]);
      if (at === two.mountPoint || at === "/") break;
    }
  const pids = found("pids");
  const memory = found("memory");
  if (pids !== undefined && memory !== undefined) all.push([pids.own, memory.own]);
  if (pids !== undefined) all.push([pids.own]);
  return all;
}

/** Enough for a shell and `true`. */
const trial = { tasks: 8, memoryBytes: 64 * 1024 * 1024 };

async function works(parents: GroupParents): Promise<boolean> {
  try {
    await using group = await openGroup(parents, trial);
    const [program, args] = group.start("/bin/true", []);
    await promisify(execFile)(program, args, { env: {} });
    return true;
  } catch {
    return false;
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown && thrown.code === "ESRCH";
  }
}

/** Removes what bridges left that were killed, with whoever is still in it. */
async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const bridge = bridgeOf(name);
    if (bridge === undefined || !isGone(bridge)) continue;
    const folder = join(parent, name);
    const mine = await access(folder, constants.W_OK).then(
      () => true,
      () => false,
    );
    if (!mine) continue;
    const members = await readFile(join(folder, "cgroup.procs"), "latin1").catch(() => "");
    // Those of another process namespace read 0: their bridge is there as well, and its number says nothing here.
    if (!members.split("\n").includes("0")) await removeGroup(folder);
  }
}

/** `undefined`: no group can be made here. Version 2 is preferred. Cleans up after bridges that were killed. */
export async function findGroupParents(): Promise<GroupParents | undefined> {
  if (process.platform !== "linux") return undefined;
  const all = await candidates();
  // Everywhere: a bridge can be killed while it tries, and the next one may have other rights.
  await Promise.all([...new Set(all.flat())].map(removeStale));
  for (const parents of all) if (await works(parents)) return parents;
  return undefined;
}

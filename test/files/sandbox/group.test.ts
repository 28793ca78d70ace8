import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { findGroupParents, hierarchyOf } from "../../../src/files/sandbox/group-parents.ts";
import { bridgeOf, openGroup } from "../../../src/files/sandbox/group.ts";
import type { Group } from "../../../src/files/sandbox/group.ts";
import { groupsOf, megabyte, openFolders, processesWith, uniqueSleep } from "./helpers.ts";

const parents = (await findGroupParents()) ?? [];
if (parents.length === 0)
  process.stderr.write("The tests of control groups are left out: this user can make none on this machine.\n");

interface Member {
  readonly child: ChildProcess;
  /** The group's folder that limits processes. */
  readonly folder: string;
}

function startIn(group: Group, script: string): Member {
  const [program, args] = group.start("/bin/sh", ["-c", script]);
  const child = spawn(program, args, { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, folder: dirname(args.find((arg) => arg.endsWith("/cgroup.procs")) ?? "") };
}

describe("Where groups are looked for", () => {
  const mounts = [
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate",
    "32 31 0:29 /docker/one /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct",
    "33 31 0:30 /docker/one /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids",
  ].join("\n");

  test.each([
    ["", "/sys/fs/cgroup/system.slice/crewroom.service"],
    ["pids", "/sys/fs/cgroup/pids/inner"],
    ["cpuacct", undefined],
    ["memory", undefined],
  ])("controller %j: %s", (controller, own) => {
    const groups =
      "9:pids:/docker/one/inner\n8:cpu,cpuacct:/docker/two\n4:memory:/\n0::/system.slice/crewroom.service\n";
    expect(hierarchyOf(mounts, groups, controller)?.own).toBe(own);
  });

  test("only names of this program's groups tell a bridge", () => {
    expect(bridgeOf("crewroom-12-3")).toBe(12);
    for (const name of ["crewroom.service", "crewroom-12", "my-crewroom-12-3", "crewroom-12-3.scope"])
      expect(bridgeOf(name)).toBeUndefined();
  });
});

const hideGroups = ["-m", "sh", "-c", 'umount -lR /sys/fs/cgroup && exec "$@"', "sh"];
const canHide =
  process.getuid?.() === 0 && spawnSync("unshare", [...hideGroups, "true"], { stdio: "ignore" }).status === 0;

test.runIf(canHide)("root without control groups is warned, once, that processes are only watched", async () => {
  await using folders = await openFolders();
  const script = await folders.file(
    "open.ts",
    `import { openSandbox } from ${JSON.stringify(new URL("../../../src/files/sandbox/sandbox.ts", import.meta.url).href)};
    const log = { debug() {}, warn: (_fields, message) => console.log(message) };
    const sandbox = await openSandbox({ mode: "none", network: [], seconds: 9, memoryBytes: 1e9, processes: 50, outputBytes: 1000, hidden: [], log });
    for (const command of ["echo one", "echo two"]) {
      const result = await sandbox.run({ command, root: "/", writable: true, readable: [], signal: new AbortController().signal });
      console.log(result.output.trim());
    }`,
  );
  const { stdout } = spawnSync("unshare", [...hideGroups, process.execPath, script], { encoding: "utf8" });
  expect(stdout).toMatch(/^the number of a command's processes is only watched.*not as root\none\ntwo\n$/);
});

describe.skipIf(parents.length === 0)("A control group", () => {
  test("never has more processes than its limit, tells that it was hit, and is gone afterwards", async () => {
    const word = uniqueSleep();
    {
      await using group = await openGroup(parents, { tasks: 64, memoryBytes: 512 * megabyte });
      const { child, folder } = startIn(group, `for i in $(seq 300); do sleep ${word} & done; wait`);
      await expect.poll(() => group.hit(), { interval: 5 }).toBe("processes");
      expect(Number(await readFile(join(folder, "pids.max"), "utf8"))).toBe(64);
      expect(Number(await readFile(join(folder, "pids.current"), "utf8"))).toBeLessThanOrEqual(64);
      expect((await processesWith(word)).length).toBeLessThan(64);
      expect(await group.kill()).toBe(true);
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      expect(await processesWith(word)).toEqual([]);
    }
    expect(await groupsOf(process.pid)).toEqual([]);
  });

  test("its member is in it before it does anything, under the number that was started", async () => {
    await using folders = await openFolders();
    await using group = await openGroup(parents, { tasks: 8, memoryBytes: 64 * megabyte });
    const { child, folder } = startIn(group, `echo $$ $(cat /proc/self/cgroup) >${folders.top}/said`);
    await once(child, "exit");
    const said = await readFile(join(folders.top, "said"), "utf8");
    expect(said).toMatch(new RegExp(`^${child.pid} `));
    expect(said).toContain(folder.split("/").at(-1));
    expect(group.hit()).toBeUndefined();
  });

  test("a member that cannot join starts nothing", async () => {
    await using folders = await openFolders();
    const gone = await openGroup(parents, { tasks: 8, memoryBytes: 64 * megabyte });
    await gone[Symbol.asyncDispose]();
    const { child } = startIn(gone, `touch ${folders.top}/ran`);
    expect(await once(child, "exit")).toEqual([125, null]);
    await expect(stat(join(folders.top, "ran"))).rejects.toThrow("ENOENT");
  });

  test("the end by the bridge is no limit that was hit", async () => {
    await using group = await openGroup(parents, { tasks: 8, memoryBytes: 64 * megabyte });
    const { child } = startIn(group, "while :; do sleep 0.001; done");
    const exit = once(child, "exit");
    expect(await group.kill()).toBe(true);
    await exit;
    expect(group.hit()).toBeUndefined();
  });

  test("the groups of a bridge that was killed are removed at the next look, those of a living one stay", async () => {
    const bridge = spawn("sleep", ["1000"], { stdio: "ignore" });
    onTestFinished(() => void bridge.kill("SIGKILL"));
    const pid = bridge.pid ?? 0;
    const word = uniqueSleep();
    const folders = parents.map((parent) => join(parent, `crewroom-${pid}-1`));
    await Promise.all(folders.map((folder) => mkdir(folder)));
    const join0 = folders.map((folder) => `echo 0 >${folder}/cgroup.procs`).join(" && ");
    const left = spawn("/bin/sh", ["-c", `${join0} && sleep ${word} & wait`], { stdio: "ignore" });
    onTestFinished(() => void left.kill("SIGKILL"));
    await expect.poll(() => processesWith(word)).toHaveLength(1);
    await findGroupParents();
    expect(await groupsOf(pid)).toHaveLength(folders.length);
    bridge.kill("SIGKILL");
    await once(bridge, "exit");
    await findGroupParents();
    expect(await groupsOf(pid)).toEqual([]);
    expect(await processesWith(word)).toEqual([]);
  });

  test("what a bridge left where it only tried is removed as well", async () => {
    const [mounts, groups] = await Promise.all(
      ["/proc/self/mountinfo", "/proc/self/cgroup"].map((path) => readFile(path, "utf8")),
    );
    const own = ["", "pids"].flatMap((name) => hierarchyOf(mounts ?? "", groups ?? "", name)?.own ?? []);
    const gone = spawn("true");
    await once(gone, "exit");
    const left = own.map((folder) => join(folder, `crewroom-${gone.pid}-1`));
    await Promise.all(left.map((folder) => mkdir(folder)));
    await findGroupParents();
    for (const folder of left) await expect(stat(folder)).rejects.toThrow("ENOENT");
  });
});

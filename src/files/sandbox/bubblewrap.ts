/**
 * Linux: commands behind bubblewrap, in namespaces of their own. Needs bubblewrap 0.8.0 or newer: the first one that can
 * forbid further user namespaces, the door to most holes of the kernel.
 */
import { release } from "node:os";
import type { SandboxCommand } from "../port.ts";
import { commandEnvironment, proxyEnvironment, systemPath } from "./environment.ts";
import { commonMounts, insideHome, mountArgs, nodeFolder } from "./mounts.ts";
import type { Launch, SandboxOptions } from "./options.ts";
import { dataBytesOf, tasksOf, proxyPort, proxySocket, shellArgs } from "./script.ts";
import type { KernelLimits } from "./script.ts";

export const bubblewrap = "bwrap";

/** Descriptors after those that {@link Launch.inputs} begins with. */
const argsDescriptor = 4;

/** Files that programs look for, without anything of this machine in them. */
const ownFiles = [
  ["/etc/passwd", `crew:x:1000:1000::${insideHome}:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n`],
  ["/etc/group", "crew:x:1000:\nnogroup:x:65534:\n"],
  ["/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"],
] as const;

/** Everything apart; nobody inside has a privilege, whoever the bridge is; all of it dies with the bridge. */
const walls = (
  "--unshare-user --unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try " +
  "--disable-userns --uid 1000 --gid 1000 --cap-drop ALL --hostname sandbox --new-session --die-with-parent"
).split(" ");

const temporaryShare = 4;

/** Whether the kernel counts the processes of a user namespace by themselves: Linux 5.14 and newer. root is never limited. */
function countsApart(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major > 5 || (major === 5 && minor >= 14);
}

/** @param proxy Outer path of the proxy's socket, where there is a network. */
export type Bubblewrap = (command: SandboxCommand, proxy: string | undefined) => Promise<Launch>;

export async function openBubblewrap(options: SandboxOptions): Promise<Bubblewrap> {
  const common = await commonMounts();
  const limits: KernelLimits = {
    data: dataBytesOf(options.memoryBytes),
    ...(countsApart(release()) ? { tasks: tasksOf(options.processes) } : {}),
  };
  const environment = {
    ...commandEnvironment(
      { path: `${nodeFolder}/bin:${systemPath}`, home: insideHome, temp: "/tmp" },
      options.env ?? [],
    ),
    ...(options.network ? proxyEnvironment(proxyPort) : {}),
  };
  return async (command, proxy) => {
    const shown = { ...command, hidden: options.hidden };
    const args = [
      ...walls,
      ...(await mountArgs(common, shown, Math.floor(options.memoryBytes / temporaryShare))),
      ...ownFiles.flatMap(([at], index) => ["--ro-bind-data", String(argsDescriptor + 1 + index), at]),
      ...(proxy === undefined ? [] : ["--ro-bind", proxy, proxySocket]),
      ..."--remount-ro /dev --remount-ro / --json-status-fd 3".split(" "),
      "--chdir",
      command.root,
    ];
    return {
      program: bubblewrap,
      args: [
        "--args",
        String(argsDescriptor),
        "--",
        "/bin/sh",
        ...shellArgs(command.command, limits, proxy !== undefined),
      ],
      env: environment,
      cwd: "/",
      // One outside that waits, and the first one inside.
      own: 2,
      inputs: [args.map((arg) => `${arg}\0`).join(""), ...ownFiles.map(([, content]) => content)],
    };
  };
}

/** Opens the sandbox in which agents' commands run. `docs/sandbox.md` tells what it keeps and what it does not. */
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { CrewError } from "../../core/errors.ts";
import type { Sandbox } from "../port.ts";
import { bubblewrap, openBubblewrap } from "./bubblewrap.ts";
import { execute } from "./execution.ts";
import type { Keeping } from "./execution.ts";
import { findGroupParents } from "./group-parents.ts";
import { openGroup } from "./group.ts";
import { installLine, missingSandbox, refusalOf } from "./missing.ts";
import { openLaunch, openTemporaryHome } from "./open.ts";
import type { SandboxOptions } from "./options.ts";
import { createProcessTable } from "./processes.ts";
import { openProxy } from "./proxy.ts";
import { tasksOf } from "./script.ts";
import { seatbelt, seatbeltLaunch } from "./seatbelt.ts";

export type { SandboxOptions } from "./options.ts";
export { missingSandbox } from "./missing.ts";

/** Of bubblewrap (two), its shell, and socat: those that are in a command's group and not its own. */
const ownTasks = 4;

async function openKeeping(options: SandboxOptions): Promise<Keeping> {
  const parents = await findGroupParents();
  if (parents === undefined && process.platform === "linux" && process.getuid?.() === 0)
    options.log.warn(
      {},
      "the number of a command's processes is only watched, not limited: the kernel does not limit root's, and no control " +
        "group (cgroup) can be made here; run Crewroom as a user of its own, not as root",
    );
  const limits = { tasks: tasksOf(options.processes) + ownTasks, memoryBytes: options.memoryBytes };
  return {
    table: createProcessTable(),
    openGroup: async () => (parents === undefined ? undefined : openGroup(parents, limits)),
  };
}

/** Everything that a sandbox can be on this machine, before it is known whether it works. */
async function behindBubblewrap(options: SandboxOptions): Promise<Sandbox> {
  const keeping = await openKeeping(options);
  const launch = await openBubblewrap(options);
  return {
    kind: "bubblewrap",
    async run(command) {
      if (!options.network) return execute(await launch(command, undefined), options, keeping, command.signal);
      await using folder = await openTemporaryHome();
      const socket = join(folder.path, "proxy.sock");
      await using _proxy = await openProxy(options, command.mayReach, socket);
      return await execute(await launch(command, socket), options, keeping, command.signal);
    },
  };
}

/** Not verified on a Mac. */
async function behindSeatbelt(options: SandboxOptions): Promise<Sandbox> {
  const keeping = await openKeeping(options);
  return {
    kind: "seatbelt",
    async run(command) {
      await using home = await openTemporaryHome();
      if (!options.network)
        return await execute(
          await seatbeltLaunch(command, options, home.path, undefined),
          options,
          keeping,
          command.signal,
        );
      await using proxy = await openProxy(options, command.mayReach);
      return await execute(
        await seatbeltLaunch(command, options, home.path, proxy.port),
        options,
        keeping,
        command.signal,
      );
    },
  };
}

async function withoutWalls(options: SandboxOptions): Promise<Sandbox> {
  const keeping = await openKeeping(options);
  return {
    kind: "none",
    async run(command) {
      await using home = await openTemporaryHome();
      return await execute(openLaunch(command, options, home.path), options, keeping, command.signal);
    },
  };
}

async function isInstalled(program: string): Promise<boolean> {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = folders.map((folder) => access(join(folder, program), constants.X_OK));
  return Promise.any(found).then(
    () => true,
    () => false,
  );
}

const trySeconds = 10;

/** Runs `true` in it, once. What it complained about, or `undefined` when it works. */
async function complaintOf(sandbox: Sandbox): Promise<string | undefined> {
  await using home = await openTemporaryHome();
  const signal = AbortSignal.timeout(trySeconds * 1000);
  try {
    const result = await sandbox.run({ command: "true", root: home.path, writable: false, readable: [], signal });
    if (result.code === 0) return undefined;
    return result.output.trim() || `\`true\` ended with ${result.code ?? result.endedBy ?? "a signal"}`;
  } catch (thrown) {
    if (thrown instanceof CrewError && thrown.code === "SANDBOX_FAILED") return String(thrown.details["reason"]);
    throw thrown;
  }
}

async function openOnLinux(options: SandboxOptions): Promise<Sandbox> {
  // The pipe to the proxy is socat's work.
  const needed = options.network ? [bubblewrap, "socat"] : [bubblewrap];
  const there = await Promise.all(needed.map(isInstalled));
  const missing = needed.filter((_, index) => there[index] !== true);
  if (missing.length > 0) {
    const packages = missing.map((program) => (program === bubblewrap ? "bubblewrap" : program));
    return missingSandbox(`${packages.join(" and ")} is not installed`, installLine(packages));
  }
  const sandbox = await behindBubblewrap(options);
  const said = await complaintOf(sandbox);
  if (said === undefined) return sandbox;
  const { reason, install } = refusalOf(said);
  return missingSandbox(reason, install);
}

async function openOnMac(options: SandboxOptions): Promise<Sandbox> {
  const sandbox = await behindSeatbelt(options);
  const said = await complaintOf(sandbox);
  return said === undefined
    ? sandbox
    : missingSandbox(`${seatbelt} does not work (${said})`, "It is a part of macOS; look whether a policy forbids it.");
}

/**
 * The sandbox of this machine, tried once. Where none works and one is required, a sandbox is returned all the same: one
 * that refuses every command with `SANDBOX_MISSING`, which says how to get one.
 */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  if (options.mode === "none") return withoutWalls(options);
  if (process.platform === "linux") return openOnLinux(options);
  if (process.platform === "darwin") return openOnMac(options);
  return missingSandbox(`there is none for ${process.platform}`, "Run Crewroom on Linux or macOS.");
}

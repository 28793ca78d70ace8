/** Opens the sandbox in which agents' commands run. `docs/sandbox.md` tells what it keeps and what it does not. */
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { CrewError } from "../../core/errors.ts";
import type { Sandbox } from "../port.ts";
import { bubblewrap, openBubblewrap } from "./bubblewrap.ts";
import { execute } from "./execution.ts";
import { installLine, missingSandbox, refusalOf } from "./missing.ts";
import { openLaunch, openTemporaryHome } from "./open.ts";
import type { SandboxOptions } from "./options.ts";
import { createProcessTable } from "./processes.ts";
import { openProxy } from "./proxy.ts";
import { seatbelt, seatbeltLaunch } from "./seatbelt.ts";

export type { SandboxOptions } from "./options.ts";
export { missingSandbox } from "./missing.ts";

/** Everything that a sandbox can be on this machine, before it is known whether it works. */
async function behindBubblewrap(options: SandboxOptions): Promise<Sandbox> {
  const table = createProcessTable();
  const launch = await openBubblewrap(options);
  return {
    kind: "bubblewrap",
    async run(command) {
      if (options.network.length === 0)
        return execute(await launch(command, undefined), options, table, command.signal);
      await using folder = await openTemporaryHome();
      const socket = join(folder.path, "proxy.sock");
      await using _proxy = await openProxy(options, socket);
      return await execute(await launch(command, socket), options, table, command.signal);
    },
  };
}

/** Not verified on a Mac. */
function behindSeatbelt(options: SandboxOptions): Sandbox {
  const table = createProcessTable();
  return {
    kind: "seatbelt",
    async run(command) {
      await using home = await openTemporaryHome();
      if (options.network.length === 0)
        return await execute(
          await seatbeltLaunch(command, options, home.path, undefined),
          options,
          table,
          command.signal,
        );
      await using proxy = await openProxy(options);
      return await execute(
        await seatbeltLaunch(command, options, home.path, proxy.port),
        options,
        table,
        command.signal,
      );
    },
  };
}

function withoutWalls(options: SandboxOptions): Sandbox {
  const table = createProcessTable();
  return {
    kind: "none",
    async run(command) {
      await using home = await openTemporaryHome();
      return await execute(openLaunch(command, options, home.path), options, table, command.signal);
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
  const needed = options.network.length === 0 ? [bubblewrap] : [bubblewrap, "socat"];
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
  const sandbox = behindSeatbelt(options);
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

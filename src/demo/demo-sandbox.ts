/**
 * Where the commands of the demo's agents run: in a sandbox wherever the machine has one. Without one only the script's
 * own commands run, which were written by a person; those of a real model are refused.
 */
import { tmpdir } from "node:os";
import type { Overrides } from "../config/overrides.ts";
import type { Config } from "../config/schema.ts";
import { asCrewError } from "../core/errors.ts";
import { openSandbox, type SandboxOptions } from "../files/sandbox/sandbox.ts";
import type { Sandbox } from "../files/port.ts";

export interface DemoSandbox {
  /** An entry of the config: `sandbox`. */
  readonly config: Overrides;
  /** Rules that come after those of the config. */
  readonly policy: Config["policy"];
  /** Says to a person what is missing; `undefined` when nothing is. */
  readonly told: string | undefined;
}

const silent = { debug: () => undefined, warn: () => undefined } as const;
/** For the one command that shows whether it works. */
const trial: SandboxOptions = {
  mode: "required",
  network: false,
  seconds: 10,
  memoryBytes: 256 * 1024 * 1024,
  processes: 16,
  outputBytes: 1_000,
  hidden: [],
  log: silent,
};

/** Without a sandbox a person is asked about each command: of a script that would be many, all known beforehand. */
const scriptsOwn = { tool: "run_command", do: "allow" } as const;

/** @param open Tries the machine's sandbox; given by tests. */
export async function findDemoSandbox(
  scripted: boolean,
  open: (options: SandboxOptions) => Promise<Sandbox> = openSandbox,
): Promise<DemoSandbox> {
  const missing = await complaintOf(await open(trial));
  if (missing === undefined) return { config: { mode: "required" }, policy: [], told: undefined };
  return scripted
    ? {
        config: { mode: "none" },
        policy: [scriptsOwn],
        told: `The script's commands run without a sandbox, since ${missing}`,
      }
    : { config: { mode: "required" }, policy: [], told: `The agents cannot run commands, since ${missing}` };
}

async function complaintOf(sandbox: Sandbox): Promise<string | undefined> {
  // One that is there was tried when it was opened.
  if (sandbox.kind !== "none") return undefined;
  const signal = new AbortController().signal;
  try {
    await sandbox.run({ command: "true", root: tmpdir(), writable: false, readable: [], signal });
    return undefined;
  } catch (thrown) {
    const { details, message } = asCrewError(thrown);
    const { reason, install } = details;
    return typeof reason === "string" && typeof install === "string" ? `${reason}. ${install}` : message;
  }
}

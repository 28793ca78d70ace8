/**
 * A Python environment with Synapse in it, made once and kept. Synapse is pinned, so that the demo and the tests speak
 * with the homeserver that they were written for.
 */
import { execFile } from "node:child_process";
import { access, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { CrewError, reasonOf } from "../core/errors.ts";
import { cacheDirectory } from "./cache.ts";
import { lockFile } from "./file-lock.ts";

export const synapseVersion = "1.163.2";

const run = promisify(execFile);
const oldestPython = [3, 10] as const;

export interface VenvOptions {
  /** Folder that holds the environment. Default: {@link cacheDirectory}. */
  readonly cache?: string;
  /** Told one line per step that takes long. Nothing is said when the environment is there already. */
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Commands tried as Python, in order. Default: `$PYTHON`, `python3`, `python`. */
  readonly pythons?: readonly string[];
}

/**
 * Gives the path of a Python that has Synapse. The first call takes a minute and 250 MB; parallel calls, also of other
 * processes, wait for it. Rejects with `PYTHON_MISSING` when there is no usable Python, `SYNAPSE_FAILED` when pip fails.
 */
export async function ensureSynapse(options: VenvOptions = {}): Promise<string> {
  const cache = options.cache ?? cacheDirectory();
  const signal = options.signal ?? new AbortController().signal;
  const venv = path.join(cache, `synapse-${synapseVersion}`);
  // Written last: a folder without it is the remains of an installation that was interrupted.
  const complete = path.join(venv, "complete");
  const python = pythonOf(venv);
  if (await exists(complete)) return python;

  const say = options.progress ?? ((): void => undefined);
  using _lock = await lockFile(`${venv}.lock`, {
    signal,
    onWait: () => say("Another process is installing Synapse; waiting for it."),
  });
  if (await exists(complete)) return python;

  const base = await findPython(options.pythons ?? defaultPythons());
  await rm(venv, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  say(`Making a Python environment in ${venv}.`);
  await run(base, ["-m", "venv", venv], { signal }).catch((error: unknown) => {
    // Debian splits `ensurepip` off into the package python3-venv and says so on stdout.
    throw signal.aborted ? error : new CrewError("PYTHON_MISSING", { reason: outputOf(error) }, error);
  });
  say(`Installing Synapse ${synapseVersion} from PyPI (250 MB, about a minute, only once).`);
  await run(
    python,
    ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `matrix-synapse==${synapseVersion}`],
    {
      signal,
      maxBuffer: 16 * 1024 * 1024,
    },
  ).catch((error: unknown) => {
    throw signal.aborted
      ? error
      : new CrewError("SYNAPSE_FAILED", { reason: `pip: ${outputOf(error)}`, log: venv }, error);
  });
  await writeFile(complete, `matrix-synapse ${synapseVersion}\n`);
  say("Synapse is installed.");
  return python;
}

function defaultPythons(): readonly string[] {
  const chosen = process.env["PYTHON"];
  return [...(chosen === undefined ? [] : [chosen]), "python3", "python"];
}

/** The first of the commands that is new enough and has venv and ensurepip. Rejects with `PYTHON_MISSING`. */
async function findPython(commands: readonly string[]): Promise<string> {
  const reasons: string[] = [];
  for (const command of commands) {
    try {
      const { stdout } = await run(command, ["-c", "import sys; print(*sys.version_info[:2])"]);
      const [major = 0, minor = 0] = stdout.trim().split(" ").map(Number);
      if (major < oldestPython[0] || (major === oldestPython[0] && minor < oldestPython[1])) {
        reasons.push(`${command} is Python ${major}.${minor}`);
        continue;
      }
      await run(command, ["-c", "import venv, ensurepip"]);
      return command;
    } catch (error) {
      reasons.push(`${command}: ${outputOf(error)}`);
    }
  }
  throw new CrewError("PYTHON_MISSING", { reason: reasons.join("; ") });
}

function pythonOf(venv: string): string {
  return process.platform === "win32" ? path.join(venv, "Scripts", "python.exe") : path.join(venv, "bin", "python");
}

/** The last line that a failed program wrote: for pip and Python that is the reason. */
function outputOf(error: unknown): string {
  if (!(error instanceof Error)) return reasonOf(error);
  const streams = ["stderr" in error ? error.stderr : undefined, "stdout" in error ? error.stdout : undefined];
  const text = streams.find((one) => typeof one === "string" && one.trim() !== "");
  if (typeof text === "string") return text.trim().split("\n").at(-1) ?? reasonOf(error);
  return "code" in error && error.code === "ENOENT" ? "not found" : reasonOf(error);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** A sandbox on real folders, and a look at the machine's processes. */
import { mkdtemp, mkdir, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setInterval } from "node:timers/promises";
import type { CommandResult, MayReach, Sandbox } from "../../../src/files/port.ts";
import { findGroupParents } from "../../../src/files/sandbox/group-parents.ts";
import { bridgeOf } from "../../../src/files/sandbox/group.ts";
import { openSandbox } from "../../../src/files/sandbox/sandbox.ts";
import type { SandboxOptions } from "../../../src/files/sandbox/sandbox.ts";

export const megabyte = 1024 * 1024;
export const quiet = { debug: () => undefined, warn: () => undefined };

export function optionsFor(more: Partial<SandboxOptions> = {}): SandboxOptions {
  return {
    mode: "required",
    network: false,
    seconds: 20,
    memoryBytes: 1024 * megabyte,
    processes: 128,
    outputBytes: 64 * 1024,
    hidden: [],
    log: quiet,
    ...more,
  };
}

/** Whether walls can be built here. Says so when not, since their tests are left out then. */
export async function wallsWork(): Promise<boolean> {
  const sandbox = await openSandbox(optionsFor({ network: true }));
  if (sandbox.kind === "bubblewrap") return true;
  process.stderr.write(
    "The tests of the sandbox's walls are left out: no bubblewrap or socat works on this machine.\n",
  );
  return false;
}

export interface Folders extends AsyncDisposable {
  /** Holds everything below. */
  readonly top: string;
  readonly root: string;
  file(path: string, content: string): Promise<string>;
}

export async function openFolders(): Promise<Folders> {
  const top = await realpath(await mkdtemp(join(tmpdir(), "crewroom-sandbox-test-")));
  const root = join(top, "data/worktree");
  await mkdir(root, { recursive: true });
  return {
    top,
    root,
    async file(path, content) {
      const full = join(top, path);
      await mkdir(join(full, ".."), { recursive: true });
      await writeFile(full, content);
      return full;
    },
    [Symbol.asyncDispose]: () => rm(top, { recursive: true, force: true }),
  };
}

export interface Asked {
  readonly writable?: boolean;
  readonly readable?: readonly string[];
  readonly signal?: AbortSignal;
  readonly mayReach?: MayReach;
}

export function run(sandbox: Sandbox, root: string, command: string, asked: Asked = {}): Promise<CommandResult> {
  const { writable = true, readable = [], signal = new AbortController().signal, ...more } = asked;
  return sandbox.run({ command, root, writable, readable, signal, ...more });
}

/** Processes on this machine, in whatever namespace, with this word among their arguments. */
export async function processesWith(word: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.split("\0").includes(word));
}

let words = 0;

/** A time to sleep that no other test uses, to find its process again. */
export function uniqueSleep(): string {
  words += 1;
  return `1000.${process.pid}${String(words).padStart(4, "0")}`;
}

/** Looked for once: that clears up as well. */
const parents = findGroupParents();

/** Control groups that the bridge with this number has at this moment. */
export async function groupsOf(pid: number): Promise<string[]> {
  const names = await Promise.all(((await parents) ?? []).map((parent) => readdir(parent)));
  return names.flat().filter((name) => bridgeOf(name) === pid);
}

/** The most processes and threads that the whole machine had while `running` ran, looked at every few milliseconds. */
export async function mostTasks(running: Promise<unknown>): Promise<number> {
  const stop = new AbortController();
  const done = running.finally(() => stop.abort());
  let most = 0;
  try {
    for await (const _ of setInterval(5, undefined, { signal: stop.signal }))
      most = Math.max(most, Number(/\/(\d+)/.exec(await readFile("/proc/loadavg", "latin1"))?.[1]));
  } catch (thrown) {
    if (!stop.signal.aborted) throw thrown;
  }
  await done;
  return most;
}

/**
 * Commands without walls, for whoever chose `sandbox.mode: none`: the same clean environment and limits, a home of their
 * own that is removed afterwards, and the whole tree ended. What they read and write is not restrained.
 */
import { randomUUID } from "node:crypto";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SandboxCommand } from "../port.ts";
import { commandEnvironment, openPath } from "./environment.ts";
import { markName } from "./options.ts";
import type { Launch, SandboxOptions } from "./options.ts";
import { dataBytesOf, shellArgs } from "./script.ts";

export interface TemporaryHome extends AsyncDisposable {
  readonly path: string;
}

export async function openTemporaryHome(): Promise<TemporaryHome> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "crewroom-command-")));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export function openLaunch(command: SandboxCommand, options: SandboxOptions, home: string): Launch {
  const marker = randomUUID();
  return {
    program: "/bin/sh",
    args: shellArgs(command.command, { data: dataBytesOf(options.memoryBytes) }, false),
    env: {
      ...commandEnvironment({ path: openPath(), home, temp: home }, options.env ?? []),
      [markName]: marker,
    },
    cwd: command.root,
    marker,
  };
}

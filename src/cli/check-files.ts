/** What tasks' files need of this machine: the `git` program, and a way to shut in the commands of agents. */
import { policyOf } from "../config/policy-rules.ts";
import type { Config } from "../config/schema.ts";
import { CrewError } from "../core/errors.ts";
import { hasWayOut, networkTool } from "../core/policy.ts";
import { createGit, gitVersion, leastGit } from "../files/git.ts";
import type { Sandbox } from "../files/port.ts";
import { openSandbox } from "../files/sandbox/sandbox.ts";
import { createLogger } from "../observe/log.ts";
import { failure, ok, warn, type Finding } from "./finding.ts";

export async function* checkFiles(config: Config): AsyncGenerator<Finding> {
  yield await gitFinding(config.files.git);
  yield await sandboxFinding(config);
}

async function gitFinding(program: string): Promise<Finding> {
  try {
    const version = await gitVersion(createGit(program));
    if (isAtLeast(version, leastGit)) return ok("git", `version ${version}`);
    return failure("git", new CrewError("GIT_TOO_OLD", { version, least: leastGit }));
  } catch (thrown) {
    return failure("git", thrown);
  }
}

function isAtLeast(version: string, least: string): boolean {
  return version.localeCompare(least, "en", { numeric: true }) >= 0;
}

/** Where there is none the bridge runs all the same, and refuses the commands. */
async function sandboxFinding(config: Config): Promise<Finding> {
  const { mode, seconds, memory_mib, processes, output_bytes } = config.sandbox;
  if (mode === "none") {
    const network = policyOf(config).some(({ tool }) => tool === networkTool);
    const unbound = network ? "; what the config says about the network does not bind them" : "";
    return warn("sandbox", `commands of agents run without any wall, because sandbox.mode is none${unbound}`);
  }
  try {
    const sandbox = await openSandbox({
      mode,
      network: hasWayOut(policyOf(config)),
      seconds,
      memoryBytes: memory_mib * 1024 * 1024,
      processes,
      outputBytes: output_bytes,
      hidden: [],
      log: createLogger({ level: "silent", format: "json" }),
    });
    if (sandbox.kind !== "none") return ok("sandbox", `commands of agents run in ${sandbox.kind}`);
    return warn("sandbox", `commands of agents are refused. ${await refusalOf(sandbox)}`);
  } catch (thrown) {
    return warn("sandbox", `commands of agents are refused. ${sentenceOf(thrown)}`);
  }
}

/** It says why when it is used. */
async function refusalOf(sandbox: Sandbox): Promise<string> {
  const { signal } = new AbortController();
  const command = { command: "true", root: process.cwd(), writable: false, readable: [], signal };
  return sandbox.run(command).then(() => "", sentenceOf);
}

function sentenceOf(thrown: unknown): string {
  const { sentence } = failure("sandbox", thrown);
  return sentence;
}

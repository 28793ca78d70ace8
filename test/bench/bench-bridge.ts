/** The bridge as operators run it: the built package, with the small young generation that `bin/crewroom.js` sets. */
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { BridgeProcess } from "../support/bridge-process.ts";
import type { Crew } from "../support/crew.ts";

const root = path.join(import.meta.dirname, "..", "..");
const env: NodeJS.ProcessEnv = { NODE_OPTIONS: "--max-semi-space-size=4" };

let built: Promise<unknown> | undefined;

export async function startBenchBridge(crew: Crew): Promise<BridgeProcess> {
  built ??= promisify(execFile)(process.execPath, [path.join(root, "scripts", "build.ts")]);
  await built;
  return BridgeProcess.start(crew, env, path.join(root, "dist", "main.js"));
}

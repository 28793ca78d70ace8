/** Before all tests: the Python environment with Synapse, once, so that no test waits for it. */
import { ensureSynapse } from "../../src/demo/venv.ts";

export default async function setup(): Promise<void> {
  await ensureSynapse({ progress: (line) => process.stderr.write(`${line}\n`) });
}

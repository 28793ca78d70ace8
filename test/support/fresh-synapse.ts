/** A Synapse of its own, for tests that stop it or configure it, and for the bench. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startSynapse, type Synapse, type SynapseOptions } from "../../src/demo/synapse.ts";

/** A Synapse on a folder of its own, which goes away with it. */
export async function freshSynapse(options: Partial<SynapseOptions> = {}): Promise<Synapse> {
  const directory = options.directory ?? (await mkdtemp(path.join(tmpdir(), "crewroom-synapse-")));
  const synapse = await startSynapse({
    ...options,
    directory,
    // The cheapest password hash: people of tests log in often.
    overrides: { bcrypt_rounds: 4, ...options.overrides },
  });
  const dispose = synapse[Symbol.asyncDispose].bind(synapse);
  return Object.assign(synapse, {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await dispose();
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  });
}

/** A localpart that nobody else has. */
export function uniqueName(start = "person"): string {
  return `${start}-${randomBytes(4).toString("hex")}`;
}

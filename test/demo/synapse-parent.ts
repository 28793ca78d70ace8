/** Starts a Synapse in the folder given and waits for its own end: the parent that a test kills. */
import { startSynapse } from "../../src/demo/synapse.ts";

const synapse = await startSynapse({ directory: process.argv[2] ?? "" });
process.stdout.write(`${synapse.port}\n`);

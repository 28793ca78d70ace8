/** `crewroom register` */
import { resolve } from "node:path";
import { loadConfig } from "../config/load.ts";
import { CrewError } from "../core/errors.ts";
import { readRegistration, writeRegistration } from "../matrix/registration-file.ts";
import { makeRegistration, type Registration } from "../matrix/registration.ts";
import { configFile, text, type Given } from "./given.ts";
import type { ExitCode, Terminal } from "./terminal.ts";

export async function register(given: Given, terminal: Terminal): Promise<ExitCode> {
  const { config } = await loadConfig(configFile(given), { env: terminal.env });
  const out = text(given, "out");
  const file = out === undefined ? config.appservice.registration : resolve(out);
  const force = given["force"] === true;
  const previous = force ? await previousAt(file) : undefined;
  await writeRegistration(file, await makeRegistration(config, previous), { force });

  terminal.out(`wrote ${file}`);
  if (file !== config.appservice.registration) {
    terminal.out(`Mind that the config names another: appservice.registration is ${config.appservice.registration}.`);
  }
  terminal.out("Next, in the homeserver.yaml of Synapse, and readable by Synapse's user:");
  terminal.out(`  app_service_config_files:\n    - ${file}`);
  terminal.out("Then restart Synapse and run `crewroom check`.");
  return 0;
}

/** What `--force` replaces. A file that cannot be used, such as the sample, has nothing worth keeping. */
async function previousAt(file: string): Promise<Registration | undefined> {
  try {
    return await readRegistration(file);
  } catch (thrown) {
    if (thrown instanceof CrewError && thrown.code === "REGISTRATION_INVALID") return undefined;
    throw thrown;
  }
}

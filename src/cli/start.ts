/** `crewroom start` */
import process from "node:process";
import { loadConfig } from "../config/load.ts";
import { refuseSamplePermissions } from "../config/placeholders.ts";
import { CrewError } from "../core/errors.ts";
import { refuseRegistration } from "../matrix/registration-check.ts";
import { readRegistration } from "../matrix/registration-file.ts";
import { createLogger } from "../observe/log.ts";
import { configFile, type Given } from "./given.ts";
import type { ExitCode, Terminal } from "./terminal.ts";

/** From the signal on; service managers wait longer than that before they kill. */
const stopMs = 10_000;

export async function start(given: Given, terminal: Terminal): Promise<ExitCode> {
  const { config } = await loadConfig(configFile(given), { env: terminal.env });
  refuseSamplePermissions(config);
  const registration = await readRegistration(config.appservice.registration);
  refuseRegistration(registration, config, config.appservice.registration);

  // From here on, so that a signal during a slow start ends the process in order as well.
  const signalled = nextSignal();
  const log = createLogger(config.logging);
  const { startBridge } = await import("../bridge.ts");
  const bridge = await startBridge({ config, registration, log });
  terminal.out("ready");

  const ending = await Promise.race([signalled, bridge.lost]);
  log.info({ reason: ending instanceof CrewError ? ending.code : ending }, "stopping");
  await bridge.stop();
  if (ending instanceof CrewError) throw ending;
  log.info({}, "stopped");
  return 0;
}

/** Resolves at the first SIGTERM or SIGINT. Whatever still runs 10 s later, or hangs about, is cut off. */
async function nextSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  process.on("SIGTERM", resolve);
  process.on("SIGINT", resolve);
  const signal = await promise;
  // Unset until the command has returned, which it does with 0 once all is stopped.
  setTimeout(() => process.exit(process.exitCode ?? 1), stopMs).unref();
  return signal;
}

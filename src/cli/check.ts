/** `crewroom check`: everything that can be known before (or while) the bridge runs. */
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { refuseSamplePermissions } from "../config/placeholders.ts";
import type { Config } from "../config/schema.ts";
import { asCrewError, CrewError, reasonOf } from "../core/errors.ts";
import { checkRegistration } from "../matrix/registration-check.ts";
import { readRegistration } from "../matrix/registration-file.ts";
import type { Registration } from "../matrix/registration.ts";
import { checkHomeserver } from "./check-homeserver.ts";
import { checkFiles } from "./check-files.ts";
import { checkPing } from "./check-ping.ts";
import { configFile, type Given } from "./given.ts";
import { failure, findingLine, ok, type Finding } from "./finding.ts";
import { HomeserverProbe } from "./homeserver-probe.ts";
import type { ExitCode, Terminal } from "./terminal.ts";

/** Exit code 1 when a finding is an error. */
export async function check(given: Given, terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = 0;
  for await (const finding of findings(configFile(given), terminal)) {
    terminal.out(findingLine(finding));
    if (finding.level === "error") code = 1;
  }
  return code;
}

async function* findings(file: string, terminal: Terminal): AsyncGenerator<Finding> {
  const loaded = await loadConfig(file, { env: terminal.env }).catch(asCrewError);
  if (loaded instanceof CrewError) {
    yield* configFailure(loaded);
    return;
  }
  const { config } = loaded;
  yield ok("config", `${loaded.file}: ${config.agents.length} agent(s), ${Object.keys(config.models).length} model(s)`);
  yield permissionsFinding(config);
  const registration = await readRegistration(config.appservice.registration).catch(asCrewError);
  if (registration instanceof CrewError) yield failure("registration", registration);
  else yield* registrationFindings(registration, loaded);
  yield await storeFinding(config.store);
  yield* checkFiles(config);

  const token = registration instanceof CrewError ? undefined : registration.as_token;
  const homeserver = new HomeserverProbe(config.homeserver.address, token);
  const told = await checkHomeserver(homeserver, config.homeserver.domain);
  yield* told;
  const known = told.every((finding) => finding.level !== "error");
  if (known && !(registration instanceof CrewError)) {
    yield await checkPing(homeserver, registration, config.appservice);
  }
}

/** Every problem of the config is a finding of its own. */
function* configFailure(error: CrewError): Generator<Finding> {
  if (error.code !== "CONFIG_INVALID") yield failure("config", error);
  else {
    for (const sentence of String(error.details["problems"]).split("\n"))
      yield { level: "error", topic: "config", sentence };
  }
}

function permissionsFinding(config: Config): Finding {
  try {
    refuseSamplePermissions(config);
  } catch (thrown) {
    return failure("permissions", thrown);
  }
  const granted = Object.entries(config.permissions);
  return granted.some(([, level]) => level === "admin")
    ? ok("permissions", granted.map(([actor, level]) => `${actor} ${level}`).join(", "))
    : { level: "warn", topic: "permissions", sentence: "nobody is admin; grant yourself admin under `permissions`" };
}

function* registrationFindings(registration: Registration, { config }: LoadedConfig): Generator<Finding> {
  const differences = checkRegistration(registration, config);
  if (differences.length === 0) yield ok("registration", `${config.appservice.registration} fits the config`);
  for (const { level, sentence } of differences) {
    yield {
      level,
      topic: "registration",
      sentence: `${sentence}; run \`crewroom register --force\`, then restart the homeserver`,
    };
  }
}

async function storeFinding(store: string): Promise<Finding> {
  try {
    const { openJournal } = await import("../journal/open.ts");
    await using journal = await openJournal(store);
    await journal.probe();
    return ok("store", "can be written and read");
  } catch (thrown) {
    // The usual case when a person checks a bridge that runs.
    if (thrown instanceof CrewError && thrown.code === "STORE_LOCKED")
      return ok("store", `in use: ${reasonOf(thrown)}`);
    return failure("store", thrown);
  }
}

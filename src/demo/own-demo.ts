/** The demo's crew on a homeserver that the person already has. Nothing is played: the agents serve until Ctrl-C. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parse, stringify } from "yaml";
import { loadConfig } from "../config/load.ts";
import { withOverrides } from "../config/overrides.ts";
import { CrewError } from "../core/errors.ts";
import { agentUserId, asUserId, serverOf } from "../core/ids.ts";
import { makeRegistration, type Registration } from "../matrix/registration.ts";
import { readRegistration, writeRegistration } from "../matrix/registration-file.ts";
import { packagePath } from "../package.ts";
import { cacheDirectory } from "./cache.ts";
import { callApi } from "./client-api.ts";
import { openDemoBridge } from "./demo-bridge.ts";
import { openDemoModel } from "./demo-model.ts";
import { findDemoSandbox } from "./demo-sandbox.ts";
import { lockDemo, openDemoState } from "./demo-state.ts";
import { aborted } from "./interrupt.ts";
import { poll } from "./poll.ts";
import { wrapped } from "./transcript.ts";

export interface OwnDemoOptions {
  /** Address of the client-server API. */
  readonly homeserver: string;
  /** The person's own account, which gets the permission `admin`. */
  readonly person: string;
  readonly say: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Default: `demo-own` in the cache. */
  readonly directory?: string;
}

const askEveryMs = 2_000;
const tellEveryAsks = 15;

/** Resolves when the signal aborts. Rejects with `COMMAND_INVALID` for a person who is none. */
export async function runOwnDemo(options: OwnDemoOptions): Promise<never> {
  const { homeserver, say, env, signal } = options;
  const person = asUserId(options.person);
  if (person === undefined) {
    throw new CrewError("COMMAND_INVALID", {
      reason: `--person needs your Matrix id, like @you:example.org, not ${options.person}.`,
    });
  }
  const domain = serverOf(person);
  const directory = options.directory ?? path.join(cacheDirectory(env), "demo-own");
  await mkdir(directory, { recursive: true });
  using _lock = await lockDemo(directory);
  await using parts = new AsyncDisposableStack();

  const state = await openDemoState(directory);
  const model = parts.use(await openDemoModel(env));
  const sandbox = await findDemoSandbox(model.scripted);
  const address = `http://127.0.0.1:${state.bridgePort}`;
  const registrationFile = path.join(directory, "registration.yaml");
  const registration = await keepRegistration(registrationFile, domain, address);
  const configFile = path.join(directory, "crewroom.yaml");
  await writeConfig(configFile, {
    homeserver: { address: homeserver, domain },
    appservice: { address, hostname: "127.0.0.1", port: state.bridgePort, registration: "registration.yaml" },
    permissions: { "@you:localhost": null, [person]: "admin" },
  });

  say(`The registration is ${registrationFile}. In the homeserver.yaml of ${domain}:`);
  say("");
  say("  app_service_config_files:");
  say(`    - ${registrationFile}`);
  say("");
  say(`The homeserver's user must be able to read that file, and reach ${address} (so it runs on this machine).`);
  say("Then restart the homeserver. Waiting for it to know Crewroom; Ctrl-C ends the wait.");
  await untilKnown(homeserver, registration.as_token, say, signal);

  const overrides = { models: { default: model.config }, sandbox: sandbox.config };
  const { config } = await loadConfig(configFile, { env, overrides });
  const logFile = path.join(directory, "crewroom.log");
  const policy = [...config.policy, ...sandbox.policy];
  parts.use(await openDemoBridge({ ...config, policy }, registration, logFile));
  say("");
  for (const told of [model.told, ...(sandbox.told === undefined ? [] : [sandbox.told])])
    for (const line of wrapped(told, process.stdout.columns ?? 100)) say(line);
  say(`The crew serves. As ${person}, start a chat in Element with one of them, or invite them to a room:`);
  for (const { id, name } of config.agents) say(`  ${name.padEnd(8)} ${agentUserId(id, domain)}`);
  say(`For a task, say \`!crew new\` and what you want in #crewroom-hq:${domain}, where you are invited.`);
  say(`The bridge writes its log to ${logFile}. Ctrl-C ends the demo.`);
  await aborted(signal);
  throw signal.reason;
}

/** The one that the homeserver may know already, unless the address in it is no longer ours. */
async function keepRegistration(file: string, domain: string, address: string): Promise<Registration> {
  const old = await readRegistration(file).catch(() => undefined);
  if (old?.url === address && old.namespaces.users.some(({ regex }) => new RegExp(regex).test(`@crewroom:${domain}`)))
    return old;
  const registration = await makeRegistration({ homeserver: { domain }, appservice: { address } });
  await writeRegistration(file, registration, { force: true });
  return registration;
}

/** With the model of `config/demo.yaml`, which the demo replaces when it runs: no key comes into this file. */
async function writeConfig(file: string, overrides: Parameters<typeof withOverrides>[1]): Promise<void> {
  const crew: unknown = parse(await readFile(packagePath("config/demo.yaml"), "utf8"));
  await writeFile(file, stringify(withOverrides(crew, overrides)));
}

async function untilKnown(
  homeserver: string,
  token: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let asks = 0;
  await poll(
    async (signal) => {
      try {
        await callApi(homeserver, { method: "GET", path: "/_matrix/client/v3/account/whoami", token, signal });
        return true;
      } catch (error) {
        if (!(error instanceof CrewError)) throw error;
        // Any other refusal means that the token was recognised.
        if (error.code === "HOMESERVER_REFUSED" && error.details["errcode"] !== "M_UNKNOWN_TOKEN") return true;
        if (asks++ % tellEveryAsks === 0)
          say(error.code === "HOMESERVER_REFUSED" ? "The homeserver does not know it yet." : error.message);
        return undefined;
      }
    },
    { everyMs: askEveryMs, signal },
  );
}

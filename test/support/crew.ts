/** A crew for tests: its config in a folder of its own, and its registration made by the command line. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { withOverrides, type Overrides } from "../../src/config/overrides.ts";
import { agentUserId, asAgentId, botUserId } from "../../src/core/ids.ts";
import { freePort } from "../../src/demo/ports.ts";

export const mainFile = path.join(import.meta.dirname, "..", "..", "src", "main.ts");

export interface CrewOptions {
  /** Config, registration, store and data are kept here. */
  readonly directory: string;
  /** The homeserver, which need not run yet. */
  readonly homeserver: { readonly url: string; readonly serverName: string };
  /** Address of an OpenAI API, as a rehearsal server gives it. */
  readonly modelUrl: string;
  /** Ids, or the config's entries. Default: ada, bo, cleo. */
  readonly agents?: readonly (string | AgentEntry)[];
  /** Default: everybody of the homeserver may talk, `@boss:…` is admin. */
  readonly permissions?: Readonly<Record<string, string>>;
  /** Merged over the config, e.g. `{ limits: { breaker_hops: 3 } }`. */
  readonly config?: Overrides;
}

export interface AgentEntry {
  readonly id: string;
  readonly [key: string]: unknown;
}

export interface Crew {
  readonly directory: string;
  readonly configFile: string;
  readonly registrationFile: string;
  /** `http://127.0.0.1:port` of the bridge. */
  readonly address: string;
  /** The Matrix user of the bridge's bot. */
  readonly bot: string;
  /** The Matrix user of an agent. */
  agent(id: string): string;
}

/** Writes `crewroom.yaml` and runs `crewroom register`, before the homeserver starts: it reads registrations once. */
export async function writeCrew(options: CrewOptions): Promise<Crew> {
  const { directory, homeserver } = options;
  const domain = homeserver.serverName;
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const config = {
    homeserver: { address: homeserver.url, domain },
    appservice: { address, hostname: "127.0.0.1", port, registration: "registration.yaml" },
    store: "sqlite:crewroom.db",
    data: "data",
    permissions: options.permissions ?? { [domain]: "talk", [`@boss:${domain}`]: "admin" },
    models: { default: { base_url: options.modelUrl, model: "rehearsal" } },
    agents: (options.agents ?? ["ada", "bo", "cleo"]).map((agent) =>
      typeof agent === "string" ? namedAgent(agent) : agent,
    ),
    logging: { level: "info", format: "json" },
  };
  await mkdir(directory, { recursive: true });
  const configFile = path.join(directory, "crewroom.yaml");
  await writeFile(configFile, stringify(withOverrides(config, options.config ?? {})));
  await promisify(execFile)(process.execPath, [mainFile, "register", "--config", configFile]);
  return {
    directory,
    configFile,
    registrationFile: path.join(directory, "registration.yaml"),
    address,
    bot: botUserId(domain),
    agent: (id) => {
      const agent = asAgentId(id);
      if (agent === undefined) throw new Error(`${id} is no agent's id`);
      return agentUserId(agent, domain);
    },
  };
}

function namedAgent(id: string): AgentEntry {
  return { id, name: `${id.slice(0, 1).toUpperCase()}${id.slice(1)}` };
}

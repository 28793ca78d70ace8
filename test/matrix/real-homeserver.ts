/** A real Synapse that knows our application service, and ours on it: the bot, Ada and Bo. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../../src/demo/ports.ts";
import type { Synapse, SynapseOptions } from "../../src/demo/synapse.ts";
import type { Facts } from "../../src/matrix/facts.ts";
import { createGhosts } from "../../src/matrix/ghosts.ts";
import { createHomeserver, type Homeserver } from "../../src/matrix/homeserver.ts";
import { OwnUsers } from "../../src/matrix/own-users.ts";
import { createReads, type Reads } from "../../src/matrix/reads.ts";
import { makeRegistration } from "../../src/matrix/registration.ts";
import { registrationText } from "../../src/matrix/registration-file.ts";
import { createLogger } from "../../src/observe/log.ts";
import { freshSynapse } from "../support/fresh-synapse.ts";
import { user } from "./ids.ts";

export const log = createLogger({ level: "silent", format: "json" });
export const bot = user("@crewroom:localhost");
export const ada = user("@agent_ada:localhost");
export const bo = user("@agent_bo:localhost");

/** Facts that outlive what uses them, as in a store. */
export function facts(): Facts {
  const kept = new Map<string, unknown>();
  return {
    get: async (name) => kept.get(name),
    set: async (name, value) => void kept.set(name, structuredClone(value)),
  };
}

export interface RealHomeserver extends AsyncDisposable {
  readonly synapse: Synapse;
  readonly homeserver: Homeserver;
  readonly reads: Reads;
  readonly users: OwnUsers;
  /** The same homeserver over another way there. */
  over(way: typeof fetch): Homeserver;
}

export async function realHomeserver(overrides: SynapseOptions["overrides"] = {}): Promise<RealHomeserver> {
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-real-"));
  const registration = await makeRegistration({
    homeserver: { domain: "localhost" },
    appservice: { address: `http://127.0.0.1:${await freePort()}` },
  });
  const file = path.join(directory, "registration.yaml");
  await writeFile(file, registrationText(registration));
  const synapse = await freshSynapse({ registrations: [file], overrides });
  const access = { address: synapse.url, asToken: registration.as_token };
  const over = (way: typeof fetch): Homeserver =>
    createHomeserver({ ...access, domain: "localhost", timeoutMs: 20_000, fetch: way });
  const homeserver = over(fetch);
  const profiles = [
    { user: bot, name: "Crewroom" },
    { user: ada, name: "Ada" },
    { user: bo, name: "Bo" },
  ];
  const users = new OwnUsers(profiles, createGhosts({ homeserver, log, meta: facts() }));
  for (const one of users.all()) await users.ensure(one);
  return {
    synapse,
    homeserver,
    reads: createReads({ ...access, bot }),
    users,
    over,
    [Symbol.asyncDispose]: async () => {
      await synapse[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

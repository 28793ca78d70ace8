/**
 * Everything that a conversation needs, all of it real: a Synapse that knows the bridge, a rehearsal server in place of a
 * model, the bridge in a process of its own, and people.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../../src/demo/ports.ts";
import type { Synapse, SynapseOptions } from "../../src/demo/synapse.ts";
import { type RehearsalServer, startRehearsal } from "../../src/models/rehearsal/server.ts";
import type { RehearsalInput } from "../../src/models/rehearsal/script.ts";
import { BridgeProcess } from "./bridge-process.ts";
import { type Crew, type CrewOptions, writeCrew } from "./crew.ts";
import { type AwayHost, startFederation } from "./federation.ts";
import { freshSynapse } from "./fresh-synapse.ts";
import { Person, type PersonOptions } from "./person.ts";

export interface StageOptions extends Pick<CrewOptions, "agents" | "config"> {
  /** Gets the homeservers' names. Default: everybody of the home server may talk, `@boss:…` is admin. */
  readonly permissions?: (home: string, away: string | undefined) => Readonly<Record<string, string>>;
  /** Rules played before {@link repeat}. */
  readonly script?: RehearsalInput["rules"];
  /** Keys of homeserver.yaml. */
  readonly homeserver?: SynapseOptions["overrides"];
  /** Whether there is a second homeserver. Default: no. */
  readonly federated?: boolean;
  /** What the second homeserver is called, before its port. Default: `localhost`, as the first. */
  readonly awayHost?: AwayHost;
  /** Whether the bridge is started. Default: yes; otherwise with `BridgeProcess.start(stage.crew)`. */
  readonly start?: boolean;
}

export interface Stage extends AsyncDisposable {
  readonly synapse: Synapse;
  /** The second homeserver, when `federated`. */
  readonly away: Synapse | undefined;
  readonly crew: Crew;
  readonly rehearsal: RehearsalServer;
  /** Throws when it was not started. */
  readonly bridge: BridgeProcess;
  /** Logs somebody in, on `synapse` unless another is given. They leave with the stage. */
  person(name: string, options?: PersonOptions & { readonly on?: Synapse }): Promise<Person>;
}

/** What an agent answers where the script has nothing for it. */
export const repeat: RehearsalInput["rules"][number] = { answer: { text: "{agent} heard: {last}" } };

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-stage-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const rehearsal = opened.use(await startRehearsal({ scripts: [{ rules: [...(options.script ?? []), repeat] }] }));

  let crew: Crew | undefined;
  const prepare = async (
    place: { readonly serverName: string; readonly port: number },
    away?: string,
  ): Promise<Pick<SynapseOptions, "registrations" | "overrides">> => {
    crew = await writeCrew({
      directory: path.join(directory, "bridge"),
      homeserver: { url: `http://127.0.0.1:${place.port}`, serverName: place.serverName },
      modelUrl: rehearsal.url,
      ...(options.agents && { agents: options.agents }),
      ...(options.config && { config: options.config }),
      ...(options.permissions && { permissions: options.permissions(place.serverName, away) }),
    });
    return { registrations: [crew.registrationFile], ...(options.homeserver && { overrides: options.homeserver }) };
  };

  let synapse: Synapse;
  let away: Synapse | undefined;
  if (options.federated === true) {
    const pair = opened.use(await startFederation(prepare, options.awayHost));
    ({ home: synapse, away } = pair);
  } else {
    const place = { serverName: "localhost", port: await freePort() };
    synapse = opened.use(await freshSynapse({ ...place, ...(await prepare(place)) }));
  }
  if (crew === undefined) throw new Error("The crew was not written");

  const bridge = options.start === false ? undefined : opened.use(await BridgeProcess.start(crew));
  const resources = opened.move();
  return {
    synapse,
    away,
    crew,
    rehearsal,
    get bridge(): BridgeProcess {
      if (bridge === undefined) throw new Error("This stage has no bridge: it was opened with start: false");
      return bridge;
    },
    async person(name, { on = synapse, ...person } = {}) {
      return resources.use(await Person.login(on, name, person));
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Two real Synapses that federate over TLS on loopback. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../../src/demo/ports.ts";
import type { Synapse, SynapseOptions } from "../../src/demo/synapse.ts";
import { freshSynapse } from "./fresh-synapse.ts";
import { type Certificates, writeCertificates } from "./test-ca.ts";

export interface FederationPair extends AsyncDisposable {
  readonly home: Synapse;
  readonly away: Synapse;
}

/** Server ACLs know no ports: for them the two need names that differ before it. */
export type AwayHost = "localhost" | "127.0.0.1";

type Side = Pick<SynapseOptions, "registrations" | "overrides">;

/** What the home side needs to know before it starts: a registration may name its server. */
export interface Place {
  readonly serverName: string;
  /** Port of the client-server API. */
  readonly port: number;
}

/**
 * `home` gets the options made by `prepare`, e.g. a bridge's registration. Server names are `localhost:port`, that of
 * `away` with `awayHost` in it; `prepare` hears both.
 */
export async function startFederation(
  prepare?: (home: Place, away: string) => Promise<Side>,
  awayHost: AwayHost = "localhost",
): Promise<FederationPair> {
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-federation-"));
  await using started = new AsyncDisposableStack();
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const certificates = await writeCertificates(directory);
  const start = async (name: string, place: FederationPlace, side: Side): Promise<Synapse> => {
    const synapse = await freshSynapse({
      ...side,
      serverName: place.serverName,
      port: place.port,
      directory: path.join(directory, name),
      listeners: [{ port: place.federationPort, tls: true, resources: ["federation"] }],
      overrides: { ...federating(certificates), ...side.overrides },
    });
    return started.use(synapse);
  };
  const [homePlace, awayPlace] = [await findPlace("localhost"), await findPlace(awayHost)];
  const home = await start("home", homePlace, (await prepare?.(homePlace, awayPlace.serverName)) ?? {});
  const away = await start("away", awayPlace, {});
  const all = started.move();
  return { home, away, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

interface FederationPlace extends Place {
  readonly federationPort: number;
}

async function findPlace(host: AwayHost): Promise<FederationPlace> {
  const federationPort = await freePort();
  return { serverName: `${host}:${federationPort}`, federationPort, port: await freePort() };
}

function federating(certificates: Certificates): Readonly<Record<string, unknown>> {
  return {
    tls_certificate_path: certificates.certificate,
    tls_private_key_path: certificates.key,
    federation_custom_ca_list: [certificates.ca],
    // Both default to refusing loopback.
    ip_range_blacklist: [],
    federation_ip_range_blacklist: [],
    // A server that was restarted is asked again at once, not after minutes.
    federation: { destination_min_retry_interval: "1s", destination_max_retry_interval: "1s" },
  };
}

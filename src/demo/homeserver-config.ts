/** The files that a loopback Synapse needs: homeserver.yaml, its log config, its signing key. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { stringify } from "yaml";
import { z } from "zod";

/** One entry of homeserver.yaml's `listeners`. */
export interface Listener {
  readonly port: number;
  readonly tls?: boolean;
  readonly resources: readonly ("client" | "federation")[];
}

export interface HomeserverConfig {
  /** Everything of this Synapse is kept here: configuration, database, media, logs. */
  readonly directory: string;
  readonly serverName: string;
  /** The port of the client-server API on 127.0.0.1. */
  readonly port: number;
  /** Absolute paths of application service registrations. */
  readonly registrations: readonly string[];
  /** Listeners beside the one for clients. */
  readonly listeners: readonly Listener[];
  /** Keys of homeserver.yaml that replace the ones made here. */
  readonly overrides: Readonly<Record<string, unknown>>;
}

/** What must stay the same for as long as the database lives. */
const keptSchema = z.object({
  registrationSharedSecret: z.string(),
  macaroonSecretKey: z.string(),
  formSecret: z.string(),
  /** The last port used, so that a client finds the homeserver again. */
  port: z.number(),
});
export type Kept = z.infer<typeof keptSchema>;

/** What an earlier run left in the folder, or `undefined` for a new folder. */
export async function readKept(directory: string): Promise<Kept | undefined> {
  const text = await readFile(path.join(directory, "kept.json"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : keptSchema.parse(JSON.parse(text));
}

/** Writes all files; keeps the secrets and the signing key of an earlier run. Gives the shared secret of registration. */
export async function writeHomeserverConfig(config: HomeserverConfig): Promise<Kept> {
  const { directory, port } = config;
  await mkdir(path.join(directory, "media_store"), { recursive: true });
  const kept: Kept = { ...((await readKept(directory)) ?? newSecrets()), port };
  const secretFile = { mode: 0o600 };
  await writeFile(path.join(directory, "kept.json"), JSON.stringify(kept), secretFile);
  await writeFile(path.join(directory, "signing.key"), signingKey(), { ...secretFile, flag: "wx" }).catch(
    ignoreExisting,
  );
  await writeFile(path.join(directory, "log.yaml"), stringify(logConfig(directory)));
  await writeFile(path.join(directory, "homeserver.yaml"), stringify(homeserverYaml(config, kept)), secretFile);
  return kept;
}

function newSecrets(): Omit<Kept, "port"> {
  const secret = (): string => randomBytes(32).toString("hex");
  return { registrationSharedSecret: secret(), macaroonSecretKey: secret(), formSecret: secret() };
}

/** The file format of Synapse's signing keys: algorithm, version, unpadded base64 of the seed. */
function signingKey(): string {
  return `ed25519 a_${randomBytes(2).toString("hex")} ${randomBytes(32).toString("base64").replaceAll("=", "")}\n`;
}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
}

function homeserverYaml(config: HomeserverConfig, kept: Kept): Record<string, unknown> {
  const { directory, port } = config;
  const file = (name: string): string => path.join(directory, name);
  return {
    server_name: config.serverName,
    public_baseurl: `http://localhost:${port}/`,
    pid_file: file("homeserver.pid"),
    listeners: [{ port, resources: ["client"] as const }, ...config.listeners].map(listenerYaml),
    database: { name: "sqlite3", args: { database: file("homeserver.db") } },
    media_store_path: file("media_store"),
    signing_key_path: file("signing.key"),
    log_config: file("log.yaml"),
    registration_shared_secret: kept.registrationSharedSecret,
    macaroon_secret_key: kept.macaroonSecretKey,
    form_secret: kept.formSecret,
    app_service_config_files: config.registrations,
    // Nothing leaves this machine: no key server is asked, no statistics are reported.
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    report_stats: false,
    enable_registration: false,
    ...rateLimits,
    ...config.overrides,
  };
}

function listenerYaml(listener: Listener): Record<string, unknown> {
  return {
    port: listener.port,
    type: "http",
    tls: listener.tls ?? false,
    bind_addresses: ["127.0.0.1"],
    resources: [{ names: listener.resources, compress: false }],
  };
}

// Application services are exempt from limits, but people are not: they may send 0.2 messages a second by default, which
// is not what a demo or a test is about.
const free = { per_second: 10_000, burst_count: 10_000 };
const rateLimits = {
  rc_message: free,
  rc_registration: free,
  rc_login: { address: free, account: free, failed_attempts: free },
  rc_joins: { local: free, remote: free },
  rc_joins_per_room: free,
  rc_invites: { per_room: free, per_user: free, per_issuer: free },
  rc_room_creation: free,
  rc_media_create: free,
  rc_presence: { per_user: free },
  rc_profile: free,
  rc_user_directory: free,
  rc_federation: { window_size: 1000, sleep_limit: 10_000, sleep_delay: 1, reject_limit: 10_000, concurrent: 100 },
};

function logConfig(directory: string): Record<string, unknown> {
  return {
    version: 1,
    formatters: { line: { format: "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s" } },
    handlers: {
      file: {
        class: "logging.handlers.RotatingFileHandler",
        formatter: "line",
        filename: path.join(directory, "homeserver.log"),
        maxBytes: 20_000_000,
        backupCount: 1,
        encoding: "utf8",
      },
    },
    root: { level: "INFO", handlers: ["file"] },
    disable_existing_loggers: false,
  };
}

/**
 * A real Synapse on loopback, for the demo and the tests.
 *
 * ```
 *             start()                      stop(), kill()
 *   stopped ──────────▶ running ◀─────▶ suspended ─────────▶ stopped
 *      ▲                   │      suspend(), resume()
 *      └── ends by itself ─┘  (onCrash is told)
 * ```
 */
import path from "node:path";
import { CrewError } from "../core/errors.ts";
import { type Account, type NewAccount, registerWithSecret } from "./accounts.ts";
import { type Listener, readKept, writeHomeserverConfig } from "./homeserver-config.ts";
import { freePort, isPortFree } from "./ports.ts";
import { complaintOf, launch, type Run, untilHealthy } from "./synapse-process.ts";
import { ensureSynapse } from "./venv.ts";

export interface SynapseOptions {
  /** Everything is kept here; an old folder goes on where it stopped. */
  readonly directory: string;
  /** Default: `localhost`. It cannot change on an old folder. */
  readonly serverName?: string;
  /** Port of the client-server API. Default: the folder's last one when it is free, else any free one. */
  readonly port?: number;
  /** Paths of application service registrations. */
  readonly registrations?: readonly string[];
  /** Listeners beside the one for clients, for federation. */
  readonly listeners?: readonly Listener[];
  /** Keys of homeserver.yaml that replace the ones made here, e.g. `{ default_room_version: "12" }`. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Told when Synapse ends without having been asked to. */
  readonly onCrash?: (error: CrewError) => void;
  /** Told one line per step that takes long. */
  readonly progress?: (line: string) => void;
  /** Aborts the start, not the running Synapse. */
  readonly signal?: AbortSignal;
}

export interface Synapse extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  readonly serverName: string;
  readonly directory: string;
  readonly logFile: string;
  /** Of the running process, or `undefined` while stopped. */
  readonly pid: number | undefined;
  /** SIGTERM, and SIGKILL after 15 s. Resolves when the process has ended. */
  stop(): Promise<void>;
  /** SIGKILL, as in a power cut. Resolves when the process has ended. */
  kill(): Promise<void>;
  /** Starts a stopped Synapse again, on the same port and data. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  suspend(): void;
  /** SIGCONT */
  resume(): void;
  /** Makes an account through the shared-secret API. Rejects with `HOMESERVER_REFUSED` when the name is taken. */
  registerUser(name: string, password: string, options?: NewAccount): Promise<Account>;
}

const attempts = 4;

/**
 * Starts a Synapse and resolves when it serves. Rejects with `PYTHON_MISSING` or `SYNAPSE_FAILED`.
 */
export async function startSynapse(options: SynapseOptions): Promise<Synapse> {
  const { signal, progress } = options;
  const python = await ensureSynapse({ ...(signal && { signal }), ...(progress && { progress }) });
  const directory = path.resolve(options.directory);
  let port = options.port ?? (await freePort((await readKept(directory))?.port));
  for (let attempt = 1; ; attempt++) {
    const synapse = await LocalSynapse.create(python, directory, port, options);
    try {
      await synapse.start(signal);
      return synapse;
    } catch (error) {
      // Between the choice of a port and its use, another program may take it.
      const taken = error instanceof CrewError && /port \d+ is in use already/.test(error.message);
      if (!taken || options.port !== undefined || attempt === attempts) throw error;
      port = await freePort();
    }
  }
}

class LocalSynapse implements Synapse {
  readonly url: string;
  readonly port: number;
  readonly serverName: string;
  readonly directory: string;
  readonly #python: string;
  readonly #secret: string;
  readonly #onCrash: ((error: CrewError) => void) | undefined;
  #run: Run | undefined;

  private constructor(python: string, directory: string, port: number, secret: string, options: SynapseOptions) {
    this.#python = python;
    this.directory = directory;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.serverName = options.serverName ?? "localhost";
    this.#secret = secret;
    this.#onCrash = options.onCrash;
  }

  static async create(python: string, directory: string, port: number, options: SynapseOptions): Promise<LocalSynapse> {
    const kept = await writeHomeserverConfig({
      directory,
      port,
      serverName: options.serverName ?? "localhost",
      registrations: (options.registrations ?? []).map((file) => path.resolve(file)),
      listeners: options.listeners ?? [],
      overrides: options.overrides ?? {},
    });
    return new LocalSynapse(python, directory, port, kept.registrationSharedSecret, options);
  }

  get pid(): number | undefined {
    return this.#run?.pid;
  }

  get logFile(): string {
    return path.join(this.directory, "homeserver.log");
  }

  async start(signal: AbortSignal = new AbortController().signal): Promise<void> {
    if (this.#run !== undefined) return;
    // Otherwise the health of whoever has the port would be taken for ours.
    if (!(await isPortFree(this.port))) throw this.#failure(`port ${this.port} is in use already`);
    const run = await launch(this.#python, this.directory);
    if (run === undefined) throw this.#failure(`${this.#python} cannot be started`);
    this.#run = run;
    let complaint: string | undefined;
    try {
      complaint = await untilHealthy(run, this.url, signal);
    } catch (error) {
      await this.kill();
      throw error;
    }
    if (complaint !== undefined) {
      await this.kill();
      throw this.#failure(`${complaint}: ${await complaintOf(this.directory)}`);
    }
    void this.#watch(run);
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  suspend(): void {
    this.#run?.child.kill("SIGSTOP");
  }

  resume(): void {
    this.#run?.child.kill("SIGCONT");
  }

  registerUser(name: string, password: string, options: NewAccount = {}): Promise<Account> {
    return registerWithSecret(this.url, this.#secret, name, password, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    run.child.kill(signal);
    // A suspended process takes SIGTERM only once it goes on.
    run.child.kill("SIGCONT");
    const patience = setTimeout(() => run.child.kill("SIGKILL"), 15_000);
    await run.ended;
    clearTimeout(patience);
    run.child.stdin?.destroy();
  }

  async #watch(run: Run): Promise<void> {
    const how = await run.ended;
    if (this.#run !== run) return;
    this.#run = undefined;
    this.#onCrash?.(new CrewError("SYNAPSE_ENDED", { reason: how, log: this.logFile }));
  }

  #failure(reason: string): CrewError {
    return new CrewError("SYNAPSE_FAILED", { reason, log: this.logFile });
  }
}

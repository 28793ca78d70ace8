/** A folder with a config, and a terminal that keeps what commands print. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { runCommandLine } from "../../src/cli/run.ts";

export class Desk implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  static async open(): Promise<Desk> {
    return new Desk(await mkdtemp(join(tmpdir(), "crewroom-cli-")), await freePort());
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async config(changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const config = {
      homeserver: { address: "http://127.0.0.1:9", domain: "crew.test" },
      appservice: { address: `http://127.0.0.1:${this.port}`, port: this.port },
      permissions: { "@sam:crew.test": "admin" },
      models: { default: { base_url: "http://127.0.0.1:9/v1", model: "m" } },
      agents: [{ id: "ada" }],
      ...changes,
    };
    await writeFile(this.path("crewroom.yaml"), stringify(config));
  }

  /** Runs a command on this desk's config. */
  async run(command: string, ...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
    return runQuietly([command, "--config", this.path("crewroom.yaml"), ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

export async function runQuietly(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string[]; err: string[] }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommandLine(args, {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    env,
  });
  return { code, out, err };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const closed = once(server, "close");
  server.close();
  await closed;
  return port;
}

/** A Redis server for tests, durable as the journal needs it. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { end, findProgram, freePort, run, untilSaid } from "./server.ts";

const program = findProgram("redis-server");
const cli = findProgram("redis-cli");

/** Why no server can be started here, for the name of a skipped test. */
export const redisMissing =
  program === undefined || cli === undefined ? "no redis-server and redis-cli in PATH" : undefined;

const databases = 100;

export interface TestRedis extends AsyncDisposable {
  /** Gives the URL of an empty database. */
  database(): Promise<string>;
  /** Runs one command in the database at `url`. */
  command(url: string, ...args: string[]): Promise<string>;
}

export async function startRedis(): Promise<TestRedis> {
  if (program === undefined || cli === undefined) throw new Error(redisMissing);
  const folder = mkdtempSync(join(tmpdir(), "crewroom-redis-"));
  const port = await freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const durable = ["--appendonly", "yes", "--appendfsync", "always", "--databases", String(databases)];
  const server = spawn(program, [...options, ...durable], { stdio: ["ignore", "pipe", "ignore"] });
  await untilSaid(server, server.stdout, "Ready to accept connections");

  let count = 0;
  return {
    database: async () => `redis://127.0.0.1:${port}/${count++ % databases}`,
    command: (url, ...args) => run(cli, ["-u", url, ...args]),
    [Symbol.asyncDispose]: async () => {
      await end(server, "SIGKILL");
      rmSync(folder, { recursive: true });
    },
  };
}

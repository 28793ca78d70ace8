/** A PostgreSQL server for tests. */
import { spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { end, findProgram, freePort, run, unprivileged, untilSaid } from "./server.ts";

const debian = "/usr/lib/postgresql";
const folders = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : [];
const initdb = findProgram("initdb", folders);

/** Why no server can be started here, for the name of a skipped test. */
export const postgresMissing = initdb === undefined ? "no initdb in PATH or /usr/lib/postgresql" : undefined;

export interface TestPostgres extends AsyncDisposable {
  /** Makes an empty database and gives its URL. */
  database(): Promise<string>;
  /** Runs SQL in the database at `url`. */
  sql(url: string, text: string): Promise<string>;
}

export async function startPostgres(): Promise<TestPostgres> {
  if (initdb === undefined) throw new Error(postgresMissing);
  const program = (name: string): string => join(dirname(initdb), name);
  const user = unprivileged();
  const folder = mkdtempSync(join(tmpdir(), "crewroom-postgres-"));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  await run(initdb, ["-D", data, "-U", "crewroom", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], user);
  const port = await freePort();
  const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", `port=${port}`];
  const server = spawn(program("postgres"), ["-D", data, ...settings.flatMap((setting) => ["-c", setting])], {
    ...user,
    cwd: "/",
    stdio: ["ignore", "ignore", "pipe"],
  });
  await untilSaid(server, server.stderr, "ready to accept connections");

  const address = `postgres://crewroom@127.0.0.1:${port}`;
  const sql = (url: string, text: string): Promise<string> => run(program("psql"), ["-X", "-At", "-c", text, url]);
  let count = 0;
  return {
    database: async () => {
      const name = `test_${++count}`;
      await sql(`${address}/postgres`, `CREATE DATABASE ${name}`);
      return `${address}/${name}`;
    },
    sql,
    [Symbol.asyncDispose]: async () => {
      await end(server, "SIGQUIT");
      rmSync(folder, { recursive: true });
    },
  };
}

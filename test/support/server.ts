/** What the starters of real servers for tests share. Every server listens on a free loopback port, in a folder of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** The full path of a program in PATH or one of `folders`. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  return [...folders, ...(process.env["PATH"] ?? "").split(delimiter)]
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A port that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** An unprivileged user for servers that refuse root; nothing when this process is not root. */
export function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const rows = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((row) => row.split(":"));
  const row = rows.find(([name]) => name === "postgres") ?? rows.find(([name]) => name === "nobody");
  return row === undefined ? undefined : { uid: Number(row[2]), gid: Number(row[3]) };
}

/** Runs a program to its end; rejects with its output when it fails. */
export async function run(
  program: string,
  args: readonly string[],
  user?: { uid: number; gid: number },
): Promise<string> {
  const child = spawn(program, args, { ...user, cwd: "/", stdio: ["ignore", "pipe", "pipe"] });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${said.join("")}`);
  return said.join("");
}

/** Resolves when the server says `line`; rejects with what it said when it ends before. Reads on, so that it never blocks. */
export async function untilSaid(child: ChildProcess, stream: Readable, line: string): Promise<void> {
  const said: string[] = [];
  const ended = once(child, "close").then(() => {
    throw new Error(`The server ended before "${line}": ${said.join("\n")}`);
  });
  const heard = new Promise<void>((resolve) => {
    createInterface({ input: stream }).on("line", (text) => {
      said.push(text);
      if (text.includes(line)) resolve();
    });
  });
  ended.catch(() => undefined);
  await Promise.race([heard, ended]);
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

/** The programs that the bridge is compared with, each in a process of its own, as the bridge is. */
import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

export interface Child extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
}

/** Starts a program of this folder with one JSON argument. It tells its port when it serves, and ends with its parent. */
export async function startChild(file: string, argument: unknown): Promise<Child> {
  const child = fork(path.join(import.meta.dirname, file), [JSON.stringify(argument)], { execArgv: [] });
  const ended = once(child, "exit");
  const told: unknown = await Promise.race([
    once(child, "message").then(([port]: unknown[]) => port),
    ended.then(([code]: unknown[]) => {
      throw new Error(`${file} ended with ${String(code)} before it served`);
    }),
  ]);
  if (typeof told !== "number" || child.pid === undefined) throw new Error(`${file} did not tell its port`);
  return {
    pid: child.pid,
    port: told,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await ended;
    },
  };
}

/** Called in such a program. */
export function tellPort(port: number): void {
  process.on("disconnect", () => process.exit());
  process.send?.(port);
}

/** The JSON argument, in such a program. */
export function argument(): unknown {
  return JSON.parse(process.argv[2] ?? "null") as unknown;
}

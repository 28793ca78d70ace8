/** A journal in another process, which tests kill. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("child.ts", import.meta.url));

export interface OtherProcess extends AsyncDisposable {
  readonly pid: number | undefined;
  /** Everything said so far, and after `kill` everything said at all. */
  readonly said: readonly string[];
  /** Resolves once `count` lines were said. */
  untilSaid(count: number): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
}

export function startOther(task: "hold" | "append" | "audit", url: string, leaseMs: number): OtherProcess {
  const child = spawn(process.execPath, [script, task, url, String(leaseMs)], { stdio: ["pipe", "pipe", "inherit"] });
  const said: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    said.push(line);
    for (const wake of waiting) wake();
  });
  const closed = once(child, "close");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await closed;
  };
  return {
    pid: child.pid,
    said,
    untilSaid: (count) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (said.length >= count) resolve();
        };
        waiting.add(look);
        look();
        void closed.then(() => reject(new Error(`It ended after saying ${said.join(", ")}`)));
      }),
    kill,
    [Symbol.asyncDispose]: kill,
  };
}

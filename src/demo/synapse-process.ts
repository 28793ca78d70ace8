/** One run of Synapse as a child process: from its start to its end, whatever ended it. */
import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import path from "node:path";
import { poll } from "./poll.ts";

// Synapse ends when the pipe on its stdin does, so it never outlives its parent, not even one that was killed. `os.read`
// and not `sys.stdin`: a daemon thread in a buffered read would abort the interpreter's own shutdown.
const bootstrap = `
import os, runpy, signal, threading
def follow_parent():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=follow_parent, daemon=True).start()
runpy.run_module("synapse.app.homeserver", run_name="__main__", alter_sys=True)
`;

const askEveryMs = 50;
const startWithinMs = 90_000;

export interface Run {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Settles when the process has ended, with what ended it in words. */
  readonly ended: Promise<string>;
}

/** Starts Synapse on a configured folder. It serves only after {@link untilHealthy}. */
export async function launch(python: string, directory: string): Promise<Run | undefined> {
  const output = await open(path.join(directory, "output.log"), "w");
  try {
    const child = spawn(python, ["-c", bootstrap, "-c", path.join(directory, "homeserver.yaml")], {
      cwd: directory,
      env: withoutProxies(process.env),
      stdio: ["pipe", output.fd, output.fd],
      // A group of its own, so that Ctrl-C in the terminal reaches us first, and we stop it in order.
      detached: true,
    });
    const ended = new Promise<string>((resolve) => {
      child.once("exit", (code, signal) =>
        resolve(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`),
      );
      child.once("error", (error) => resolve(`it could not be started: ${error.message}`));
    });
    // Writing never happens, but the pipe's end when Synapse dies must not become an uncaught error.
    child.stdin?.on("error", () => undefined);
    return child.pid === undefined ? undefined : { child, pid: child.pid, ended };
  } finally {
    await output.close();
  }
}

/** Synapse would push to the application service, which is on loopback, through a proxy named in the environment. */
function withoutProxies(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(https?|all)_proxy$/i.test(name)));
}

/** Resolves to `undefined` when Synapse serves, or to a sentence that says why it does not. */
export async function untilHealthy(run: Run, url: string, signal: AbortSignal): Promise<string | undefined> {
  const over = new AbortController();
  const limit = AbortSignal.timeout(startWithinMs);
  const bounded = AbortSignal.any([over.signal, limit, signal]);
  const healthy = poll(
    async (signal) => {
      const answer = await fetch(`${url}/health`, { signal }).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.ok === true ? "healthy" : undefined;
    },
    { everyMs: askEveryMs, signal: bounded },
  );
  try {
    const first = await Promise.race([healthy, run.ended]);
    return first === "healthy" ? undefined : first;
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) return `it did not answer within ${startWithinMs / 1000} s`;
    throw error;
  } finally {
    over.abort();
    await healthy.catch(() => undefined);
  }
}

/** Why a start failed, in Synapse's words: the last line of its output, where Python names the exception. */
export async function complaintOf(directory: string): Promise<string> {
  const output = await readFile(path.join(directory, "output.log"), "utf8").catch(() => "");
  const last = output.trim().split("\n").at(-1)?.trim() ?? "";
  const port = /Failed to listen on TCP port \((\d+)\)/.exec(last)?.[1];
  return port === undefined ? last : `port ${port} is in use already`;
}

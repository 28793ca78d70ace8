/** The bridge as an operator runs it: `crewroom start` in a process of its own, which tests stop, kill and start again. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { Changes } from "./changes.ts";
import { type Crew, mainFile } from "./crew.ts";
import { Metrics } from "./metrics.ts";

/** DESIGN: after SIGTERM the process ends within 10 s. */
const stopWithinMs = 10_000;
const followParent = path.join(import.meta.dirname, "follow-parent.ts");

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

export class BridgeProcess implements AsyncDisposable {
  readonly crew: Crew;
  /** Lines of all runs, oldest first. */
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly #env: NodeJS.ProcessEnv;
  readonly #main: string;
  readonly #lines = new Changes();
  #child: Child | undefined;
  #exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }> | undefined;

  private constructor(crew: Crew, env: NodeJS.ProcessEnv, main: string) {
    this.crew = crew;
    this.#env = env;
    this.#main = main;
  }

  /** Starts `crewroom start` and resolves when it has printed `ready`. */
  static async start(crew: Crew, env: NodeJS.ProcessEnv = {}, main = mainFile): Promise<BridgeProcess> {
    const bridge = new BridgeProcess(crew, env, main);
    await bridge.start();
    return bridge;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Rejects with what the bridge wrote when it ends before it is ready. */
  async start(): Promise<void> {
    const child = this.launch();
    const from = this.stdout.length;
    const ready = this.waitForLine("ready", { from, timeoutMs: 60_000 });
    const ended = this.#exit?.then(({ code, signal }) => {
      throw new Error(`The bridge ended with ${code ?? signal} before it was ready:\n${this.#tail()}`);
    });
    await Promise.race([ready, ended]);
    if (child !== this.#child) throw new Error("The bridge was started twice");
  }

  /** Starts without waiting for `ready`. */
  launch(): Child {
    if (this.#child !== undefined) throw new Error("The bridge runs already");
    const child = spawn(
      process.execPath,
      ["--import", followParent, this.#main, "start", "--config", this.crew.configFile],
      {
        env: { ...process.env, ...this.#env },
        stdio: ["pipe", "pipe", "pipe"],
      },
    );
    // Its end when the bridge dies must not become an uncaught error.
    child.stdin.on("error", () => undefined);
    this.#child = child;
    const keep = (stream: Readable, lines: string[]): void => {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        this.#lines.changed();
      });
    };
    keep(child.stdout, this.stdout);
    keep(child.stderr, this.stderr);
    this.#exit = once(child, "exit").then((how: unknown[]) => {
      const [code, signal] = how as [number | null, NodeJS.Signals | null];
      if (this.#child === child) this.#child = undefined;
      this.#lines.changed();
      return { code, signal };
    });
    return child;
  }

  /** SIGTERM. Rejects unless the process ends by itself with code 0 within 10 s. */
  async stop(): Promise<void> {
    const child = this.#child;
    const exit = this.#exit;
    if (child === undefined || exit === undefined) return;
    child.kill("SIGTERM");
    const limit = AbortSignal.timeout(stopWithinMs);
    const late = once(limit, "abort").then(() => undefined);
    const how = await Promise.race([exit, late]);
    if (how === undefined) {
      await this.kill();
      throw new Error(`The bridge did not end within ${stopWithinMs} ms of SIGTERM:\n${this.#tail()}`);
    }
    if (how.code !== 0) throw new Error(`The bridge ended with ${how.code ?? how.signal}, not 0:\n${this.#tail()}`);
  }

  /** SIGKILL, as in a crash. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#exit;
  }

  /** Resolves to the exit code when the process has ended, however it came to that. `null`: a signal ended it. */
  async ended(): Promise<number | null> {
    return (await this.#exit)?.code ?? null;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** A line of stdout or stderr, from `from` (of stdout) on. */
  waitForLine(
    looked: string | RegExp,
    options: { readonly stream?: "stdout" | "stderr"; readonly from?: number; readonly timeoutMs?: number } = {},
  ): Promise<string> {
    const { stream = "stdout", from = 0, ...wait } = options;
    const fits = (line: string): boolean => (typeof looked === "string" ? line === looked : looked.test(line));
    return this.#lines.until(() => this[stream].slice(from).find(fits), {
      ...wait,
      describe: () => `the bridge's line ${String(looked)}; it wrote:\n${this.#tail()}`,
    });
  }

  /** What `/metrics` says now. */
  async metrics(): Promise<Metrics> {
    const answer = await fetch(`${this.crew.address}/metrics`);
    if (!answer.ok) throw new Error(`/metrics: ${answer.status}`);
    return new Metrics(await answer.text());
  }

  /** The status of `/live` or `/ready`. */
  async health(path: "/live" | "/ready"): Promise<number> {
    const answer = await fetch(`${this.crew.address}${path}`);
    await answer.body?.cancel();
    return answer.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #tail(): string {
    return [...this.stdout.slice(-5), ...this.stderr.slice(-40)].join("\n");
  }
}

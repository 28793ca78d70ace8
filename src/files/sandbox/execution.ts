/**
 * Runs one command to its end.
 *
 *   started ──its first process ends──────────────▶ ending ──nobody of its tree lives──▶ ended
 *      └──time, memory, processes, stopped: killed──▶┘
 *
 * The first reason to end it is the one that is told. Whatever the reason, the tree is gone before the result comes.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readlinkSync } from "node:fs";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { CrewError, reasonOf } from "../../core/errors.ts";
import type { CommandResult } from "../port.ts";
import type { Group } from "./group.ts";
import { markName } from "./options.ts";
import type { Launch, SandboxOptions } from "./options.ts";
import { Output } from "./output.ts";
import type { ProcessRow, ProcessTable } from "./processes.ts";
import { groupLook, markedTree, namespaceTree } from "./tree.ts";
import type { Tree } from "./tree.ts";

type Limits = Pick<SandboxOptions, "seconds" | "memoryBytes" | "processes" | "outputBytes" | "log">;
type Reason = NonNullable<CommandResult["endedBy"]>;

/** Milliseconds between two looks at a tree. */
const glance = 20;

const signalNumbers = new Set<number>(Object.values(constants.signals));

/** What bubblewrap says while it runs: JSON documents, one a line. */
interface Status {
  /** The first process inside, as the host counts. `undefined`: it never came to that. */
  readonly first: Promise<{ readonly pid: number; readonly namespace: string } | undefined>;
  /** Whether it said how the command ended: so it had begun. */
  ran(): boolean;
}

function readStatus(stream: Readable): Status {
  const { promise, resolve } = Promise.withResolvers<Awaited<Status["first"]>>();
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    text += chunk;
    const pid = /"child-pid": (\d+).*\n/.exec(text)?.[1];
    const namespace = /"pid-namespace": (\d+)/.exec(text)?.[1];
    if (pid !== undefined) resolve({ pid: Number(pid), namespace: namespace ?? "" });
  });
  stream.on("close", () => resolve(undefined));
  return { first: promise, ran: () => text.includes('"exit-code"') };
}

/** Whether this number is still the process that bubblewrap told of. Its parent tells; once that is gone, its namespace. */
function isFirst(row: ProcessRow, child: ChildProcess, namespace: string): boolean {
  if (row.parent === child.pid) return true;
  try {
    return readlinkSync(`/proc/${row.pid}/ns/pid`) === `pid:[${namespace}]`;
  } catch {
    return false;
  }
}

async function treeOf(
  launch: Launch,
  child: ChildProcess,
  status: Status | undefined,
  table: ProcessTable,
): Promise<Tree | undefined> {
  if (status !== undefined) {
    const told = await status.first;
    const row = told === undefined ? undefined : await table.row(told.pid);
    if (told === undefined || row === undefined || !isFirst(row, child, told.namespace)) return undefined;
    return namespaceTree(table, row);
  }
  const row = child.pid === undefined ? undefined : await table.row(child.pid);
  return row === undefined ? undefined : markedTree(table, row, `${markName}=${launch.marker ?? ""}`);
}

/** Gives the first limit that the tree breaks, or that its group hit, when it does. Ends with the signal. */
async function watch(
  look: Tree["look"],
  group: Group | undefined,
  limits: Limits,
  ended: AbortSignal,
): Promise<Reason | undefined> {
  for (;;) {
    try {
      await delay(glance, undefined, { signal: ended });
    } catch {
      return undefined;
    }
    const hit = group?.hit();
    if (hit !== undefined) return hit;
    const { processes, bytes } = await look(limits.processes);
    if (processes > limits.processes) return "processes";
    if (bytes > limits.memoryBytes) return "memory";
  }
}

/** Takes what a stream says. What is left out anyway is not read faster than 64 KiB a millisecond, to leave time for others. */
function collect(stream: Readable, output: Output): void {
  stream.on("data", (chunk: Buffer) => {
    output.add(chunk);
    if (!output.full) return;
    stream.pause();
    setTimeout(() => stream.resume(), 1);
  });
}

function start(launch: Launch, group: Group | undefined, inputs: number): ChildProcess {
  const pipes = Array<"pipe">(inputs === 0 ? 0 : inputs + 1).fill("pipe");
  const [program, args] = group?.start(launch.program, launch.args) ?? [launch.program, launch.args];
  try {
    return spawn(program, args, {
      cwd: launch.cwd,
      env: launch.env,
      // Its own group, so that it can be ended as one, and no terminal's signal reaches it.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", ...pipes],
    });
  } catch (thrown) {
    const tooLong = thrown instanceof Error && "code" in thrown && thrown.code === "E2BIG";
    const reason = tooLong ? "the command is too long; write it into a file and run that" : reasonOf(thrown);
    throw new CrewError("SANDBOX_FAILED", { reason }, thrown);
  }
}

/** What the machine gives to keep limits with. */
export interface Keeping {
  readonly table: ProcessTable;
  /** Opens a control group for one command; `undefined`: none can be made here. */
  readonly openGroup: () => Promise<Group | undefined>;
}

/** @throws CrewError `SANDBOX_FAILED` when the command was never started. */
export async function execute(
  launch: Launch,
  limits: Limits,
  { table, openGroup }: Keeping,
  signal: AbortSignal,
): Promise<CommandResult> {
  if (signal.aborted) return { endedBy: "stopped", output: "", leftOut: 0, tookMs: 0 };
  await using group = await openGroup();
  const began = performance.now();
  const inputs = launch.inputs ?? [];
  const child = start(launch, group, inputs.length);
  const exit = Promise.withResolvers<{ code: number | null; signal: NodeJS.Signals | null }>();
  const closed = Promise.withResolvers<void>();
  child.on("exit", (code, signal) => exit.resolve({ code, signal }));
  child.on("close", () => closed.resolve());
  child.on("error", (thrown) => exit.reject(new CrewError("SANDBOX_FAILED", { reason: reasonOf(thrown) }, thrown)));
  inputs.forEach((input, index) => {
    const stream = child.stdio[4 + index] as Writable | null | undefined;
    // It may give up before it has read everything: what it says about that tells more than the broken pipe.
    stream?.on("error", () => undefined);
    stream?.end(input);
  });

  const output = new Output(limits.outputBytes);
  // The command says everything on its standard output; on the other one only what starts it complains.
  const complaints = new Output(4096);
  if (child.stdout !== null) collect(child.stdout, output);
  if (child.stderr !== null) collect(child.stderr, complaints);
  const statusStream = inputs.length === 0 ? undefined : (child.stdio[3] as Readable | null | undefined);
  const status = statusStream === undefined || statusStream === null ? undefined : readStatus(statusStream);
  const tree = treeOf(launch, child, status, table);

  let reason: Reason | undefined;
  let ending: Promise<boolean> | undefined;
  // Each finds some whom the other misses: one who left the group (root can, without walls), one who hid from the tree.
  const endAll = async (): Promise<boolean> => {
    const ends = await Promise.all([group?.kill(), tree.then((tree) => tree?.end())]);
    return !ends.includes(false);
  };
  const end = (): Promise<boolean> => (ending ??= endAll());
  const stop = (why: Reason): void => {
    reason ??= why;
    void end();
  };
  const ended = new AbortController();
  const onAbort = (): void => stop("stopped");
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => stop("time"), limits.seconds * 1000);
  const watchTree = async (): Promise<void> => {
    const found = await tree;
    if (found === undefined) return;
    const look = group === undefined ? found.look : groupLook(table, group, launch.own ?? 0);
    const broken = await watch(look, group, limits, ended.signal);
    if (broken !== undefined) stop(broken);
  };
  // Limits that cannot be watched are not kept.
  const watched = watchTree().catch((thrown: unknown) => {
    limits.log.warn({ err: thrown }, "a command's processes cannot be watched; it is ended");
    stop("stopped");
  });
  try {
    const how = await exit.promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    // Also what happened since the last look, and made it end.
    reason ??= group?.hit();
    if (!(await end())) limits.log.warn({ pid: child.pid }, "a command's processes do not end");
    // Whoever still holds the pipes was not found: its output no longer counts.
    const guard = setTimeout(() => child.stdio.forEach((stream) => stream?.destroy()), 1000);
    await closed.promise;
    clearTimeout(guard);
    const said = complaints.kept().text.trim();
    // Without bubblewrap, too, only what stands before the command says anything here.
    if (status?.ran() !== true && reason === undefined && said !== "")
      throw new CrewError("SANDBOX_FAILED", { reason: said.split("\n")[0] ?? said });
    const { text, leftOut } = output.kept();
    const bySignal = how.signal !== null || signalNumbers.has((how.code ?? 0) - 128);
    const endedBy = reason ?? (bySignal ? "signal" : undefined);
    return {
      // Whoever was ended from here has no code of its own.
      ...(how.code === null || reason !== undefined ? {} : { code: how.code }),
      ...(endedBy === undefined ? {} : { endedBy }),
      output: text,
      leftOut,
      tookMs: Math.round(performance.now() - began),
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    ended.abort();
    await watched;
  }
}

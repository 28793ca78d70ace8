/**
 * Runs the `git` program: argument arrays, no shell, and an environment in which nothing of the machine, of the user or
 * of a repository's content can change what it does. Hooks, system and user config, pagers, editors, prompts and every
 * transport are off; only the repository's own config counts, which agents cannot write.
 */
import { spawn } from "node:child_process";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CrewError } from "../core/errors.ts";

export interface GitCall {
  /** Given to it on its standard input; a stream as it comes. Default: none. */
  readonly input?: string | Uint8Array | Readable;
  /** Beside the clean environment, e.g. `GIT_INDEX_FILE`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Exit codes that are answers and no failures. Default: only 0. */
  readonly expected?: readonly number[];
  /** Longest output that is taken, in bytes; above it the call fails. Default: 64 MiB. */
  readonly maxBytes?: number;
  /** Takes the output instead of the answer, as it comes and however long it is. Ended when git ends. */
  readonly output?: Writable;
}

export interface GitAnswer {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Where it works. Never found out from the files: a worktree's content must not choose the repository. */
export interface GitPlace {
  /** The bare repository, or a worktree's folder in it (`<repository>/worktrees/<id>`). */
  readonly gitDir: string;
  readonly workTree?: string;
}

export interface Git {
  /**
   * @throws CrewError `GIT_MISSING`; `FILES_FULL` on a full disk; `GIT_FAILED` with what git said, for any other exit code
   * than the expected; the signal's reason when it aborts.
   */
  run(place: GitPlace | undefined, args: readonly string[], call?: GitCall): Promise<GitAnswer>;
  /** The output as text, without the line break at its end. */
  text(place: GitPlace | undefined, args: readonly string[], call?: GitCall): Promise<string>;
}

/** Kept away from every call, whatever a repository says. */
const settings = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.untrackedCache=false",
  "core.quotePath=false",
  "core.autocrlf=false",
  "core.precomposeUnicode=true",
  "core.longPaths=true",
  "core.attributesFile=/dev/null",
  "core.excludesFile=/dev/null",
  "protocol.allow=never",
  "transfer.fsckObjects=true",
  // No submodule is ever followed and no attribute obeyed: what they say is content, which another host must get as it is.
  ...[
    ...["Name", "Url", "Path", "Update", "Blob", "Large", "Symlink"].map((kind) => `gitmodules${kind}`),
    ...["Large", "LineLength", "Blob"].map((kind) => `gitattributes${kind}`),
  ].flatMap((kind) => [`fetch.fsck.${kind}=ignore`, `fsck.${kind}=ignore`]),
  // A git that outlives a killed bridge for a moment may still hold one: it is waited for, and not taken for a failure.
  "core.filesRefLockTimeout=5000",
  "core.packedRefsTimeout=5000",
  "submodule.recurse=false",
  "diff.external=",
  "commit.gpgSign=false",
  "tag.gpgSign=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "advice.detachedHead=false",
  "safe.directory=*",
].flatMap((setting) => ["-c", setting]);

const noRoom = /No space left on device|Out of diskspace|Disk quota exceeded|File too large/i;

const defaultMaxBytes = 64 * 1024 * 1024;

/** @param program Default: `git` in the path. */
export function createGit(program = "git"): Git {
  const environment = {
    PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    HOME: "/nonexistent",
    XDG_CONFIG_HOME: "/nonexistent",
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "true",
    GIT_EDITOR: "true",
    GIT_PAGER: "cat",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_LITERAL_PATHSPECS: "1",
    GIT_ADVICE: "0",
  };

  function run(place: GitPlace | undefined, args: readonly string[], call: GitCall = {}): Promise<GitAnswer> {
    const { input, env = {}, signal, expected = [0], maxBytes = defaultMaxBytes, output } = call;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const where =
      place === undefined
        ? []
        : [`--git-dir=${place.gitDir}`, ...(place.workTree === undefined ? [] : [`--work-tree=${place.workTree}`])];
    const command = args.find((arg, at) => !arg.startsWith("-") && args[at - 1] !== "-c") ?? "";
    const { promise, resolve, reject } = Promise.withResolvers<GitAnswer>();
    const child = spawn(program, [...settings, ...where, ...args], {
      env: { ...environment, ...env },
      ...(place?.workTree === undefined ? {} : { cwd: place.workTree }),
      ...(signal === undefined ? {} : { signal }),
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    let brokenOff: Error | undefined;
    let unwritten: NodeJS.ErrnoException | undefined;
    const written =
      output === undefined
        ? Promise.resolve()
        : pipeline(child.stdout, output).catch((thrown: NodeJS.ErrnoException) => {
            unwritten = thrown;
          });
    if (output === undefined)
      child.stdout.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size <= maxBytes) out.push(chunk);
        else child.kill();
      });
    child.stderr.on("data", (chunk: Buffer) => {
      if (err.length < 64) err.push(chunk);
    });
    // It may end before it has read everything: its exit code tells more than the broken pipe.
    child.stdin.on("error", () => undefined);
    if (input instanceof Readable) {
      // A source that breaks off must not look like its end, which could be a whole answer.
      pipeline(input, child.stdin).catch((thrown: NodeJS.ErrnoException) => {
        // Git itself may end before it has read everything, which its exit code tells.
        if (!["EPIPE", "ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"].includes(thrown.code ?? "")) brokenOff = thrown;
        child.kill();
      });
    } else child.stdin.end(input);
    child.on("error", (thrown: NodeJS.ErrnoException) => {
      if (signal?.aborted === true) reject(signal.reason as Error);
      else if (thrown.code === "ENOENT") reject(new CrewError("GIT_MISSING", { program }, thrown));
      else reject(new CrewError("GIT_FAILED", { command, reason: thrown.message }, thrown));
    });
    const ended = (code: number | null, endedBy: NodeJS.Signals | null): void => {
      const stderr = Buffer.concat(err).toString().trim();
      const fail = (reason: string): void => reject(new CrewError("GIT_FAILED", { command, reason }));
      if (signal?.aborted === true) reject(signal.reason as Error);
      else if (brokenOff !== undefined) fail(`its input broke off: ${brokenOff.message}`);
      else if (size > maxBytes) fail(`its answer is longer than ${maxBytes} bytes`);
      else if (unwritten !== undefined)
        if (unwritten.code === "ENOSPC" || unwritten.code === "EDQUOT")
          reject(new CrewError("FILES_FULL", { reason: unwritten.message }, unwritten));
        else fail(unwritten.message);
      else if (code !== null && expected.includes(code)) resolve({ code, stdout: Buffer.concat(out, size), stderr });
      else if (noRoom.test(stderr))
        reject(new CrewError("FILES_FULL", { reason: stderr.split("\n").find((line) => noRoom.test(line)) ?? "" }));
      else if (endedBy === "SIGXFSZ") reject(new CrewError("FILES_FULL", { reason: "no longer file may be written" }));
      else fail(stderr === "" ? `it ended with ${code ?? "a signal"}` : stderr);
    };
    child.on("close", (code, endedBy) => void written.then(() => ended(code, endedBy)));
    return promise;
  }

  return {
    run,
    text: async (place, args, call) => (await run(place, args, call)).stdout.toString().replace(/\n$/, ""),
  };
}

/** Least version: `merge-tree --write-tree` came with it. */
export const leastGit = "2.38";

/** Version of the program, e.g. `2.39.5`. @throws CrewError `GIT_MISSING`. */
export async function gitVersion(git: Git): Promise<string> {
  return /(\d+\.\d+(?:\.\d+)*)/.exec(await git.text(undefined, ["version"]))?.[1] ?? "0";
}

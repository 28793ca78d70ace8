/** The shell that comes before every command: the limits that the kernel keeps for each process, then the command. */

/** Port of the sandbox's own loopback on which its proxy is found. */
export const proxyPort = 3128;
/** Where the proxy's socket is inside. */
export const proxySocket = "/run/crewroom/proxy.sock";

/**
 * No single file, on disk or in memory (`memfd`, which no look at the tree counts), may be larger than twice the memory.
 * One stream for both outputs keeps them in order. Who is short of memory ends a command before the bridge. The lower
 * priority leaves the bridge its share of the processor next to a fork bomb.
 */
const limits = `exec 2>&1
ulimit -c 0
{ ulimit -d "$2"; ulimit -f "$3"; [ -z "$4" ] || ulimit -u "$4" || ulimit -p "$4"; echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null
`;

/** socat cannot say when it listens, so the kernel is asked. It has no parent here: a command's \`wait\` knows nothing of it. */
const network = `(socat TCP-LISTEN:${proxyPort},bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:${proxySocket} </dev/null >/dev/null 2>&1 &)
tries=0
until grep -q '0100007F:${proxyPort.toString(16).toUpperCase().padStart(4, "0")} .* 0A ' /proc/net/tcp || [ "$tries" -gt 200 ]; do
  tries=$((tries + 1)); sleep 0.01
done
`;

export interface KernelLimits {
  /**
   * Each process' own writable memory (`RLIMIT_DATA`): stops a single greedy one at once, also between two looks at the
   * tree. It counts what is asked for and not used, thread stacks above all, so it is generous. Bytes.
   */
  readonly data: number;
  /** Processes and threads of the user (`RLIMIT_NPROC`); only where a user namespace has a count of its own. */
  readonly tasks?: number;
}

/** Arguments for `/bin/sh`. */
export function shellArgs(command: string, { data, tasks }: KernelLimits, withNetwork: boolean): readonly string[] {
  const script = `${limits}${withNetwork ? network : ""}exec nice -n 10 /bin/sh -c "$1"`;
  const numbers = [Math.ceil(data / 1024), Math.ceil(data / 512), tasks ?? ""];
  return ["-c", script, "sh", command, ...numbers.map(String)];
}

/** V8 asks for this much at its start for code that it may never make: Node 24 starts with 600 MB and not with 512. */
const codeRangeBytes = 512 * 1024 * 1024;

/** Twice the tree's limit, above what Node asks for and does not use. */
export function dataBytesOf(memoryBytes: number): number {
  return 2 * memoryBytes + codeRangeBytes;
}

const threadsOfEach = 8;

/** The kernel counts threads like processes; more than so many of each on average are none of a task's work. */
export function tasksOf(processes: number): number {
  return processes * threadsOfEach;
}

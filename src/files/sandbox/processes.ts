/**
 * The machine's processes, to find, count and end all of a command's. Linux: `/proc`. Elsewhere (macOS; not verified):
 * the `ps` program.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";

export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  /** When it started, in the system's own unit: tells a process from a later one with the same number. */
  readonly started: string;
  /** A dead one that nobody has asked about yet. It has no memory and no threads any more. */
  readonly dead: boolean;
}

export interface ProcessTable {
  /** All processes. @param maxAgeMs Takes an earlier look that is not older. */
  rows(maxAgeMs: number): Promise<readonly ProcessRow[]>;
  /** How many processes and threads the whole machine has, where that is cheap to ask; otherwise `undefined`. */
  count(): number | undefined;
  /** One process, or `undefined` when there is none. @param proc Default: `/proc`. */
  row(pid: number, proc?: string): Promise<ProcessRow | undefined>;
  /** Bytes of memory that are its own or shared with its kin, without program text. 0 when it is gone. @param proc Default: `/proc`. */
  memory(pid: number, proc?: string): number;
  /** Whether its environment has this entry. `undefined`: that cannot be read (somebody else's, or not started yet). */
  hasEntry(pid: number, entry: string): boolean | undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // Gone since, or somebody else's.
  }
}

/** `pid (name) state ppid … starttime …`; the name may hold anything, also `)`. proc(5) */
function parseStat(pid: number, stat: string): ProcessRow | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, parent] = fields;
  const started = fields[19];
  if (state === undefined || parent === undefined || started === undefined) return undefined;
  return { pid, parent: Number(parent), started, dead: state === "Z" || state === "X" };
}

/** Reads synchronously: a look at 200 processes takes about 3 ms, in the thread pool it would take ten times as long. */
export function createLinuxTable(now: () => number = () => performance.now()): ProcessTable {
  let last: { at: number; rows: readonly ProcessRow[] } | undefined;
  const row = (pid: number, proc = "/proc"): ProcessRow | undefined => parseStat(pid, read(`${proc}/${pid}/stat`));
  return {
    async rows(maxAgeMs) {
      if (last !== undefined && now() - last.at <= maxAgeMs) return last.rows;
      const rows = readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map((name) => row(Number(name)))
        .filter((row) => row !== undefined);
      last = { at: now(), rows };
      return rows;
    },
    count() {
      const total = /\/(\d+) \d+\s*$/.exec(read("/proc/loadavg"))?.[1];
      return total === undefined ? undefined : Number(total);
    },
    async row(pid, proc) {
      return row(pid, proc);
    },
    memory(pid, proc = "/proc") {
      let kilobytes = 0;
      // Text of programs and libraries (RssFile) is shared by all who run them and given back under pressure.
      for (const match of read(`${proc}/${pid}/status`).matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm))
        kilobytes += Number(match[1]);
      return kilobytes * 1024;
    },
    hasEntry(pid, entry) {
      const environment = read(`/proc/${pid}/environ`);
      return environment === "" ? undefined : `\0${environment}`.includes(`\0${entry}\0`);
    },
  };
}

/** Not verified on a Mac. `ps -E` shows the environment of one's own processes behind their command. */
export function createPsTable(now: () => number = () => performance.now()): ProcessTable {
  let last: { at: number; lines: ReadonlyMap<number, { row: ProcessRow; memory: number; text: string }> } | undefined;
  async function look(maxAgeMs: number): Promise<NonNullable<typeof last>> {
    if (last !== undefined && now() - last.at <= maxAgeMs) return last;
    const columns = "pid=,ppid=,rss=,state=,lstart=,command=";
    const { stdout } = await promisify(execFile)("/bin/ps", ["-A", "-E", "-ww", "-o", columns], {
      maxBuffer: 64 * 1024 * 1024,
      env: { LC_ALL: "C" },
    });
    const lines = new Map<number, { row: ProcessRow; memory: number; text: string }>();
    for (const line of stdout.split("\n")) {
      const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+ +\S+ +\d+ +[\d:]+ +\d+)\s?(.*)$/.exec(line);
      if (match === null) continue;
      const [pid, parent, memory] = [Number(match[1]), Number(match[2]), Number(match[3]) * 1024];
      const row = { pid, parent, started: match[5] ?? "", dead: match[4]?.startsWith("Z") === true };
      lines.set(pid, { row, memory, text: ` ${match[6] ?? ""} ` });
    }
    last = { at: now(), lines };
    return last;
  }
  return {
    rows: async (maxAgeMs) => [...(await look(maxAgeMs)).lines.values()].map((line) => line.row),
    count: () => undefined,
    row: async (pid) => (await look(0)).lines.get(pid)?.row,
    memory: (pid) => last?.lines.get(pid)?.memory ?? 0,
    hasEntry: (pid, entry) => last?.lines.get(pid)?.text.includes(` ${entry} `),
  };
}

export function createProcessTable(): ProcessTable {
  return process.platform === "linux" ? createLinuxTable() : createPsTable();
}

/** What a sandbox allows, the same for every command that runs in it. */
import type { Logger } from "../../observe/log.ts";

export interface SandboxOptions {
  /** `required`: behind walls or not at all. `none`: without walls, but with the same environment and limits. */
  readonly mode: "required" | "none";
  /**
   * Whether commands have a way out over HTTP and HTTPS, to what their `mayReach` lets them reach. Otherwise there is no
   * network at all, not even the machine's own loopback.
   */
  readonly network: boolean;
  /** Longest time of a command. */
  readonly seconds: number;
  /** Memory of all processes of a command together. */
  readonly memoryBytes: number;
  /** Processes of a command at a time. */
  readonly processes: number;
  /** Output that is kept of a command; of a longer one the middle is left out. */
  readonly outputBytes: number;
  /** Absolute paths that cannot be read whatever else is readable: store, data, config, registration, home. */
  readonly hidden: readonly string[];
  /** Names of variables of this process that commands see as well. Default: none. */
  readonly env?: readonly string[];
  /** Addresses of a name that may be reached. Default: the machine's resolver, without loopback and link-local addresses. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
  readonly log: Pick<Logger, "debug" | "warn">;
}

/** A way to start commands: what a program with its arguments puts around `/bin/sh`. */
export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /**
   * Given to bubblewrap on descriptors 4, 5, …, where no command finds them in `/proc`. With it, bubblewrap says on
   * descriptor 3 which process is the first one inside; when that one ends, the kernel ends all others.
   */
  readonly inputs?: readonly string[];
  /** Processes that are the program's own and none of the command's. Default: none, it becomes the command's shell. */
  readonly own?: number;
  /** Value of {@link markName} in the environment of this command's processes, where no namespace holds them together. */
  readonly marker?: string;
}

/** Marks a command's processes where only the environment tells whose they are. */
export const markName = "CREWROOM_COMMAND";

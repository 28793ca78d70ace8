/**
 * macOS: commands behind seatbelt, through `/usr/bin/sandbox-exec`. NOT VERIFIED: nobody has run this on a Mac yet. It
 * follows Apple's own profiles in `/System/Library/Sandbox/Profiles`; everything that is not allowed is denied. A Mac has no
 * process namespaces: the tree is found as without walls.
 */
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { SandboxCommand } from "../port.ts";
import { proxyEnvironment } from "./environment.ts";
import { openLaunch } from "./open.ts";
import type { Launch, SandboxOptions } from "./options.ts";

export const seatbelt = "/usr/bin/sandbox-exec";

const system = [
  "/usr",
  "/bin",
  "/sbin",
  "/System",
  "/Library/Apple",
  "/Library/Developer/CommandLineTools",
  "/opt/homebrew",
  "/private/etc/ssl",
  "/private/var/db/timezone",
  "/private/var/select",
];

const devices = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/fd"];

/** A string of the profile's language (a Scheme). */
function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, (char) => `\\${char}`)}"`;
}

function subpaths(paths: readonly string[]): string {
  return paths.map((path) => `(subpath ${quoted(path)})`).join(" ");
}

interface Profile {
  readonly root: string;
  readonly writable: boolean;
  readonly readable: readonly string[];
  readonly hidden: readonly string[];
  readonly home: string;
  readonly port: number | undefined;
}

/** The last rule that matches wins: what is hidden comes after what is readable, the worktree after what is hidden. */
export function seatbeltProfile({ root, writable, readable, hidden, home, port }: Profile): string {
  const lines = [
    "(version 1)",
    "(deny default)",
    "(allow process-fork process-exec* signal sysctl-read)",
    '(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo"))',
    "(allow file-read-metadata)",
    '(allow file-read* (literal "/"))',
    `(allow file-read* ${subpaths([...system, ...devices, ...readable])})`,
    `(allow file-write* ${subpaths(devices)})`,
    ...(hidden.length === 0 ? [] : [`(deny file-read* file-write* ${subpaths(hidden)})`]),
    `(allow file-read* file-write* ${subpaths([home])})`,
    `(allow file-read* ${subpaths([root])})`,
    ...(writable ? [`(allow file-write* ${subpaths([root])})`] : []),
    ...(port === undefined ? [] : [`(allow network-outbound (remote ip "localhost:${port}"))`]),
  ];
  return lines.join("\n");
}

async function real(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** @param port Of the proxy on loopback, where there is a network. */
export async function seatbeltLaunch(
  command: SandboxCommand,
  options: SandboxOptions,
  home: string,
  port: number | undefined,
): Promise<Launch> {
  const open = openLaunch(command, options, home);
  const profile = seatbeltProfile({
    root: await real(command.root),
    writable: command.writable,
    readable: await Promise.all([...command.readable, dirname(process.execPath)].map(real)),
    hidden: await Promise.all(options.hidden.map(real)),
    home,
    port,
  });
  return {
    ...open,
    program: seatbelt,
    args: ["-p", profile, open.program, ...open.args],
    env: { ...open.env, ...(port === undefined ? {} : proxyEnvironment(port)) },
  };
}

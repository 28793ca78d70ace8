/** What to say where no sandbox works: why, and the exact line that helps on this machine. */
import { readFileSync } from "node:fs";
import { CrewError } from "../../core/errors.ts";
import type { Sandbox } from "../port.ts";

/** Its commands are all refused. `install`: a sentence with the line that installs or allows a sandbox here. */
export function missingSandbox(reason: string, install: string): Sandbox {
  return {
    kind: "none",
    run: () => Promise.reject(new CrewError("SANDBOX_MISSING", { reason, install })),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

const installers: readonly (readonly [RegExp, string])[] = [
  [/debian|ubuntu/, "apt-get install"],
  [/fedora|rhel|centos/, "dnf install"],
  [/suse/, "zypper install"],
  [/arch/, "pacman -S"],
  [/alpine/, "apk add"],
];

/** Packages are called alike in all of these distributions. @param osRelease Content of `/etc/os-release`. */
export function installLine(packages: readonly string[], osRelease = read("/etc/os-release")): string {
  const ids = [...osRelease.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].map((match) => match[1]).join(" ");
  const names = packages.join(" ");
  const installer = installers.find(([id]) => id.test(ids))?.[1];
  return installer === undefined
    ? `Install ${packages.join(" and ")} with this system's package manager.`
    : `Run \`${installer} ${names}\`.`;
}

export interface Refusal {
  readonly reason: string;
  readonly install: string;
}

/**
 * Why bubblewrap is there and does not work.
 * @param said What it complained about.
 * @param setting Reads a kernel setting below `/proc/sys`; `""` where there is none.
 */
export function refusalOf(said: string, setting = (name: string) => read(`/proc/sys/${name}`)): Refusal {
  if (said.includes("--disable-userns"))
    return { reason: "bubblewrap is older than 0.8.0", install: "Install bubblewrap 0.8.0 or newer." };
  const reason = `bubblewrap is installed, but may not make user namespaces (${said})`;
  if (setting("kernel/apparmor_restrict_unprivileged_userns") === "1")
    return {
      reason,
      install:
        "AppArmor forbids them: give bwrap a profile with `userns,`, or run `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`.",
    };
  if (setting("kernel/unprivileged_userns_clone") === "0")
    return { reason, install: "Run `sysctl -w kernel.unprivileged_userns_clone=1`." };
  if (setting("user/max_user_namespaces") === "0")
    return { reason, install: "Run `sysctl -w user.max_user_namespaces=15000`." };
  if (/namespace|Operation not permitted|uid map|Can't mount proc/i.test(said))
    return {
      reason,
      install:
        "In a container, start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`.",
    };
  return {
    reason: `bubblewrap does not work here (${said})`,
    install: "Try `bwrap --unshare-all --ro-bind / / true`.",
  };
}

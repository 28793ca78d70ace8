/** What of the file system a command behind bubblewrap sees: an empty root, and these mounts. Nothing else exists for it. */
import { lstat, readlink, realpath, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { CrewError, reasonOf } from "../../core/errors.ts";

/** Folders of programs and libraries. Where they are links (to `usr/…`), links they stay. */
const systemFolders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/** Of `/etc` only what programs need to start and to check certificates: no users, no keys, no hosts of this network. */
const systemFiles = [
  "/etc/alternatives",
  "/etc/ca-certificates",
  "/etc/crypto-policies",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
  "/etc/mime.types",
  "/etc/pki/ca-trust/extracted",
  "/etc/pki/tls/certs",
  "/etc/ssl/cert.pem",
  "/etc/ssl/certs",
  "/etc/ssl/openssl.cnf",
  "/etc/terminfo",
  "/etc/timezone",
];

/** Where Node is found inside. Its own folder is not bound: it may be anybody's, with other things in it. */
export const nodeFolder = "/opt/node";
export const insideHome = "/home/crew";

interface Mount {
  /** Path inside. */
  readonly at: string;
  /** Path outside, with all links resolved; `undefined` for what covers. */
  readonly from?: string;
  readonly args: readonly string[];
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function systemMounts(): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const at of systemFolders) {
    const is = await lstat(at).catch(() => undefined);
    if (is?.isSymbolicLink() === true) mounts.push({ at, args: ["--symlink", await readlink(at), at] });
    else if (is !== undefined) mounts.push({ at, from: at, args: ["--ro-bind", at, at] });
  }
  for (const at of systemFiles)
    if (await exists(at)) mounts.push({ at, from: await realpath(at), args: ["--ro-bind", at, at] });
  return mounts;
}

/** The Node that runs this, and the npm that came with it. */
async function nodeMounts(): Promise<Mount[]> {
  const program = await realpath(process.execPath);
  const at = `${nodeFolder}/bin/node`;
  const mounts: Mount[] = [{ at, from: program, args: ["--ro-bind", program, at] }];
  const npm = join(dirname(dirname(program)), "lib/node_modules/npm");
  if (await exists(npm)) {
    const inside = `${nodeFolder}/lib/node_modules/npm`;
    mounts.push({ at: inside, from: npm, args: ["--ro-bind", npm, inside] });
    for (const name of ["npm", "npx"]) {
      const link = `${nodeFolder}/bin/${name}`;
      mounts.push({ at: link, args: ["--symlink", `../lib/node_modules/npm/bin/${name}-cli.js`, link] });
    }
  }
  return mounts;
}

/** Machine's part of the mounts: the same for every command. */
export async function commonMounts(): Promise<readonly Mount[]> {
  return [...(await systemMounts()), ...(await nodeMounts())];
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** What covers a hidden path wherever one of the mounts would show it. One that does not exist needs no cover. */
async function covers(hidden: string, mounts: readonly Mount[]): Promise<Mount[]> {
  const real = await realpath(hidden).catch(() => undefined);
  if (real === undefined) return [];
  const folder = (await stat(real)).isDirectory();
  return mounts.flatMap(({ at, from }) => {
    if (from === undefined || !within(real, from)) return [];
    const inside = join(at, relative(from, real));
    const args = folder ? ["--perms", "0755", "--size", "4096", "--tmpfs", inside] : ["--ro-bind", "/dev/null", inside];
    return [{ at: inside, args }];
  });
}

function depth(path: string): number {
  return path.split(sep).filter((part) => part !== "").length;
}

export interface Shown {
  readonly root: string;
  readonly writable: boolean;
  readonly readable: readonly string[];
  readonly hidden: readonly string[];
}

/**
 * Bubblewrap's arguments for all mounts. Deeper ones come later, so that the nearest path around a file decides: a
 * worktree in the data folder is there, the data folder around it is not. A hidden path wins against the same one made
 * readable.
 * @param tempBytes Size of each of the two folders in memory, `/tmp` and the home.
 * @throws CrewError `SANDBOX_FAILED` when the worktree is not there.
 */
export async function mountArgs(common: readonly Mount[], shown: Shown, tempBytes: number): Promise<readonly string[]> {
  const inMemory = (at: string, bytes: number): Mount => ({
    at,
    args: ["--perms", "0755", "--size", String(bytes), "--tmpfs", at],
  });
  const bound: Mount[] = [...common];
  for (const at of shown.readable) {
    const from = await realpath(at).catch(() => undefined);
    if (from !== undefined) bound.push({ at, from, args: ["--ro-bind", from, at] });
  }
  const root = await realpath(shown.root).catch((thrown: unknown) => {
    throw new CrewError("SANDBOX_FAILED", { reason: reasonOf(thrown) }, thrown);
  });
  bound.push({ at: shown.root, from: root, args: [shown.writable ? "--bind" : "--ro-bind", root, shown.root] });
  const covering = (await Promise.all(shown.hidden.map((path) => covers(path, bound)))).flat();
  const all = [inMemory("/tmp", tempBytes), inMemory(insideHome, tempBytes), ...bound, ...covering];
  const ordered = all
    .map((mount, index) => ({ mount, index }))
    .sort((a, b) => depth(a.mount.at) - depth(b.mount.at) || a.index - b.index);
  return [
    ...`--proc /proc --dev /dev --perms 1777 --size ${shmBytes} --tmpfs /dev/shm`.split(" "),
    ...ordered.flatMap(({ mount }) => mount.args),
    // Only now: mount points are made in them until here.
    ...covering.filter(({ args }) => args.includes("--tmpfs")).flatMap(({ at }) => ["--remount-ro", at]),
  ];
}

/** Shared memory of programs that ask for it by name (`shm_open`). */
const shmBytes = 64 * 1024 * 1024;

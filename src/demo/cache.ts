/** Where the demo and the tests keep what is expensive to make: Python packages, the demo's homeserver. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** The folder of this package: the nearest one above this file that has a package.json. */
export function packageDirectory(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, "package.json")) && path.dirname(folder) !== folder)
    folder = path.dirname(folder);
  return folder;
}

/**
 * `.cache/` of a checkout, so that it goes away with it; elsewhere (installed from npm, where the package's own folder
 * may be read-only and is replaced by every update) `$XDG_CACHE_HOME/crewroom` or `~/.cache/crewroom`.
 */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const home = packageDirectory();
  const checkout = existsSync(path.join(home, "tsconfig.json")) && existsSync(path.join(home, "src"));
  if (checkout) return path.join(home, ".cache");
  // The XDG specification says that a relative path is to be ignored.
  const xdg = env["XDG_CACHE_HOME"];
  const base = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), ".cache");
  return path.join(base, "crewroom");
}

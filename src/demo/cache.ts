/** Where the demo and the tests keep what is expensive to make: Python packages, the demo's homeserver. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { packagePath } from "../package.ts";

/**
 * `.cache/` of a checkout, so that it goes away with it; elsewhere (installed from npm, where the package's own folder
 * may be read-only and is replaced by every update) `$XDG_CACHE_HOME/crewroom` or `~/.cache/crewroom`.
 */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  // The package that npm installs has no TypeScript.
  const isCheckout = existsSync(packagePath("tsconfig.json")) && existsSync(packagePath("src"));
  if (isCheckout) return packagePath(".cache");
  // The XDG specification says that a relative path is to be ignored.
  const xdg = env["XDG_CACHE_HOME"];
  const base = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), ".cache");
  return path.join(base, "crewroom");
}

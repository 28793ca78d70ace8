/** Crewroom's own package: its version, and the files that come with it. The same from `src/` and from `dist/`. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);

/** Absolute path of a file of the package, e.g. `packagePath("config/demo.yaml")`. */
export function packagePath(path: string): string {
  return fileURLToPath(new URL(path, root));
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(packagePath("package.json"), "utf8"));
  const hasVersion = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return hasVersion && typeof manifest.version === "string" ? manifest.version : "unknown";
}

export const version = readVersion();

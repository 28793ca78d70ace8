/** Loads configs from a folder of their own, which goes with the test. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { loadConfig, type LoadOptions } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { CrewError } from "../../src/core/errors.ts";

/** The least that a config must say; its last line begins an agent. */
export const good = `
homeserver: { address: http://127.0.0.1:8008/, domain: crew.test:8448 }
appservice: { address: http://127.0.0.1:29331 }
permissions: { "@sam:crew.test:8448": admin }
models:
  default: { base_url: http://127.0.0.1:9/v1, model: m }
agents:
  - id: ada
`;

let made = "";
beforeEach(async () => {
  made = await mkdtemp(join(tmpdir(), "crewroom-config-"));
});
afterEach(async () => {
  await rm(made, { recursive: true });
});

/** The folder that holds the config, and what stands beside it. */
export const folder = (): string => made;

export async function load(text: string, options: LoadOptions = { env: {} }): Promise<Config> {
  await writeFile(join(made, "c.yaml"), text);
  return (await loadConfig(join(made, "c.yaml"), options)).config;
}

/** The problems' lines without the file's name. */
export async function problemsIn(text: string, options?: LoadOptions): Promise<string[]> {
  const thrown: unknown = await load(text, options).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(CrewError);
  if (!(thrown instanceof CrewError)) return [];
  expect(thrown.code).toBe("CONFIG_INVALID");
  return String(thrown.details["problems"])
    .split("\n")
    .map((line) => line.replace(`${join(made, "c.yaml")}:`, ""));
}

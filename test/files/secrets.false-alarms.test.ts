import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { createSecretScanner } from "../../src/files/secrets.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

// Every alarm asks a person, so ordinary work must raise none.
it.each(["src", "test/files", "config", "docs", "scripts"])("no alarm in this project's own %s", async (folder) => {
  const scanner = createSecretScanner();
  const alarms: string[] = [];
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  expect(files).not.toEqual([]);
  for (const { parentPath, name } of files) {
    const path = relative(root, join(parentPath, name));
    const alarm = await scanner.secretIn(path, await readFile(join(root, path)));
    if (alarm !== undefined) alarms.push(`${path}: ${alarm}`);
  }
  expect(alarms).toEqual([]);
});

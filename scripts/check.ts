/** `npm run check`: types, lint, format, generated files. One line a step; exit code 1 when any failed. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { generatedFiles } from "./generated.ts";
import { root, run, type Result } from "./run.ts";

const steps: Readonly<Record<string, () => Promise<Result>>> = {
  types: () => run("tsc", ["-p", "tsconfig.json"]),
  lint: () => run("oxlint", ["--type-aware", "--deny-warnings"]),
  format: () => run("prettier", ["--check", "--log-level", "warn", "."]),
  generated: compareGenerated,
};

async function compareGenerated(): Promise<Result> {
  const stale: string[] = [];
  for (const [path, text] of await generatedFiles()) {
    const present = await readFile(join(root, path), "utf8").catch(() => undefined);
    if (present !== text) stale.push(`${path} differs from the code; run \`npm run generate\`\n`);
  }
  return { code: stale.length === 0 ? 0 : 1, output: stale.join("") };
}

let failed = 0;
for (const [name, step] of Object.entries(steps)) {
  const began = performance.now();
  const { code, output } = await step();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "failed"} ${name} (${seconds} s)`);
  if (code === 0) continue;
  failed += 1;
  console.log(output.trimEnd());
}
process.exitCode = failed === 0 ? 0 : 1;

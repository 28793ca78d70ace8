import { existsSync } from "node:fs";
import process from "node:process";
import { defineConfig } from "vitest/config";

const setup = "./test/support/global-setup.ts";

export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // Integration tests wait for a real Synapse, on a machine that may have other work.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Each file may bring a Synapse and a bridge; more at once only slow each other down.
    maxWorkers: 2,
    // Real servers on a shared machine are sometimes late. Where a red run blocks work, a test that failed gets two more
    // tries, which the report shows; here at the desk it does not, so that a race is seen.
    retry: process.env["CI"] === "true" ? 2 : 0,
    reporters: ["default", "json"],
    outputFile: { json: "test-report.json" },
    globalSetup: existsSync(new URL(setup, import.meta.url)) ? [setup] : [],
  },
});

import { existsSync } from "node:fs";
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
    reporters: ["default", "json"],
    outputFile: { json: "test-report.json" },
    globalSetup: existsSync(new URL(setup, import.meta.url)) ? [setup] : [],
  },
});

/** The files that come from the code: path in the project to text. Written by `generate`, compared by `check`. */
import { configReference } from "../src/config/reference.ts";
import { sampleConfig } from "../src/config/sample.ts";
import { metricsReference } from "../src/observe/metrics.ts";
import { commandsReference } from "../src/supervision/commands.ts";
import { supervisionReference } from "../src/supervision/supervision-reference.ts";
import { moderationReference } from "../src/supervision/moderation-reference.ts";
import { tasksReference } from "../src/supervision/task-reference.ts";
import { toolTable } from "../src/tools/registry.ts";
import { errorsReference } from "./errors-reference.ts";
import { sampleRegistration } from "./sample-registration.ts";

export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["config/crewroom.yaml", sampleConfig()],
    ["registration.yaml", await sampleRegistration()],
    ["docs/config.md", configReference()],
    ["docs/errors.md", errorsReference()],
    ["docs/commands.md", commandsReference()],
    ["docs/tasks.md", tasksReference(toolTable)],
    ["docs/supervision.md", supervisionReference(toolTable)],
    ["docs/moderation.md", moderationReference()],
    ["docs/metrics.md", metricsReference()],
  ]);
}

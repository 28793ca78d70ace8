/** From a file to a {@link Config}: read, resolve secrets, check everything, and tell all problems at once. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { asCrewError, CrewError, reasonOf } from "../core/errors.ts";
import { crossProblems } from "./cross.ts";
import { withOverrides, type Overrides } from "./overrides.ts";
import { withAbsolutePaths } from "./paths.ts";
import { pathText, problemsOf, type Problem } from "./problem.ts";
import { loadRolePrompts } from "./role-prompts.ts";
import { configSchema, type Config } from "./schema.ts";
import { resolveSecrets, type Environment } from "./secrets.ts";
import { parseSource, type Source } from "./source.ts";

export interface LoadOptions {
  /** Default `process.env`. */
  readonly env?: Environment;
  /** Merged over the file's values before they are checked. Default none. */
  readonly overrides?: Overrides;
}

export interface LoadedConfig {
  /** Absolute path of the file. */
  readonly file: string;
  readonly config: Config;
}

/**
 * Reads and checks a config. Its paths become absolute, its secrets are put in place.
 *
 * @throws CrewError `CONFIG_UNREADABLE`, or `CONFIG_INVALID` with one line per problem, in the order of the file:
 * `file:line:column path: what is wrong; what to do`.
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  const text = await readFile(file, "utf8").catch((thrown: unknown) => {
    throw new CrewError("CONFIG_UNREADABLE", { file, reason: reasonOf(thrown) }, thrown);
  });
  const source = parseSource(text);
  if (source.problems.length > 0) throw invalid(file, source, source.problems);

  const given = withOverrides(source.value ?? {}, options.overrides ?? {});
  const resolved = await resolveSecrets(given, options.env ?? process.env, dirname(resolve(file)));
  const checked = configSchema.safeParse(resolved.value);
  const problems = [
    ...resolved.problems,
    ...(checked.success ? [] : problemsOf(checked.error.issues, configSchema, resolved.value)),
    ...crossProblems(resolved.value),
  ];
  if (!checked.success || problems.length > 0) throw invalid(file, source, firstPerPath(problems));
  const config = withAbsolutePaths(checked.data, dirname(resolve(file)));
  // Read here only to tell a wrong folder with its line.
  await loadRolePrompts(config).catch((thrown: unknown) => {
    const { details } = asCrewError(thrown);
    const text = `${details["file"]} cannot be read (${details["reason"]}); make it readable, or correct the path`;
    throw invalid(file, source, [{ path: ["tasks", "roles"], text }]);
  });
  return { file: resolve(file), config };
}

/** A value that could not be resolved is often wrong in a second way too; the first way is the one to correct. */
function firstPerPath(problems: readonly Problem[]): Problem[] {
  const paths = problems.map((problem) => pathText(problem.path).replace(/_file$/, ""));
  return problems.filter((_, index) => paths.indexOf(paths[index] ?? "") === index);
}

function invalid(file: string, source: Source, problems: readonly Problem[]): CrewError {
  const lines = problems
    .map((problem) => ({ problem, place: problem.place ?? source.place(problem.path, problem.key && "key") }))
    .sort((a, b) => comparePlaces(a.place, b.place))
    .map(({ problem, place }) => `${file}:${place} ${pathText(problem.path) || "config"}: ${problem.text}`);
  return new CrewError("CONFIG_INVALID", { file, count: lines.length, problems: lines.join("\n") });
}

function comparePlaces(a: string, b: string): number {
  const [aLine = 0, aColumn = 0] = a.split(":").map(Number);
  const [bLine = 0, bColumn = 0] = b.split(":").map(Number);
  return aLine - bLine || aColumn - bColumn;
}

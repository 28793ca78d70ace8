/** The options that a command was given. */

/** Option name to value: a text, or `true` for a switch that was given. */
export type Given = Readonly<Record<string, unknown>>;

/** The path of the config that a command was given, or the default. */
export function configFile(given: Given): string {
  return text(given, "config") ?? "crewroom.yaml";
}

/** The text of an option with a value. */
export function text(given: Given, name: string): string | undefined {
  const value = given[name];
  return typeof value === "string" ? value : undefined;
}

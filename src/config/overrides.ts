/** Values that a program puts over those of a file, before anything is checked. The demo and tests use it. */

/**
 * A part of a config. Maps are merged, everything else replaces what the file has, `null` removes it. Texts are taken
 * as they are: `${…}` has no meaning in them.
 */
export interface Overrides {
  readonly [key: string]: unknown;
}

export function withOverrides(value: unknown, overrides: Overrides): unknown {
  return merged(value, escaped(overrides));
}

function merged(under: unknown, over: unknown): unknown {
  if (!isRecord(over)) return over;
  const result = isRecord(under) ? { ...under } : {};
  for (const [key, item] of Object.entries(over)) {
    if (item === undefined) continue;
    if (item === null) Reflect.deleteProperty(result, key);
    else result[key] = merged(result[key], item);
  }
  return result;
}

function escaped(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("${", () => "$${");
  if (Array.isArray(value)) return value.map(escaped);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

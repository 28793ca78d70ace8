/** A stranger's JSON, one step narrower. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The object, or `undefined` for anything else, arrays included. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

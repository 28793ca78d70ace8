/**
 * Arguments as models write them, made to fit a tool's JSON Schema where the meaning is beyond doubt: `null` or "" for a
 * field left out, "3" for 3, one text where a list of texts is expected, a list inside a string, `Approve` for `approve`.
 * Everything else stays as it is, and is refused with what would be allowed.
 */

export interface JsonSchema {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly enum?: readonly unknown[];
}

export function lenient(value: unknown, schema: JsonSchema): unknown {
  switch (schema.type) {
    case "object":
      return object(unpacked(value ?? {}, "{"), schema);
    case "array":
      return list(unpacked(value, "["), schema.items ?? {});
    case "number":
    case "integer":
      return typeof value === "string" && /^\s*[+-]?\d+(\.\d+)?\s*$/.test(value) ? Number(value) : value;
    case "boolean":
      return typeof value === "string" ? truth(value) : value;
    case "string":
      return typeof value === "string" && schema.enum !== undefined ? choice(value, schema.enum) : value;
    default:
      return value;
  }
}

function object(value: unknown, { properties = {}, required = [] }: JsonSchema): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const leftOut = (key: string, field: unknown): boolean =>
    field === null || (typeof field === "string" && field.trim() === "" && !required.includes(key));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, field]) => !leftOut(key, field))
      .map(([key, field]) => [key, Object.hasOwn(properties, key) ? lenient(field, properties[key] ?? {}) : field]),
  );
}

function list(value: unknown, items: JsonSchema): unknown {
  if (Array.isArray(value)) {
    const empty = (item: unknown): boolean => typeof item === "string" && item.trim() === "";
    return value.filter((item) => !empty(item)).map((item) => lenient(item, items));
  }
  const alone = typeof value === "string" ? items.type === "string" : typeof value === "object" && value !== null;
  return alone ? list([value], items) : value;
}

/** Some models put the JSON of a list or object into a string. */
function unpacked(value: unknown, opening: "{" | "["): unknown {
  if (typeof value !== "string" || !value.trimStart().startsWith(opening)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function truth(text: string): unknown {
  const word = text.trim().toLowerCase();
  return word === "true" || word === "false" ? word === "true" : text;
}

function choice(text: string, allowed: readonly unknown[]): string {
  const word = text.trim().toLowerCase();
  return allowed.includes(word) ? word : text;
}

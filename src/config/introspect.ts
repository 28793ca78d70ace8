/** Reads keys, notes and defaults out of the schema, for the sample, the reference and "did you mean". */
import { z } from "zod";

/** A schema without what wraps it: defaults, optionality, and the step that fills an agent's name. */
export function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return unwrap(schema.unwrap());
  }
  if (schema instanceof z.ZodPipe) return unwrap(schema.def.in);
  return schema;
}

/** The schema behind one step of a path: a key, an index, or any name of a record. */
function stepInto(schema: unknown, step: PropertyKey): unknown {
  const bare = unwrap(schema);
  if (bare instanceof z.ZodObject) return bare.shape[String(step)];
  if (bare instanceof z.ZodArray) return bare.element;
  return bare instanceof z.ZodRecord ? bare.valueType : undefined;
}

/** The names that an object of the config may have, or none where any name will do. */
export function keysAt(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  const bare = unwrap(path.reduce(stepInto, schema));
  return bare instanceof z.ZodObject ? Object.keys(bare.shape) : [];
}

/** One key as the sample and the reference show it. */
export interface Key {
  readonly name: string;
  readonly schema: unknown;
  /** One sentence. */
  readonly description: string;
  readonly optional: boolean;
  /** The file must have it: it is neither optional nor has it a default. */
  readonly required: boolean;
  /** The default; `undefined` when there is none, or when it is put together from the defaults of the keys inside. */
  readonly default: unknown;
  /** What the sample shows instead of the default. */
  readonly sample: unknown;
  /** The sample sets the key, though it is optional. */
  readonly shown: boolean;
}

/** The keys of an object, in the order of the schema. */
export function keysOf(object: z.ZodObject): readonly Key[] {
  return Object.entries<unknown>(object.shape).map(([name, schema]) => {
    const meta = schema instanceof z.ZodType ? (schema.meta() ?? {}) : {};
    return {
      name,
      schema,
      description: meta.description ?? "",
      optional: schema instanceof z.ZodOptional,
      required: schema === withoutDefault(schema) && !(schema instanceof z.ZodOptional),
      default: defaultOf(schema),
      sample: meta["sample"],
      shown: meta["shown"] === true || !(schema instanceof z.ZodOptional),
    };
  });
}

function withoutDefault(schema: unknown): unknown {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault ? schema.unwrap() : schema;
}

function defaultOf(schema: unknown): unknown {
  if (!(schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)) return undefined;
  return unwrap(schema) instanceof z.ZodObject ? undefined : schema.def.defaultValue;
}

/** The object inside a key, if it holds one: itself, each entry of a record, or each item of a list. */
export function objectIn(
  schema: unknown,
): { readonly shape: "one" | "record" | "list"; readonly object: z.ZodObject } | undefined {
  const bare = unwrap(schema);
  if (bare instanceof z.ZodObject) return { shape: "one", object: bare };
  const inside =
    bare instanceof z.ZodArray
      ? unwrap(bare.element)
      : bare instanceof z.ZodRecord
        ? unwrap(bare.valueType)
        : undefined;
  if (!(inside instanceof z.ZodObject)) return undefined;
  return { shape: bare instanceof z.ZodArray ? "list" : "record", object: inside };
}

/** The kind of a value in one or two words. */
export function typeWord(schema: unknown): string {
  const bare = unwrap(schema);
  if (bare instanceof z.ZodEnum) return bare.options.map((option) => `\`${option}\``).join(", ");
  if (bare instanceof z.ZodNumber) return bare.isInt ? "whole number" : "number";
  if (bare instanceof z.ZodBoolean) return "`true` or `false`";
  if (bare instanceof z.ZodArray) {
    return unwrap(bare.element) instanceof z.ZodEnum ? `list of ${typeWord(bare.element)}` : "list";
  }
  if (bare instanceof z.ZodRecord || bare instanceof z.ZodObject) return "map";
  return "text";
}

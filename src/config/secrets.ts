/**
 * Values that come from elsewhere: `${NAME}` from the environment, anywhere in a text (`$${` stands for a plain `${`),
 * and `<key>_file` from a file, whose content goes under `<key>`.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { reasonOf } from "../core/errors.ts";
import type { Problem } from "./problem.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a `*_file` key may stand; every other one is an unknown key. `*` is any name or index. */
const fileKeys = ["store_file", "models.*.api_key_file", "agents.*.instructions_file"];

export interface Resolved {
  readonly value: unknown;
  readonly problems: readonly Problem[];
}

/** @param folder The config file's folder, which relative paths start from. */
export async function resolveSecrets(raw: unknown, env: Environment, folder: string): Promise<Resolved> {
  const problems: Problem[] = [];

  async function resolved(value: unknown, path: readonly PropertyKey[]): Promise<unknown> {
    if (typeof value === "string") return interpolate(value, path);
    if (Array.isArray(value)) return Promise.all(value.map((item, index) => resolved(item, [...path, index])));
    if (typeof value !== "object" || value === null) return value;
    const entries = await Promise.all(
      Object.entries(value).map(async ([key, item]): Promise<[string, unknown]> => {
        const given = await resolved(item, [...path, key]);
        const target = key.replace(/_file$/, "");
        if (!isFileKey([...path, key]) || typeof given !== "string") return [key, given];
        if (Object.hasOwn(value, target)) {
          problems.push({ path: [...path, key], key: true, text: `stands beside ${target}; keep one of the two` });
          return [key, given];
        }
        return [target, await contentOf(given, [...path, key])];
      }),
    );
    return Object.fromEntries(entries);
  }

  function interpolate(text: string, path: readonly PropertyKey[]): string {
    return text.replace(/\$\$\{|\$\{([^}]*)\}/g, (whole, name: string | undefined) => {
      if (name === undefined) return "${";
      const value = /^[A-Za-z_]\w*$/.test(name) ? env[name] : undefined;
      if (value !== undefined) return value;
      problems.push({
        path,
        text: `needs the environment variable ${name}, which is not set; set it, or write $\${ for a plain \${`,
      });
      return whole;
    });
  }

  async function contentOf(name: string, path: readonly PropertyKey[]): Promise<string | undefined> {
    try {
      const text = await readFile(resolve(folder, name), "utf8");
      const content = text.replace(/^\uFEFF/, "").trim();
      if (content === "") problems.push({ path, text: "names an empty file; write the value into it" });
      return content;
    } catch (thrown) {
      problems.push({
        path,
        text: `names a file that cannot be read (${reasonOf(thrown)}); create it or correct the path`,
      });
      return undefined;
    }
  }

  return { value: await resolved(raw, []), problems };
}

function isFileKey(path: readonly PropertyKey[]): boolean {
  return fileKeys.some((pattern) => {
    const steps = pattern.split(".");
    return steps.length === path.length && steps.every((step, index) => step === "*" || step === path[index]);
  });
}

/** The registration's file. It holds secrets, so it belongs to its owner alone; and it is never half written. */
import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm } from "node:fs/promises";
import { parse, stringify } from "yaml";
import { CrewError, reasonOf } from "../core/errors.ts";
import { registrationSchema, sampleTokens, type Registration } from "./registration.ts";

/**
 * Reads a registration and keeps all its keys.
 *
 * @throws CrewError `REGISTRATION_INVALID` when there is none, when a key is missing or wrong, or when its tokens are
 * those of the sample.
 */
export async function readRegistration(file: string): Promise<Registration> {
  const refuse = (reason: string, cause?: unknown): CrewError =>
    new CrewError("REGISTRATION_INVALID", { file, reason }, cause);
  const text = await readFile(file, "utf8").catch((thrown: unknown) => {
    throw refuse(reasonOf(thrown), thrown);
  });
  const checked = registrationSchema.safeParse(parsed(text));
  if (!checked.success) {
    const keys = checked.error.issues.map((issue) => issue.path.join(".") || "the whole file");
    throw refuse(`missing or wrong: ${[...new Set(keys)].join(", ")}`);
  }
  const placeholders: readonly string[] = Object.values(sampleTokens);
  if (placeholders.includes(checked.data.as_token) || placeholders.includes(checked.data.hs_token)) {
    throw refuse("its tokens are those of the sample, which everybody knows");
  }
  if (checked.data.as_token === checked.data.hs_token) throw refuse("as_token and hs_token are the same");
  return checked.data;
}

/** `undefined` for what is no YAML; the schema refuses it. Never the parser's message: it quotes lines, tokens included. */
function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Writes a registration with mode 0600, whole or not at all.
 *
 * @param options.force Replace a file that exists. Default: throw `REGISTRATION_EXISTS`.
 */
export async function writeRegistration(
  file: string,
  registration: Registration,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(draft, "wx", 0o600);
    try {
      await handle.writeFile(registrationText(registration));
      await handle.sync();
    } finally {
      await handle.close();
    }
    // A link fails when its name is taken, so nothing that appears meanwhile is overwritten.
    await (options.force === true ? rename(draft, file) : link(draft, file));
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST") {
      throw new CrewError("REGISTRATION_EXISTS", { file }, thrown);
    }
    throw new CrewError("REGISTRATION_UNWRITABLE", { file, reason: reasonOf(thrown) }, thrown);
  } finally {
    await rm(draft, { force: true });
  }
}

/** The registration as YAML. */
export function registrationText(registration: Registration): string {
  return stringify(registration, { lineWidth: 0 });
}

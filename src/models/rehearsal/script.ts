/**
 * A rehearsal script: rules in YAML that say what an agent answers when. This file is its schema and its reader; the
 * keys are described for people in docs/rehearsal.md.
 */
import { readFile } from "node:fs/promises";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { CrewError, reasonOf } from "../../core/errors.ts";

const oneOrMore = z.union([z.string(), z.array(z.string()).min(1)]);
const milliseconds = z.number().int().min(0).max(600_000);

/** `/source/flags`, or plain text that is looked for without regard to case. */
const pattern = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    const regex = /^\/(.+)\/([a-z]*)$/s.exec(text);
    if (regex === null) return;
    try {
      RegExp(regex[1] ?? "", regex[2]);
    } catch (thrown) {
      context.addIssue({ code: "custom", message: reasonOf(thrown) });
    }
  });

const when = z.strictObject({
  agent: oneOrMore.optional(),
  role: oneOrMore.optional(),
  last: pattern.optional(),
  last_tool: oneOrMore.optional(),
  result: pattern.optional(),
  turn: z.number().int().min(1).optional(),
  step: z.number().int().min(1).optional(),
});

const toolCall = z.strictObject({
  name: z.string().min(1),
  /** An object, or a text that is sent as it is (to rehearse arguments that are no JSON). */
  arguments: z.union([z.record(z.string(), z.unknown()), z.string()]).default({}),
});

const answer = z.strictObject({
  text: z.string().optional(),
  reasoning: z.string().optional(),
  tools: z.array(toolCall).min(1).optional(),
  delay_ms: milliseconds.default(0),
  chunk_delay_ms: milliseconds.default(0),
  chunks: z.number().int().min(1).max(10_000).optional(),
  finish_reason: z.enum(["stop", "length", "tool_calls", "content_filter"]).optional(),
  error: z
    .strictObject({
      status: z.number().int().min(400).max(599),
      message: z.string(),
      code: z.string().optional(),
      /** Seconds, sent as the Retry-After header. */
      retry_after: z.number().min(0).optional(),
    })
    .optional(),
  hang: z.boolean().default(false),
  disconnect: z.boolean().default(false),
  garbage: z.boolean().default(false),
});

const rule = z.strictObject({
  when: when.default({}),
  /** How often the rule may be played in one life of the server. Default: without limit. */
  times: z.number().int().min(1).optional(),
  answer,
});

const rehearsal = z.strictObject({
  /** A name for people; it appears in nothing but errors and logs. */
  name: z.string().optional(),
  rules: z.array(rule),
});

/** A script with its defaults filled in. */
export type Rehearsal = z.output<typeof rehearsal>;
/** A script as a person or a test writes it. */
export type RehearsalInput = z.input<typeof rehearsal>;
export type Rule = z.output<typeof rule>;
export type When = z.output<typeof when>;
export type Answer = z.output<typeof answer>;

/** How many problems an error names, so that one wrong indent does not fill the screen. */
const problemsTold = 5;

function refuse(file: string, problems: readonly string[]): CrewError {
  const told = problems.slice(0, problemsTold);
  const more = problems.length - told.length;
  return new CrewError("REHEARSAL_INVALID", {
    file,
    reason: [...told, ...(more > 0 ? [`and ${more} more`] : [])].join("; "),
  });
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

/** Fills in the defaults of a script written in code. Throws `REHEARSAL_INVALID` like {@link parseRehearsal}. */
export function checkRehearsal(script: RehearsalInput, file = "(given in code)"): Rehearsal {
  const checked = rehearsal.safeParse(script);
  if (checked.success) return checked.data;
  throw refuse(
    file,
    checked.error.issues.map((issue) => `${pathText(issue.path)}: ${issue.message}`),
  );
}

/** Reads a script from YAML. Throws `REHEARSAL_INVALID`, which names the file, the lines and the paths of the keys. */
export function parseRehearsal(source: string, file: string): Rehearsal {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  if (document.errors.length > 0) {
    throw refuse(
      file,
      document.errors.map(
        (error) => `line ${lines.linePos(error.pos[0]).line}: ${error.message.split("\n", 1)[0] ?? error.code}`,
      ),
    );
  }
  const checked = rehearsal.safeParse(document.toJS() ?? {});
  if (checked.success) return checked.data;

  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length >= 0; length -= 1) {
      const node: unknown = document.getIn(path.slice(0, length), true);
      const range: unknown = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
      if (Array.isArray(range) && typeof range[0] === "number") return lines.linePos(range[0]).line;
    }
    return 1;
  };
  throw refuse(
    file,
    checked.error.issues.map((issue) => {
      // An unknown key is reported on the object around it; its own line is the one to look at.
      const place = issue.code === "unrecognized_keys" ? [...issue.path, ...issue.keys.slice(0, 1)] : issue.path;
      return `line ${lineOf(place)}, ${pathText(issue.path) || "top"}: ${issue.message}`;
    }),
  );
}

/** Reads a script from a file. Throws `REHEARSAL_INVALID`, also when the file cannot be read. */
export async function loadRehearsal(file: string): Promise<Rehearsal> {
  let source: string;
  try {
    source = await readFile(file, "utf8");
  } catch (thrown) {
    throw new CrewError("REHEARSAL_INVALID", { file, reason: reasonOf(thrown) }, thrown);
  }
  return parseRehearsal(source, file);
}

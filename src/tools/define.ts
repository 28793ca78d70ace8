/** What every tool has in common: its schema as the model sees it, and arguments that are checked before it runs. */
import { z } from "zod";
import type { Tool, ToolCallContext } from "../runtimes/port.ts";
import type { ToolsContext } from "./context.ts";
import { lenient, type JsonSchema } from "./lenient.ts";
import { refusal } from "./refusal.ts";

export interface ToolDefinition {
  readonly name: string;
  /** One sentence: what it does. */
  readonly help: string;
  /** The arguments in short, to follow the word “takes”. */
  readonly takes: string;
  bind(context: ToolsContext): Tool;
}

interface Spec<Input extends z.ZodObject> {
  readonly name: string;
  readonly help: string;
  /** What else the model should know. */
  readonly more?: string;
  readonly takes: string;
  /** What did not happen when it is refused: “sent” for `Not sent: …`. */
  readonly refused: string;
  readonly input: Input;
  /** What else to say with a refusal. */
  readonly hint?: (context: ToolsContext, call: ToolCallContext) => string;
  run(args: z.output<Input>, asked: Asked): Promise<string>;
}

export interface Asked {
  readonly context: ToolsContext;
  readonly call: ToolCallContext;
  /** The text for arguments that are well formed and still cannot be meant. */
  readonly refuse: (why: string) => string;
}

export function defineTool<Input extends z.ZodObject>(spec: Spec<Input>): ToolDefinition {
  const { name, help, more, takes, refused, input, hint } = spec;
  const description = more === undefined ? help : `${help} ${more}`;
  // Made once: it goes to the model with every request, and must be the same bytes each time.
  const { $schema: _, ...inputSchema } = z.toJSONSchema(input);
  return {
    name,
    help,
    takes,
    bind: (context) => ({
      name,
      description,
      inputSchema,
      async call(value, call) {
        const refuse = (why: string): string =>
          refusal(refused, why, `${name} takes ${takes}.${hint === undefined ? "" : ` ${hint(context, call)}`}`);
        const parsed = input.safeParse(lenient(value, inputSchema as JsonSchema), { reportInput: true });
        return parsed.success
          ? spec.run(parsed.data, { context, call, refuse })
          : refuse(problems(parsed.error.issues));
      },
    }),
  };
}

/** Enough to correct the call; a plan of nonsense would give hundreds. */
const problemsTold = 5;

function problems(issues: readonly z.core.$ZodIssue[]): string {
  const more = issues.length > problemsTold ? [`and ${issues.length - problemsTold} more`] : [];
  return [...issues.slice(0, problemsTold).map(problem), ...more].join("; ");
}

function problem(issue: z.core.$ZodIssue): string {
  return `${placeOf(issue.path)}: ${sentenceOf(issue)}`;
}

function placeOf(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  return steps.join("").replace(/^\./, "") || "the arguments";
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return `there is no field ${issue.keys.slice(0, problemsTold).join(", ")}`;
  if (issue.input === undefined && issue.code !== "custom") return "is missing";
  if (issue.code === "invalid_value") return `must be ${issue.values.map(String).join(" or ")}`;
  if (issue.code === "invalid_type") return `must be ${articled(issue.expected)}`;
  return issue.message;
}

function articled(expected: string): string {
  const word = expected === "array" ? "list" : expected === "int" ? "whole number" : expected;
  return `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`;
}

/** `agents`: the crew. */
import { z } from "zod";
import { agentId, avatar, count, word } from "./fields.ts";

/** Runtimes that have a place in the design but no code yet. Naming one is an error that says so. */
const laterRuntimes = ["acp", "openclaw", "qwenpaw"];

const runtime = z.string().transform((text, context): "builtin" => {
  if (text === "builtin") return text;
  context.addIssue(
    laterRuntimes.includes(text)
      ? `names the runtime ${text}, which is not available yet; use builtin`
      : `names the unknown runtime ${JSON.stringify(text)}; use builtin`,
  );
  return z.NEVER;
});

const agent = z.strictObject({
  id: agentId.describe("Becomes the Matrix user @agent_<id>:<domain>; keep it for ever.").meta({ sample: "ada" }),
  name: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe("Display name; the id when left out.")
    .meta({ sample: "Ada", shown: true }),
  roles: z
    .array(word)
    .min(1, { error: "is empty; leave the key out for an executor" })
    .default(["executor"])
    .describe("What the agent is for: planner, executor, reviewer, patrol, or a word of your own.")
    .meta({ sample: ["planner"] }),
  capabilities: z
    .array(word)
    .default([])
    .describe("What it can do beside its roles, in words of your own, like python; a subtask may ask for one."),
  parallel: count(1).default(1).describe("Most subtasks and reviews that it works on at the same time, in all rooms."),
  runtime: runtime
    .prefault("builtin")
    .describe("The program that thinks for the agent; builtin is the only one so far."),
  model: z.string().min(1).default("default").describe("Key of models."),
  instructions: z
    .string()
    .default("")
    .describe(
      "Who the agent is and how it works, in your words. Rules that matter are enforced by the bridge, not here.",
    )
    .meta({ sample: "You plan. You ask before you guess." }),
  instructions_file: z
    .string()
    .min(1)
    .optional()
    .describe("File that holds the instructions, instead of instructions.")
    .meta({ sample: "ada.md" }),
  avatar: avatar.optional().describe("Picture: an mxc:// address or the path of an image.").meta({ sample: "ada.png" }),
});

export const agents = z
  .array(agent.transform((given) => ({ ...given, name: given.name ?? given.id })))
  .min(1, { error: "is empty; a crew needs at least one agent" });

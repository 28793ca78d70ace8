/** The tool `send_message`: an agent says something before its turn ends, or wakes another agent. */
import { z } from "zod";
import { agentUserId, asUserId, type AgentId, type UserId } from "../core/ids.ts";
import type { Tool } from "../runtimes/port.ts";
import { effectOf, type ToolsContext } from "./context.ts";

const input = z.strictObject({
  to: z
    .string()
    .optional()
    .describe("Whom it is for: an agent's id, or a full Matrix id like @name:server. Without it: the room."),
  text: z
    .string()
    .refine((text) => text.trim() !== "", { error: "is empty" })
    .describe("What to say, in Markdown."),
});

/** Made once: it goes to the model with every request, and must be the same bytes each time. */
const inputSchema: Readonly<Record<string, unknown>> = z.toJSONSchema(input);

const allowed =
  "send_message takes text (not empty) and, optionally, to (an agent's id, or a full Matrix id like @name:server).";

export function sendMessage(context: ToolsContext): Tool {
  return {
    name: "send_message",
    description:
      "Sends a message to the room now, before your answer. With `to`, that agent or person is addressed: " +
      "an agent is woken by it and answers in the room later, not as this tool's result. " +
      "Your answer itself is shown without this tool.",
    inputSchema,
    async call(value, call) {
      const here = context.agentsHere(call.turn);
      const refuse = (why: string): string => `Not sent: ${why}. ${allowed} ${agentsTold(here)}`;
      const parsed = input.safeParse(withoutNulls(value));
      if (!parsed.success) return refuse(parsed.error.issues.map(problem).join("; "));
      const { to = "", text } = parsed.data;
      const user = to.trim() === "" ? undefined : userOf(to.trim(), here, context.server);
      if (user === "unknown") return refuse(`there is no agent ${JSON.stringify(to.slice(0, 100))} in this room`);
      return context.says(call.turn, effectOf(call), user, text);
    },
  };
}

/** A full id is taken as it is, and the room decides; a bare name can only be an agent's of this room. */
function userOf(to: string, here: readonly AgentId[], server: string): UserId | "unknown" {
  const full = asUserId(to);
  if (full !== undefined) return full;
  const name = to.replace(/^@?(?:agent_)?/, "").toLowerCase();
  const agent = here.find((id) => id === to || id === name);
  return agent === undefined ? "unknown" : agentUserId(agent, server);
}

/** Some models write null for what they leave out. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}

function problem(issue: z.core.$ZodIssue): string {
  return `${issue.path.join(".") || "the arguments"}: ${issue.message}`;
}

function agentsTold(here: readonly AgentId[]): string {
  return here.length === 0 ? "There are no agents in this room." : `Agents in this room: ${here.join(", ")}.`;
}

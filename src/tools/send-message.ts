/** The tool `send_message`: an agent says something before its turn ends, or wakes another agent. */
import { z } from "zod";
import { agentUserId, asUserId, type AgentId, type UserId } from "../core/ids.ts";
import { effectOf } from "./context.ts";
import { defineTool } from "./define.ts";

export const sendMessage = defineTool({
  name: "send_message",
  help: "Sends a message to the room now, before your answer.",
  more:
    "With `to`, that agent or person is addressed: an agent is woken by it and answers in the room later, not as this " +
    "tool's result. Your answer itself is shown without this tool.",
  takes: "text (not empty) and, optionally, to (an agent's id, or a full Matrix id like @name:server)",
  refused: "sent",
  input: z.strictObject({
    to: z
      .string()
      .optional()
      .describe("Whom it is for: an agent's id, or a full Matrix id like @name:server. Without it: the room."),
    text: z
      .string()
      .refine((text) => text.trim() !== "", { error: "is empty" })
      .describe("What to say, in Markdown."),
  }),
  hint: (context, { turn }) => agentsTold(context.agentsHere(turn)),
  async run({ to, text }, { context, call, refuse }) {
    const user = to === undefined ? undefined : userOf(to.trim(), context.agentsHere(call.turn), context.server);
    if (user === "unknown") return refuse(`there is no agent ${JSON.stringify(to?.slice(0, 100))} in this room`);
    return context.says(call.turn, effectOf(call), user, text);
  },
});

/** A full id is taken as it is, and the room decides; a bare name can only be an agent's of this room. */
function userOf(to: string, here: readonly AgentId[], server: string): UserId | "unknown" {
  const full = asUserId(to);
  if (full !== undefined) return full;
  const name = to.replace(/^@?(?:agent_)?/, "").toLowerCase();
  const agent = here.find((id) => id === to || id === name);
  return agent === undefined ? "unknown" : agentUserId(agent, server);
}

function agentsTold(here: readonly AgentId[]): string {
  return here.length === 0 ? "There are no agents in this room." : `Agents in this room: ${here.join(", ")}.`;
}

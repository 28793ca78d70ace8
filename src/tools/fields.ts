/** Arguments that several tools have. */
import { z } from "zod";
import { agentOfUserId, asAgentId, asUserId, type AgentId } from "../core/ids.ts";

/** Text that says something. Bounded, since much of it goes into state events, which homeservers hold to 64 KiB. */
export function words(most: number): z.ZodString {
  return z
    .string()
    .trim()
    .refine((text) => text !== "", { error: "is empty" })
    .refine((text) => text.length <= most, { error: `has more than ${most} characters` });
}

const idForm = /^[a-z0-9][a-z0-9_-]{0,39}$/;

/** A subtask's id where it is chosen. Models like capitals; ids have none, so that nothing is lost with them. */
export const newSubtask = z.string().trim().toLowerCase().regex(idForm, {
  error: "must be an id of at most 40 of the characters a-z, 0-9, _ and -, beginning with a letter or digit",
});

/** A subtask's id where one is named: whether it exists, the room knows. */
export const subtask = words(200).toLowerCase();

/** The agent that is meant by its id, its Matrix id, or either in a slightly different form. */
export function agentNamed(text: string, server: string): AgentId | undefined {
  const name = text.trim();
  const user = asUserId(name);
  if (user !== undefined) return agentOfUserId(user, server);
  return asAgentId(name) ?? asAgentId(name.replace(/^@?(?:agent_)?/, "").toLowerCase());
}

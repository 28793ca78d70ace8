/**
 * What the demo plays: a task from the wish to the signature, then a chat in which a long turn is stopped, and what the
 * audit log tells of it all.
 */
import { playAudit } from "./audit-play.ts";
import { playChat } from "./chat-play.ts";
import { type ConversationParts, Steps } from "./steps.ts";
import { playTask } from "./task-play.ts";

export type { ConversationParts } from "./steps.ts";

/** Resolves to what was expected and did not come, in words: nothing when all went well. */
export async function playConversation(parts: ConversationParts): Promise<readonly string[]> {
  const steps = new Steps(parts);
  try {
    const hq = await playTask(parts, steps);
    await playChat(parts, steps);
    await playAudit(parts, steps, hq);
    return steps.failed;
  } catch (error) {
    if (parts.signal.aborted) return [...steps.failed, steps.expecting];
    throw error;
  }
}

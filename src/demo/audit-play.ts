/** The person asks who did what, and who allowed it: the leave and the stop of before, from the audit log. */
import type { ConversationParts, Steps } from "./steps.ts";

/** What the newest entries tell of the script's Bo, by what is shown of it. */
const recorded = [
  ["the command that was asked about", "permission asked`: `[^`]*npm pack --dry-run"],
  ["your leave for it", "permission answered`, on `bo`: `[^`]*approve, run_command npm pack --dry-run"],
  ["the command, done with that leave", "`run_command` of `parser`: `npm pack --dry-run` \\(`grant g\\d+`\\)"],
  ["your stop of Bo's turn", "`stop`, on `bo`"],
] as const;

/** @param hq Where the log of all rooms is read. */
export async function playAudit({ scripted }: ConversationParts, steps: Steps, hq: string): Promise<void> {
  const { text } = await steps.command(hq, "!crew audit bo");
  if (!scripted) return;
  for (const [what, pattern] of recorded)
    if (!new RegExp(pattern).test(text)) steps.failed.push(`${what}, in the audit log`);
}

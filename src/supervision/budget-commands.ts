/** `!crew budget`: what was used, what may be used, and a task's own limit. */
import { everybody, limitToday, spentToday, taskLimits } from "../core/budget.ts";
import { type Limits, shareOf, type Spent, spentText, sumOf, tokensText, usd, usedText } from "../core/spent.ts";
import type { Draft } from "../core/draft.ts";
import type { AgentId } from "../core/ids.ts";
import { setBudget } from "../core/tasks/budget.ts";
import { nameIn } from "../core/world.ts";
import { type Command, usageOf } from "./command.ts";

const budget = { name: "budget", usage: "[<n> tokens|<n> usd]" };

export const budgetCommands: readonly Command[] = [
  {
    ...budget,
    help: "Shows what was used in this task and today, by agent, and what is left; or sets what this task may use.",
    level: "observe",
    steers: "with words",
    run: (draft, message, words) => {
      if (words.trim() === "") return shown(draft);
      if (draft.state.task === undefined) return "Only a task has a budget of its own, and this is no task room.";
      const limit = readLimit(words);
      if (limit === undefined) return `How much? Usage: ${usageOf(budget)}, like \`!crew budget 500000 tokens\`.`;
      return setBudget(draft, message, limit);
    },
  },
];

/** `500000 tokens`, `500k tokens`, `2.5 usd`, `$2.50`. `undefined` when it is none of these, or nothing. */
export function readLimit(words: string): Limits | undefined {
  const text = words
    .trim()
    .toLowerCase()
    // Between groups of three, as in 1,500. Of `0,500` nobody knows whether it is half of one or five hundred.
    .replaceAll(/(?<![\d.])[1-9]\d{0,2}(?:([ _,])\d{3})(?:\1\d{3})*(?!\d)/g, (number) =>
      number.replaceAll(/[ _,]/g, ""),
    );
  const tokens = /^(\d{1,9})(k|m)? ?tokens?$/.exec(text);
  if (tokens !== null) {
    const [, digits = "", unit] = tokens;
    const count = Number(digits) * (unit === "m" ? 1_000_000 : unit === "k" ? 1_000 : 1);
    return count > 0 ? { tokens: count } : undefined;
  }
  const money = /^(?:\$ ?(\d{1,6}(?:\.\d{1,6})?)|(\d{1,6}(?:\.\d{1,6})?) ?(?:usd|\$|dollars?))$/.exec(text);
  const microusd = Math.round(Number(money?.[1] ?? money?.[2] ?? 0) * 1_000_000);
  return microusd > 0 ? { microusd } : undefined;
}

function shown(draft: Draft): string {
  const { task } = draft.state;
  const nameOf = nameIn(draft.world);
  const lines: string[] = [];
  if (task !== undefined) {
    lines.push(line(`This task`, sumOf(task.spent), taskLimits(draft)));
    for (const [agent, spent] of Object.entries(task.spent))
      lines.push(`  - ${nameOf(agent as AgentId)}: ${spentText(spent)}`);
  }
  lines.push(line("Today, the crew", spentToday(draft, everybody), limitToday(draft, everybody)));
  for (const { id, name } of draft.world.crew.values()) {
    const spent = spentToday(draft, id);
    if (spent.tokens > 0) lines.push(`  ${line(name, spent, limitToday(draft, id))}`);
  }
  return `${lines.join("\n")}\n\nDays end at 00:00 UTC.`;
}

function line(what: string, spent: Spent, limits: Limits): string {
  const { tokens, microusd } = limits;
  if (tokens === undefined && microusd === undefined) return `- **${what}**: ${spentText(spent)}; no limit`;
  const left = [
    ...(tokens === undefined ? [] : [tokensText(Math.max(0, tokens - spent.tokens))]),
    ...(microusd === undefined ? [] : [usd(Math.max(0, microusd - spent.microusd))]),
  ].join(" and ");
  return `- **${what}**: ${usedText(spent, limits)} (${shareOf(spent, limits)} %), ${left} left. In all ${spentText(spent)}`;
}

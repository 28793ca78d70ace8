/** `!crew approve` and `!crew deny`: answers to questions, for who would rather type. */
import { answerAsk, readReply, repliedAsk } from "../core/answers.ts";
import { headlineOf, labelOf } from "../core/ask-text.ts";
import { type Ask, askById, mayAnswer } from "../core/asks.ts";
import type { Draft } from "../core/draft.ts";
import type { Message } from "../core/input.ts";
import { refuse, steererShort, steerers } from "../core/steering.ts";
import { type Command, firstWord, quoted } from "./command.ts";

const who = "whoever may answer the question";

export const answerCommands: readonly Command[] = [
  {
    name: "approve",
    usage: "[id] [words]",
    help: "Answers an open question of this room with yes; where it has other options, with the one that you name.",
    level: "talk",
    steers: "no",
    who,
    run: (draft, message, words) => answerBy(draft, message, words, "approve"),
  },
  {
    name: "deny",
    usage: "[id] <why>",
    help: "Answers an open question of this room with no; who asked is told why.",
    level: "talk",
    steers: "no",
    who,
    run: (draft, message, words) => answerBy(draft, message, words, "deny"),
  },
];

function answerBy(draft: Draft, message: Message, words: string, option: "approve" | "deny"): string {
  const asks = draft.state.asks ?? [];
  if (asks.length === 0) return "No question is open in this room.";
  const [word, rest] = firstWord(words);
  const isNamed = /^`?a\d+`?$/i.test(word);
  const ask = isNamed ? askById(draft, word.replaceAll("`", "").toLowerCase()) : theOnlyOne(draft, message, asks);
  if (ask === undefined) {
    const unknown = isNamed ? `No question ${quoted(word)} is open here. ` : "";
    return `${unknown}Say which one, like \`!crew ${option} ${asks[0]?.id}\`. Open here:\n${asks.map(line).join("\n")}`;
  }
  if (!mayAnswer(draft, message.sender, ask)) {
    const text = `To answer \`${ask.id}\` you need ${steerers}.`;
    refuse(draft, message, { text, what: `!crew ${option}`, because: steererShort });
    return "";
  }
  const said = isNamed ? rest : words.trim();
  const isOption = ask.options.some(({ id }) => id === option);
  // A question with options of its own is answered by naming one of them, or in words.
  const answer = isOption ? { option, why: said } : option === "approve" ? readReply(ask, said) : undefined;
  if (answer === undefined)
    return `\`${ask.id}\` is not answered by that. ${line(ask)}\nReply to it, or name an option.`;
  answerAsk(draft, ask, { ...answer, by: message.sender, event: message.event });
  const chosen = ask.options.find(({ id }) => id === answer.option);
  return `Noted: \`${ask.id}\`${chosen === undefined ? "" : `, **${labelOf(chosen)}**`}.`;
}

/** The question that the command replies to, or the only one that is open, if it could be seen when the command was said. */
function theOnlyOne(draft: Draft, message: Message, asks: readonly Ask[]): Ask | undefined {
  const [only] = asks.length === 1 ? asks : [];
  return repliedAsk(draft, message) ?? (only !== undefined && only.asked <= message.ts ? only : undefined);
}

function line(ask: Ask): string {
  const { id, options } = ask;
  const choices = options.map((option) => `${option.key} ${labelOf(option)}`).join(", ");
  return `- \`${id}\` ${headlineOf(ask)}${choices === "" ? "" : ` (${choices})`}`;
}

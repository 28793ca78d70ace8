/** The words of questions to people: how to answer, what came of it, and what HQ is told. */
import type { Answer, Ask, AskOption } from "./asks.ts";
import type { RoomId } from "./ids.ts";
import type { Task } from "./tasks/task.ts";
import { truncate } from "./text.ts";
import { escaped, spoken } from "./verbatim.ts";

const headlineChars = 300;

/** What a question is about, for lists and for HQ. */
export function headlineOf({ text }: Pick<Ask, "text">): string {
  return truncate(text.trim().split("\n", 1)[0] ?? "", headlineChars);
}

/** Stands in the room for a question that is too long for a message; the whole is in a file before it. */
export function briefOf(ask: Ask): string {
  return `${headlineOf(ask)}\n\n📎 The whole question is in the file above.\n\n${howToAnswer(ask)}`;
}

/** The same after its answer, whose words may be a whole document. */
export function briefOutcome(ask: Ask, outcome: string): string {
  return `${headlineOf(ask)}\n\n${truncate(outcome, outcomeChars)}`;
}

/** Of an answer, in the typed part and where the text is too long; its words are in the room and with the agent. */
export const outcomeChars = 4_000;

/** The last line of an open question. */
export function howToAnswer(ask: Ask): string {
  const silence = ask.options.find(({ id }) => id === ask.timeout);
  const until = minuteOf(ask.deadline);
  const end = silence === undefined ? `Open until ${until}.` : `Without an answer by ${until}: ${silence.label}.`;
  return `${waysToAnswer(ask)} ${end}`;
}

function waysToAnswer({ id, options, matter }: Ask): string {
  const own = matter.kind === "question";
  if (options.length === 0) return "Reply to this message in your own words.";
  const has = (wanted: string): AskOption | undefined => options.find((option) => option.id === wanted);
  const [approve, deny] = [has("approve"), has("deny")];
  if (approve !== undefined && deny !== undefined && options.length === 2) {
    const words = own ? ", or in your own words" : "";
    return `React ${approve.key} or ${deny.key}, or reply \`approve\` / \`deny <why>\`${words}; or \`!crew approve ${id}\`.`;
  }
  const listed = options.map((option) =>
    isNumber(option) ? `${option.key} ${labelOf(option)}` : `${option.key} \`${option.id}\` (${labelOf(option)})`,
  );
  const words = own ? ", or reply in your own words" : "";
  return `React, or reply with the ${options.every(isNumber) ? "number" : "word"}${words}: ${listed.join(" · ")}.`;
}

/** An agent writes those of its own questions. */
export function labelOf({ label }: Pick<AskOption, "label">): string {
  return escaped(label);
}

function isNumber({ id }: AskOption): boolean {
  return /^\d+$/.test(id);
}

/** What stands under an answered question. */
export function outcomeLine(ask: Ask, answer: Answer): string {
  const option = ask.options.find(({ id }) => id === answer.option);
  const why = answer.why.trim();
  if (answer.by === undefined) return `⌛ No answer in time${option === undefined ? "" : `: **${option.label}**`}.`;
  if (option === undefined) return spoken(`💬 ${answer.by} answered:`, why);
  const verb = { approve: "Approved", deny: "Denied" }[option.label] ?? `“${labelOf(option)}”, said`;
  const said = `${option.key} **${verb}** by ${answer.by}${why === "" ? "." : ":"}`;
  return why === "" ? said : spoken(said, why);
}

/** What the audit log tells of a question: the very use that leave is asked for, or its first line. */
export function askedLine({ id, matter, text }: Ask): string {
  return `${id}: ${matter.kind === "permission" ? useOf(matter) : headlineOf({ text })}`;
}

/** What the audit log tells of an answer, so that it can be read without the question. */
export function answeredLine({ id, matter, options }: Ask, { option, why }: Answer): string {
  const label = matter.kind === "question" ? options.find((one) => one.id === option)?.label : undefined;
  const chosen = label === undefined ? option : `${option}, ${label}`;
  const use = matter.kind === "permission" ? `, ${useOf(matter)}` : "";
  return `${id}: ${chosen}${use}${why === "" ? "" : `, ${why}`}`;
}

function useOf({ tool, about }: Extract<Ask["matter"], { kind: "permission" }>): string {
  return `${tool} ${about}`;
}

/** One line for HQ, with a link to the room where the question waits. */
export function headquartersLine(ask: Ask, task: Task | undefined, room: RoomId, server: string): string {
  const link = `https://matrix.to/#/${encodeURIComponent(room)}?via=${encodeURIComponent(server)}`;
  const where = task === undefined ? "**A chat**" : `**#${task.number} ${task.title}**`;
  return `${where} [waits for a person](${link}): ${headlineOf(ask)}`;
}

/** `2026-11-21 06:14 UTC`: one that reads the same for everybody, wherever they are. */
function minuteOf(ts: number): string {
  return `${new Date(ts).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

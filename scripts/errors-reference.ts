/** `docs/errors.md`, from the table of errors. */
import { errorTable, type ErrorKind } from "../src/core/errors.ts";

const toldWords: Readonly<Record<ErrorKind["told"], string>> = {
  room: "the room",
  operator: "the operator",
  caller: "who asked",
};

export function errorsReference(): string {
  const rows = Object.entries<ErrorKind>(errorTable).map(([code, { sentence, todo, certain, told }]) =>
    ["", `\`${code}\``, cell(sentence), cell(todo), certain ? "no" : "perhaps", toldWords[told], ""].join(" | ").trim(),
  );
  return `# Errors

Generated from \`src/core/errors.ts\` by \`npm run generate\`.

Every failure has a code that stays the same, in logs, rooms and metrics. Names in braces are filled in. *Happened* says
whether what was tried may have happened all the same. *Told* says who hears of it: the room that it concerns, the
operator (log, command line, HQ), or who asked (an HTTP caller, an agent that used a tool).

| Code | What it says | What to do | Happened | Told |
| --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

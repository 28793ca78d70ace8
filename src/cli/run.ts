/** Finds the command, runs it, and says what went wrong without a stack. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { asCrewError, CrewError, reasonOf } from "../core/errors.ts";
import { visible } from "../core/verbatim.ts";
import { version } from "../package.ts";
import { commands, type Command } from "./commands.ts";
import { type Given } from "./given.ts";
import { commandHelp, helpText } from "./help.ts";
import type { ExitCode, Terminal } from "./terminal.ts";

/** @param args Without the program's own name. Resolves to the exit code; never rejects. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(args, terminal);
  } catch (thrown) {
    const error = asCrewError(thrown);
    // What a homeserver or a store said may be in it, and must not steer the terminal.
    terminal.err(visible(`error ${error.code}: ${error.message}`));
    terminal.err(visible(`→ ${error.todo}`));
    if (terminal.env["LOG_LEVEL"] === "debug" && error.stack !== undefined) terminal.err(error.stack);
    return error.code === "COMMAND_INVALID" ? 2 : 1;
  }
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const { name, rest } = nameIn(args);
  if (name === "--version") {
    terminal.out(version);
    return 0;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    terminal.out(helpText());
    return 0;
  }
  if (name === undefined) throw new CrewError("COMMAND_INVALID", { reason: "Say what to do." });
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    const longer = Object.keys(commands).filter((one) => one.startsWith(`${name} `));
    const hint = longer.length === 0 ? "" : ` Did you mean crewroom ${longer.join(", crewroom ")}?`;
    throw new CrewError("COMMAND_INVALID", { reason: `There is no command ${JSON.stringify(name)}.${hint}` });
  }
  const given = optionsOf(name, command, rest);
  if (given["help"] === true) {
    terminal.out(commandHelp(name, command));
    return 0;
  }
  return command.run(given, terminal);
}

/** Names have one word or two. */
function nameIn([first, second, ...others]: readonly string[]): { readonly name?: string; readonly rest: string[] } {
  if (first === undefined) return { rest: [] };
  if (second === undefined) return { name: first, rest: [] };
  const both = `${first} ${second}`;
  return Object.hasOwn(commands, both) ? { name: both, rest: others } : { name: first, rest: [second, ...others] };
}

function optionsOf(name: string, command: Command, args: string[]): Given {
  const options: NonNullable<ParseArgsConfig["options"]> = { help: { type: "boolean", short: "h" } };
  for (const [option, { value }] of Object.entries(command.options)) {
    options[option] = { type: value === undefined ? "boolean" : "string" };
  }
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (thrown) {
    throw new CrewError("COMMAND_INVALID", { reason: `crewroom ${name}: ${reasonOf(thrown)}` }, thrown);
  }
}

/** What `--help` prints. */
import { commands, type Command } from "./commands.ts";

const width = 26;

export function helpText(): string {
  const lines = Object.entries(commands).map(([name, command]) => `  ${name.padEnd(width)}${command.help}`);
  return [
    "crewroom: a crew of AI agents in Matrix rooms",
    "",
    "Usage: crewroom <command> [options]",
    "",
    "Commands:",
    ...lines,
    "",
    "Options:",
    `  ${"--help".padEnd(width)}show this, or with a command its options`,
    `  ${"--version".padEnd(width)}show the version`,
  ].join("\n");
}

export function commandHelp(name: string, command: Command): string {
  const options = Object.entries(command.options).map(([option, { value, help }]) => {
    const shown = value === undefined ? `--${option}` : `--${option} ${value}`;
    return `  ${shown.padEnd(width)}${help}`;
  });
  return [`Usage: crewroom ${name} [options]`, "", command.help, "", "Options:", ...options].join("\n");
}

/** What an agent reads of a command that it ran. */
import type { CommandResult } from "../port.ts";
import { bytes, shown } from "./answer.ts";

const endings = {
  time: "was ended: it took longer than it may",
  memory: "was ended: it took more memory than it may",
  processes: "was ended: it started more processes than it may",
  stopped: "was stopped with this turn",
  signal: "was ended by a signal",
} as const satisfies Record<NonNullable<CommandResult["endedBy"]>, string>;

const commandLength = 80;

/** One line about its end, and the output. */
export function describeRun(command: string, result: CommandResult): string {
  const { code, endedBy, output, leftOut, tookMs } = result;
  const short = command.length > commandLength ? `${command.slice(0, commandLength)}…` : command;
  const end =
    endedBy !== undefined ? endings[endedBy] : code === undefined ? endings.signal : `ended with exit code ${code}`;
  const exit = endedBy !== undefined && code !== undefined ? ` (exit code ${code})` : "";
  const cut = leftOut > 0 ? `; ${bytes(leftOut)} of its output are left out` : "";
  const head = `${shown(short)} ${end}${exit} after ${(tookMs / 1000).toFixed(1)} s${cut}.`;
  return output.trim() === "" ? `${head} It printed nothing.` : `${head}\n${output.replace(/\n$/, "")}`;
}

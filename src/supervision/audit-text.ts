/** The answer of `!crew audit`: entries of the audit log as a room reads them. */
import type { AuditEntry } from "../core/audit.ts";
import { code } from "../core/verbatim.ts";

/** More would be no answer but a file. */
const maxLines = 20;
/**
 * Markdown with one line for each entry, the last ones if there are many, under the day that they are of.
 * @param entries Oldest first.
 */
export function auditText(entries: readonly AuditEntry[]): string {
  const shown = entries.slice(-maxLines);
  if (shown.length === 0) return "The audit log has nothing of that.";
  const rooms = new Set(shown.map(({ room }) => room)).size;
  const lines: string[] = [];
  let day = "";
  for (const entry of shown) {
    const [date = "", time = ""] = new Date(entry.ts).toISOString().split("T");
    if (date !== day) lines.push(`${lines.length === 0 ? "" : "\n"}**${date}** (UTC)\n`);
    day = date;
    lines.push(`- ${time.slice(0, 5)} ${inWords(entry, rooms > 1)}`);
  }
  return lines.join("\n");
}

/** Names and words of strangers are shown as code: nothing in them becomes markup, a link or a mention. */
function inWords(entry: AuditEntry, severalRooms: boolean): string {
  const { kind, what, by, subtask, agent, detail, because } = entry;
  const task = entry.task === undefined ? code(entry.room) : `#${entry.task}`;
  return [
    severalRooms ? `${task} ` : "",
    `${code(by)}: ${kind} ${code(what)}`,
    subtask === undefined ? "" : ` of ${code(subtask)}`,
    agent === undefined || agent === by ? "" : `, on ${code(agent)}`,
    detail === undefined || detail.trim() === "" ? "" : `: ${code(detail)}`,
    because === undefined ? "" : ` (${code(because)})`,
  ].join("");
}

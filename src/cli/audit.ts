/** `crewroom audit`: what happened and who decided it, read from the store, also while the bridge runs. */
import { loadConfig } from "../config/load.ts";
import { type AuditKind, auditKinds } from "../core/audit.ts";
import { CrewError } from "../core/errors.ts";
import { asAgentId } from "../core/ids.ts";
import type { AuditFilter, AuditReader, ChainedEntry } from "../journal/journal.ts";
import { openAuditReader } from "../journal/open.ts";
import { configFile, text, type Given } from "./given.ts";
import type { ExitCode, Terminal } from "./terminal.ts";

/** Exit code 1 when the log is not as it was written. */
export async function audit(given: Given, terminal: Terminal): Promise<ExitCode> {
  const filter = filterOf(given);
  const json = given["json"] === true;
  const verifies = given["verify"] === true;
  if (verifies && Object.keys(filter).length > 0) {
    throw invalid("--verify checks the whole log; it goes without --task, --agent, --kind and --since.");
  }
  const { config } = await loadConfig(configFile(given), { env: terminal.env });
  await using reader = await openAuditReader(config.store);
  if (verifies) return await verify(reader, json, terminal);
  if (json) {
    for await (const entry of reader.read(filter)) {
      terminal.out(jsonLine(entry));
      await terminal.caughtUp?.();
    }
    return 0;
  }
  let heading: string | undefined = rowOf(["time", "task", "who", "what", "detail", "(why)"]);
  for await (const { entry } of reader.read(filter)) {
    if (heading !== undefined) terminal.out(heading);
    heading = undefined;
    const { ts, task, by, kind, what, subtask, agent, detail, because } = entry;
    const about = [subtask, agent === by ? undefined : agent, detail].filter(
      (part) => part !== undefined && part !== "",
    );
    const time = `${new Date(ts).toISOString().slice(0, 19)}Z`;
    terminal.out(
      rowOf([
        time,
        task === undefined ? "" : `#${task}`,
        by,
        `${kind} ${what}`,
        about.join(": "),
        because === undefined ? "" : `(${because})`,
      ]),
    );
    await terminal.caughtUp?.();
  }
  if (heading !== undefined) terminal.out("no entries");
  return 0;
}

async function verify(reader: AuditReader, json: boolean, terminal: Terminal): Promise<ExitCode> {
  const verdict = await reader.verify();
  if (json) {
    terminal.out(escaped(JSON.stringify(verdict)));
    return verdict.ok ? 0 : 1;
  }
  if (!verdict.ok) throw new CrewError("AUDIT_BROKEN", { n: verdict.at, why: visible(verdict.why) });
  terminal.out(`entries ${verdict.entries}`);
  terminal.out(`head ${verdict.head}`);
  return 0;
}

function filterOf(given: Given): AuditFilter {
  const [task, agent, kind, since] = ["task", "agent", "kind", "since"].map((option) => text(given, option));
  return {
    ...(task === undefined ? {} : { task: taskOf(task) }),
    ...(agent === undefined ? {} : { agent: need(asAgentId(agent), "--agent needs an agent's id, like ada.") }),
    ...(kind === undefined ? {} : { kind: kindOf(kind) }),
    ...(since === undefined ? {} : { since: timeOf(since) }),
  };
}

function taskOf(given: string): number {
  return Number(need(/^#?([1-9]\d{0,8})$/.exec(given)?.[1], "--task needs a task's number, like 7."));
}

function kindOf(given: string): AuditKind {
  return need(
    auditKinds.find((kind) => kind === given),
    `--kind is one of ${auditKinds.join(", ")}.`,
  );
}

/** A day is taken from its beginning in UTC; a time without a zone in the machine's own. */
function timeOf(given: string): number {
  const at = /^\d{4}-\d\d-\d\d(T|$)/.test(given) ? Date.parse(given) : NaN;
  return need(Number.isNaN(at) ? undefined : at, "--since needs a time like 2026-11-21 or 2026-11-21T09:30Z.");
}

function need<T>(value: T | undefined, sentence: string): T {
  if (value !== undefined) return value;
  throw invalid(sentence);
}

function invalid(sentence: string): CrewError {
  return new CrewError("COMMAND_INVALID", { reason: `crewroom audit: ${sentence}` });
}

/** The whole entry, as the chain has it. */
function jsonLine({ n, at, prev, hash, entry }: ChainedEntry): string {
  return escaped(JSON.stringify({ n, at, prev, hash, entry }));
}

/** What JSON leaves as it is and a terminal does not: controls above ASCII, marks of direction, invisible characters. */
function escaped(json: string): string {
  return json.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) =>
    Array.from({ length: char.length }, (_, unit) => `\\u${hexOf(char.charCodeAt(unit))}`).join(""),
  );
}

function hexOf(number: number): string {
  return number.toString(16).padStart(4, "0");
}

/** The longest of most entries; what is longer moves the rest of its row. */
const widths = [20, 5, 20, 24];

function rowOf(cells: readonly string[]): string {
  return cells
    .map((cell, column) => visible(cell).padEnd(widths[column] ?? 0))
    .join("  ")
    .trimEnd();
}

/** Agents and strangers choose what is in an entry: it must not steer the terminal or pass for another line. */
function visible(cell: string): string {
  return cell.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) =>
    char === "\n" ? "⏎" : `⟨U+${hexOf(char.codePointAt(0) ?? 0).toUpperCase()}⟩`,
  );
}

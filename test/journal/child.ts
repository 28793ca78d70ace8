/**
 * A bridge's journal in a process of its own, to be killed. `child.ts hold <url>` opens the store and says `held`;
 * `child.ts append <url>` appends for ever, eight at a time, and says each sequence once it is acknowledged. What cannot
 * be opened is said as its code and sentence. `child.ts audit <url>` does the same with entries of the audit log, one room
 * each, and says room and number.
 */
import { writeSync } from "node:fs";
import type { AuditEntry } from "../../src/core/audit.ts";
import { CrewError } from "../../src/core/errors.ts";
import type { AgentId, RoomId } from "../../src/core/ids.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { openJournal } from "../../src/journal/open.ts";

const [task, url = "", leaseMs = "10000"] = process.argv.slice(2);

// Synchronous, so that a line that was said is in the pipe when the process is killed.
const say = (line: string): number => writeSync(1, `${line}\n`);

async function appendForEver(journal: Journal): Promise<never> {
  for (;;) {
    const seq = await journal.inbox.append(JSON.stringify({ events: "x".repeat(20_000) }));
    say(String(seq));
  }
}

async function auditForEver({ audit }: Journal, room: RoomId): Promise<never> {
  for (let seq = 1; ; seq++) {
    const entry: AuditEntry = { room, seq, ts: seq, kind: "tool", what: "run_command", by: "ada" as AgentId };
    await audit.append([entry]);
    say(`${room} ${seq}`);
  }
}

try {
  const journal = await openJournal(url, { leaseMs: Number(leaseMs) });
  say("held");
  if (task === "append") await Promise.all(Array.from({ length: 8 }, () => appendForEver(journal)));
  if (task === "audit") {
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => auditForEver(journal, `!${index}:example.org` as RoomId)),
    );
  }
  process.stdin.resume();
} catch (thrown) {
  say(thrown instanceof CrewError ? `${thrown.code} ${thrown.message}` : String(thrown));
}

import { describe, expect, test } from "vitest";
import type { AuditEntry } from "../../src/core/audit.ts";
import { auditText } from "../../src/supervision/audit-text.ts";
import { defined, ada, anna, bo, room } from "../core/scene.ts";
import { asRoomId } from "../../src/core/ids.ts";

const morning = Date.UTC(2026, 10, 21, 9, 3, 59);

function entry(extra: Partial<AuditEntry> = {}): AuditEntry {
  return { room, seq: 1, ts: morning, kind: "tool", what: "run_command", by: ada.id, ...extra };
}

describe("the audit log in a room", () => {
  test("says time, who, what, on what or whom, and why it was let in", () => {
    const text = auditText([
      entry({ detail: "npm test", because: "policy 3", subtask: "parser" }),
      entry({ ts: morning + 60_000, kind: "moderation", what: "kick", by: anna, agent: bo.id }),
    ]);
    expect(text.split("\n")).toEqual([
      "**2026-11-21** (UTC)",
      "",
      "- 09:03 `ada`: tool `run_command` of `parser`: `npm test` (`policy 3`)",
      "- 09:04 `@anna:example.com:8448`: moderation `kick`, on `bo`",
    ]);
  });

  test("names the day once, and each later day", () => {
    const text = auditText([entry(), entry({ ts: morning + 1 }), entry({ ts: morning + 86_400_000 })]);
    expect(text.match(/\*\*.*\*\*/g)).toEqual(["**2026-11-21**", "**2026-11-22**"]);
  });

  test("names the task, or the room where there is none, when entries are of several rooms", () => {
    const other = defined(asRoomId("!other:example.com"));
    const text = auditText([entry({ task: 7 }), entry({ room: other })]);
    expect(text).toContain("- 09:03 #7 `ada`: ");
    expect(text).toContain("- 09:03 `!other:example.com` `ada`: ");
    expect(auditText([entry({ task: 7 })])).not.toContain("#7");
  });

  test("shows the last twenty, newest last", () => {
    const text = auditText(Array.from({ length: 50 }, (_, index) => entry({ what: `tool_${index}` })));
    const shown = [...text.matchAll(/tool_(\d+)/g)].map(([, number]) => Number(number));
    expect(shown).toEqual(Array.from({ length: 20 }, (_, index) => 30 + index));
  });

  test("keeps to one line and to code whatever an entry says", () => {
    const detail = "a `b` ```c```\n# d\r\n<script> [x](http://y) @room \u202egnp.exe\u0007";
    const [, , line = "", ...more] = auditText([entry({ detail })]).split("\n");
    expect(more).toEqual([]);
    expect(line).toBe(
      "- 09:03 `ada`: tool `run_command`: ````a `b` ```c``` # d <script> [x](http://y) @room ⟨U+202E⟩gnp.exe⟨U+0007⟩````",
    );
    expect(auditText([entry({ detail: "`x`" })])).toContain(": `` `x` ``");
    expect(auditText([entry({ detail: "😀".repeat(200) })]).isWellFormed()).toBe(true);
    expect(auditText([entry({ detail: "y".repeat(500) })])).toContain(`\`${"y".repeat(79)}…${"y".repeat(80)}\``);
  });

  test("says so when there is nothing", () => {
    expect(auditText([])).toBe("The audit log has nothing of that.");
  });
});

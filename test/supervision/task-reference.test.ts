import { describe, expect, test } from "vitest";
import { patrolTable } from "../../src/core/tasks/patrol.ts";
import { scoreTable } from "../../src/core/tasks/scores.ts";
import { subtaskMoves } from "../../src/core/tasks/subtask-states.ts";
import { commandsReference, crewCommands } from "../../src/supervision/commands.ts";
import { tasksReference } from "../../src/supervision/task-reference.ts";

const tool = { name: "look", roles: ["planner"], arguments: "a <b> or c|d", help: "Looks." };

/** Columns of a row of a table: a `|` in the text is escaped. */
function columns(row: string): number {
  return row.split(/(?<!\\)\|/).length;
}

describe("the reference of tasks", () => {
  const text = tasksReference([tool]);

  test("draws every move of a subtask, and lists it", () => {
    for (const { on, from, to } of subtaskMoves) {
      expect(text).toContain(`| \`${on}\` | ${from.join(", ")} | ${to} |`);
      for (const state of from) expect(text).toContain(`  ${state} --> ${to}: ${on}\n`);
    }
  });

  test("lists every rule of the patrol, every score and every tool", () => {
    for (const { kind } of patrolTable) expect(text).toContain(`| \`${kind}\` |`);
    for (const reason of Object.keys(scoreTable)) expect(text).toContain(`| \`${reason}\` |`);
    expect(text).toContain("| `look` | planner | a &lt;b> or c\\|d | Looks. |");
  });

  test("has tables whose rows are all as wide as their head", () => {
    for (const reference of [text, commandsReference()]) {
      const tables = reference
        .trim()
        .split(/\n{2,}/)
        .filter((part) => part.startsWith("|"));
      expect(tables.length).toBeGreaterThan(0);
      for (const table of tables) expect(new Set(table.split("\n").map(columns)).size).toBe(1);
    }
  });
});

test("the reference of commands has each of them once", () => {
  const rows = commandsReference().split("\n");
  for (const { name } of crewCommands(""))
    expect(rows.filter((row) => new RegExp(`^\\| \`!crew ${name}[ \`]`).test(row))).toHaveLength(1);
});

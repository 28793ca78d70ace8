import { expect, test } from "vitest";
import { toolTable } from "../../src/tools/registry.ts";
import { allRoles, sessionOf } from "./support.ts";

const talk = ["send_message", "ask_human", "report_progress", "get_task", "read_room"];
const history = ["list_files", "file_history", "restore_file"];
const builtin = ["read_file", "write_file", "edit_file", "delete_file", "run_command"];
const everyone = [...talk, ...history, ...builtin];
const executor = ["claim_subtask", "submit_work", "report_blocked", "release_subtask"];
const planner = ["plan_task", "revise_plan", "assign_subtask"];

test.each([
  [["planner"], planner],
  [["executor"], executor],
  [["reviewer"], ["review_work"]],
  [["patrol"], ["raise_concern"]],
  [[], executor],
  [["writer"], executor],
  [["writer", "reviewer"], ["review_work"]],
  [
    ["patrol", "planner"],
    [...planner, "raise_concern"],
  ],
  [
    ["reviewer", "executor", "reviewer"],
    [...executor, "review_work"],
  ],
  [allRoles, [...planner, ...executor, "review_work", "raise_concern"]],
])("an agent with the roles %j gets everyone's tools and %j", (roles, own) => {
  expect(sessionOf(roles).tools.map(({ name }) => name)).toEqual([...everyone, ...own]);
});

test.each(["acp", "openclaw", "qwenpaw", "a2a"] as const)(
  "an agent on %s, which has file tools of its own, gets those for the history only",
  (runtime) => {
    expect(sessionOf(["reviewer"], runtime).tools.map(({ name }) => name)).toEqual([
      ...talk,
      ...history,
      "review_work",
    ]);
  },
);

function bytesFor(roles: readonly string[]): string {
  return JSON.stringify(
    sessionOf(roles).tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
  );
}

test("what a model gets of the tools is the same bytes for every session, in whatever order the roles are written", () => {
  expect(bytesFor(["planner", "executor"])).toBe(bytesFor(["executor", "planner"]));
  expect(bytesFor(allRoles)).toBe(bytesFor(allRoles.toReversed()));
});

test.each(allRoles)("the tools of a %s take less than 6 KB of a request", (role) => {
  expect(Buffer.byteLength(bytesFor([role]))).toBeLessThan(6_000);
});

test("the tools of all roles together take less than 8 KB of a request", () => {
  expect(Buffer.byteLength(bytesFor(allRoles))).toBeLessThan(8_000);
});

test("every tool takes an object without other fields, as model providers ask for", () => {
  for (const { inputSchema } of sessionOf().tools) {
    expect(inputSchema).toMatchObject({ type: "object", additionalProperties: false });
    expect(inputSchema).not.toHaveProperty("$schema");
  }
});

test("the table names every tool once, with who gets it and a sentence", () => {
  expect(toolTable.map(({ name }) => name)).toEqual(sessionOf(allRoles).tools.map(({ name }) => name));
  for (const { name, roles } of toolTable) {
    for (const role of allRoles) {
      const has = sessionOf([role]).tools.some((tool) => tool.name === name);
      expect([name, role, has]).toEqual([name, role, roles.length === 0 || roles.includes(role)]);
    }
  }
  for (const { help } of toolTable) expect(help).toMatch(/^[A-Z][^\n]*\.$/);
});

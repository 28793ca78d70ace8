import { expect, test } from "vitest";
import { call, sessionOf } from "./support.ts";

test.each([
  ["list_files", {}, { kind: "list", path: "" }],
  ["list_files", { path: "src" }, { kind: "list", path: "src" }],
  ["list_files", { path: null }, { kind: "list", path: "" }],
  ["file_history", { path: "a.txt" }, { kind: "history", path: "a.txt" }],
  ["restore_file", { path: "a.txt", commit: " 1f3a " }, { kind: "restore", path: "a.txt", commit: "1f3a" }],
  ["read_file", { path: "a.txt" }, { kind: "read", path: "a.txt" }],
  ["read_file", { path: "a.txt", from: "3", lines: 2.5 }, { kind: "read", path: "a.txt", from: 3, lines: 2 }],
  ["read_file", { path: "a.txt", from: null, lines: "" }, { kind: "read", path: "a.txt" }],
  ["write_file", { path: "a.txt", content: " x\n" }, { kind: "write", path: "a.txt", content: " x\n" }],
  ["write_file", { path: " a.txt", content: "" }, { kind: "write", path: " a.txt", content: "" }],
  ["edit_file", { path: "a.txt", old: " x ", new: "" }, { kind: "edit", path: "a.txt", old: " x ", new: "" }],
  ["delete_file", { path: "src/" }, { kind: "delete", path: "src/" }],
  ["run_command", { command: "npm test" }, { kind: "run", command: "npm test" }],
  ["run_command", { command: "make", why: "to build" }, { kind: "run", command: "make", why: "to build" }],
  ["delete_file", { path: "a", why: "empty" }, { kind: "delete", path: "a", why: "empty" }],
])(
  "%s %j becomes the request it stands for, under an id made of the call and with its signal",
  async (name, input, request) => {
    const session = sessionOf();
    expect(await session.use(name, input)).toBe("Worked.");
    expect(session.worked).toStrictEqual([["t1", "t1:c1", request, call.signal]]);
  },
);

test.each([
  ["list_files", { path: 3 }, "Not read: path: must be a string"],
  ["file_history", {}, "Not read: path: is missing"],
  ["restore_file", { path: "a.txt" }, "Not restored: commit: is missing"],
  ["restore_file", { path: "a.txt", commit: " " }, "Not restored: commit: is empty"],
  ["read_file", { path: "" }, "Not read: path: is empty"],
  ["read_file", { path: "a", from: "the top" }, "from: must be a number"],
  ["write_file", { path: "a" }, "Not written: content: is missing"],
  ["write_file", { path: "a", content: { b: 1 } }, "content: must be a string"],
  ["edit_file", { path: "a", old: "b" }, "Not written: new: is missing"],
  ["edit_file", { path: "a", old: "b", new: "c", all: true }, "there is no field all"],
  ["delete_file", { path: ["a", "b"] }, "Not deleted: path: must be a string"],
  ["run_command", { command: "  " }, "Not run: command: is empty"],
])("%s %j is refused, with the field and what would be allowed", async (name, input, why) => {
  const session = sessionOf();
  const answer = await session.use(name, input);
  expect(answer).toContain(why);
  expect(answer).toContain(`${name} takes `);
  expect(session.worked).toEqual([]);
});

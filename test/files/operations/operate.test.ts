import { expect, test } from "vitest";
import { CrewError } from "../../../src/core/errors.ts";
import type { FileRequest } from "../../../src/core/files.ts";
import { describeRun } from "../../../src/files/operations/run.ts";
import type { CommandResult } from "../../../src/files/port.ts";
import { isRefusal } from "../../../src/tools/refusal.ts";
import { stage } from "./support.ts";

const changes: readonly FileRequest[] = [
  { kind: "write", path: "a.txt", content: "b" },
  { kind: "edit", path: "a.txt", old: "a", new: "b" },
  { kind: "delete", path: "a.txt" },
  { kind: "restore", path: "a.txt", commit: "1f3a" },
];

test("who may only read changes nothing, and is told why", async () => {
  await using here = await stage({ writable: false, branch: undefined });
  await here.put({ "a.txt": "a" });
  for (const request of changes) {
    const answer = await here.use(request);
    expect(answer).toMatch(
      /^Not (?:written|deleted|restored): these files are for you to read: you review them, or hold/,
    );
    expect(isRefusal(answer)).toBe(true);
  }
  expect(await here.text("a.txt")).toBe("a");
  expect(await here.use({ kind: "read", path: "a.txt" })).toBe("a");
  expect(await here.use({ kind: "list", path: "" })).toBe("a.txt  1 byte");
  expect(await here.use({ kind: "history", path: "./a.txt" })).toBe("history of a.txt");
  expect(await here.use({ kind: "run", command: "ls" })).toContain("ran ls");
});

test("history and restore get paths that are checked, also of files that are not there", async () => {
  await using here = await stage();
  expect(await here.use({ kind: "history", path: "." })).toBe("history of ");
  expect(await here.use({ kind: "restore", path: "src//gone.txt", commit: "1f3a" })).toBe("restored src/gone.txt 1f3a");
  expect(await here.use({ kind: "restore", path: ".", commit: "1f3a" })).toBe(
    "Not restored: give the path of one file or folder.",
  );
  expect(await here.use({ kind: "history", path: "../x" })).toMatch(/^Not read: \.\.\/x cannot be used/);
  expect(await here.use({ kind: "restore", path: ".git/config", commit: "1f3a" })).toMatch(
    /^Not restored: \.git\/config/,
  );
});

test("what is restored over is recorded before", async () => {
  await using here = await stage();
  const order: string[] = [];
  await here.use(
    { kind: "restore", path: "a.txt", commit: "1f3a" },
    {
      record: async () => void order.push("record"),
      restore: async () => {
        order.push("restore");
        return "";
      },
    },
  );
  expect(order).toEqual(["record", "restore"]);
});

test("a missing sandbox is a text with what to do; a failure of the program is none", async () => {
  await using here = await stage();
  const missing = new CrewError("SANDBOX_MISSING", { reason: "no bwrap", install: "apt-get install bubblewrap." });
  const answer = await here.use({ kind: "run", command: "ls" }, { run: async () => Promise.reject(missing) });
  expect(answer).toMatch(
    /^Not run: Commands cannot be shut in on this machine: no bwrap\. apt-get install bubblewrap\./,
  );
  const wrong = here.use({ kind: "run", command: "ls" }, { run: async () => Promise.reject(new TypeError("a bug")) });
  await expect(wrong).rejects.toThrow("a bug");
});

test("a stopped turn does nothing more", async () => {
  await using here = await stage();
  await here.put({ "a.txt": "a" });
  const stopped = AbortSignal.abort(new Error("stopped"));
  for (const request of changes) await expect(here.use(request, { signal: stopped })).rejects.toThrow("stopped");
  expect(await here.text("a.txt")).toBe("a");
});

test("the system's refusals are texts that name no path of the machine", async () => {
  await using here = await stage();
  for (const [code, why] of [
    ["ENOSPC", "the disk of the task's files is full"],
    ["EROFS", "the system refuses it for a.txt (EROFS)"],
    ["EACCES", "the system does not permit it for a.txt"],
  ] as const) {
    const thrown = Object.assign(new Error(`${code}: at ${here.tree.root}`), { code });
    expect(await here.use({ kind: "history", path: "a.txt" }, { history: async () => Promise.reject(thrown) })).toBe(
      `Not read: ${why}.`,
    );
  }
});

const ran: CommandResult = { code: 0, output: "ok\n", leftOut: 0, tookMs: 1234 };

test.each<[Partial<CommandResult>, string]>([
  [{}, "npm test ended with exit code 0 after 1.2 s.\nok"],
  [{ code: 1, output: "" }, "npm test ended with exit code 1 after 1.2 s. It printed nothing."],
  [{ leftOut: 12_345 }, "npm test ended with exit code 0 after 1.2 s; 12,345 bytes of its output are left out.\nok"],
  [
    { code: 137, endedBy: "memory" },
    "npm test was ended: it took more memory than it may (exit code 137) after 1.2 s.\nok",
  ],
])("a command's result %j is told as %j", (over, text) => {
  expect(describeRun("npm test", { ...ran, ...over })).toBe(text);
});

test("a command that something ended is told with what ended it, and a long one is cut", () => {
  const { code: _, ...ended } = ran;
  expect(describeRun("sleep 9", { ...ended, endedBy: "time" })).toMatch(
    /^sleep 9 was ended: it took longer than it may/,
  );
  expect(describeRun("kill $$", ended)).toMatch(/^kill \$\$ was ended by a signal after/);
  expect(describeRun("x".repeat(500), ran).split("\n")[0]?.length).toBeLessThan(130);
});

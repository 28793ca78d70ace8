import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommandLine } from "../../src/cli/run.ts";
import type { AuditEntry } from "../../src/core/audit.ts";
import { asAgentId, asRoomId, asUserId } from "../../src/core/ids.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { openJournal } from "../../src/journal/open.ts";
import { storeKinds, type TestStore } from "../journal/stores.ts";
import { Desk } from "./desk.ts";

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("not given");
  return value;
}

const room = given(asRoomId("!room:crew.test"));
const ada = given(asAgentId("ada"));
const sam = given(asUserId("@sam:crew.test"));
const noon = Date.UTC(2026, 10, 21, 12);

const entries: readonly AuditEntry[] = [
  {
    room,
    seq: 1,
    ts: noon,
    task: 7,
    kind: "tool",
    what: "run_command",
    by: ada,
    detail: "npm test",
    because: "policy 3",
  },
  { room, seq: 2, ts: noon + 1_000, kind: "moderation", what: "kick", by: sam, agent: ada, subtask: "parser" },
  {
    room,
    seq: 3,
    ts: noon + 2_000,
    task: 8,
    kind: "refusal",
    what: "read_file",
    by: ada,
    detail: "a\u001b[2Jb\u009b\nc\u202ed\u{e0041}",
  },
];

describe("crewroom audit", () => {
  let desk: Desk;
  let journal: Journal;
  beforeEach(async () => {
    desk = await Desk.open();
    await desk.config();
    // As a bridge that runs: the store is open and locked all the while.
    journal = await openJournal(`sqlite:${desk.path("crewroom.db")}`);
    await journal.audit.append(entries);
  });
  afterEach(async () => {
    await journal[Symbol.asyncDispose]();
    await desk[Symbol.asyncDispose]();
  });

  it("shows a table beside a bridge that runs, and nothing in it steers the terminal", async () => {
    const { code, out, err } = await desk.run("audit");
    expect({ code, err }).toEqual({ code: 0, err: [] });
    expect(out).toEqual([
      "time                  task   who                   what                      detail  (why)",
      "2026-11-21T12:00:00Z  #7     ada                   tool run_command          npm test  (policy 3)",
      "2026-11-21T12:00:01Z         @sam:crew.test        moderation kick           parser: ada",
      "2026-11-21T12:00:02Z  #8     ada                   refusal read_file         a⟨U+001B⟩[2Jb⟨U+009B⟩⏎c⟨U+202E⟩d⟨U+E0041⟩",
    ]);
  });

  it.each([
    [["--task", "7"], [1]],
    [["--task", "#8"], [3]],
    [
      ["--agent", "ada"],
      [1, 2, 3],
    ],
    [["--kind", "moderation"], [2]],
    [
      ["--since", "2026-11-21T12:00:01Z"],
      [2, 3],
    ],
    [["--since", "2026-11-21T14:00:01+02:00", "--kind", "refusal"], [3]],
    [["--task", "9"], []],
  ])("prints with --json and %j whole entries, one a line", async (args, seqs) => {
    const { code, out } = await desk.run("audit", "--json", ...args);
    expect(code).toBe(0);
    const read = out.map((line) => JSON.parse(line) as { n: number; entry: AuditEntry });
    expect(read.map(({ n }) => n)).toEqual(seqs);
    expect(read.map(({ entry }) => entry)).toEqual(entries.filter(({ seq }) => seqs.includes(seq)));
    expect(out.join("")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it("ends quietly when who reads it has read enough", async () => {
    const main = new URL("../../src/main.ts", import.meta.url).pathname;
    const args = [main, "audit", "--config", desk.path("crewroom.yaml"), "--json"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    const exit = once(child, "exit") as Promise<[number | null]>;
    const [err, [code]] = await Promise.all([text(child.stderr), exit]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
  });

  it("waits for who reads it", async () => {
    let taken = 0;
    let told = 0;
    await runCommandLine(["audit", "--config", desk.path("crewroom.yaml"), "--json"], {
      out: () => void told++,
      caughtUp: async () => {
        await Promise.resolve();
        expect(told).toBe(++taken);
      },
      err: () => undefined,
      env: {},
    });
    expect(taken).toBe(entries.length);
  });

  it("says so when there is nothing", async () => {
    expect(await desk.run("audit", "--task", "9")).toEqual({ code: 0, out: ["no entries"], err: [] });
  });

  it("verifies the whole log, and prints how long it is and the hash of its head", async () => {
    const last = JSON.parse((await desk.run("audit", "--json")).out.at(-1) ?? "") as { hash: string };
    const { code, out } = await desk.run("audit", "--verify");
    expect({ code, out }).toEqual({ code: 0, out: ["entries 3", `head ${last.hash}`] });
    const asJson = await desk.run("audit", "--verify", "--json");
    expect(JSON.parse(asJson.out[0] ?? "")).toEqual({ ok: true, entries: 3, head: last.hash });
  });

  it("ends with exit code 1 and the place where the log is not as it was written", async () => {
    await using store: TestStore = await given(storeKinds[0]).start();
    const url = `sqlite:${desk.path("crewroom.db")}`;
    await store.erase(url, "audit", "0000000000000002");
    const { code, out, err } = await desk.run("audit", "--verify");
    expect({ code, out }).toEqual({ code: 1, out: [] });
    expect(err[0]).toBe("error AUDIT_BROKEN: The audit log is not as it was written, from entry 2 on: it is missing.");
    const asJson = await desk.run("audit", "--verify", "--json");
    expect(asJson).toMatchObject({ code: 1, out: ['{"ok":false,"at":2,"why":"it is missing"}'] });
  });

  it("lets nothing that somebody wrote into the store steer the terminal", async () => {
    await using store: TestStore = await given(storeKinds[0]).start();
    const [first] = (await desk.run("audit", "--json")).out;
    const changed = { ...(JSON.parse(given(first)) as object), "\u001b[2J\u202e": 1 };
    await store.replace(`sqlite:${desk.path("crewroom.db")}`, "audit", "0000000000000001", JSON.stringify(changed));
    const { err } = await desk.run("audit", "--verify");
    expect(err[0]).toMatch(/it has ⟨U\+001B⟩\[2J⟨U\+202E⟩ besides\.$/);
    const asJson = await desk.run("audit", "--verify", "--json");
    expect(JSON.parse(asJson.out[0] ?? "")).toMatchObject({ ok: false, why: "it has \u001b[2J\u202e besides" });
    expect([...err, ...asJson.out].join("")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it.each([
    [["--task", "seven"], "--task needs a task's number, like 7."],
    [["--agent", "Ada Lovelace"], "--agent needs an agent's id, like ada."],
    [["--kind", "tools"], /--kind is one of action, tool, /],
    [["--since", "yesterday"], "--since needs a time like 2026-11-21 or 2026-11-21T09:30Z."],
    [["--since", "2026-13-41"], "--since needs a time"],
    [["--verify", "--task", "7"], "--verify checks the whole log"],
  ])("answers the wrong usage %j with what is wrong", async (args, reason) => {
    const { code, err } = await desk.run("audit", ...args);
    expect(code).toBe(2);
    expect(err[0]).toMatch(reason);
  });

  it("makes no store where there is none", async () => {
    await desk.config({ store: "sqlite:other.db" });
    const { code, err } = await desk.run("audit");
    expect(code).toBe(1);
    expect(err[0]).toMatch(/^error STORE_UNUSABLE: /);
    expect(existsSync(desk.path("other.db"))).toBe(false);
  });
});
